"""Where a relay keeps what it needs again."""

import os
from pathlib import Path


def cache() -> Path:
    """This user's cache; for who has no home a place that cannot be written, which whoever needs it will say."""
    home = os.path.expanduser("~")
    below = os.environ.get("XDG_CACHE_HOME") or os.path.join("/nonexistent" if home == "~" else home, ".cache")
    return Path(below) / "cloudberth-relay"
