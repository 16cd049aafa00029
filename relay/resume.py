"""Records which parts of a blob S3 has, so that an upload that was interrupted continues with the others."""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


def cache_directory() -> Path:
    """Returns this user's cache directory, or one that cannot be created for a user who has no home."""
    home = os.path.expanduser("~")
    cache_root = os.environ.get("XDG_CACHE_HOME") or os.path.join("/nonexistent" if home == "~" else home, ".cache")
    return Path(cache_root) / "cloudberth-relay"


@dataclass
class ResumeRecord:
    """The parts of one blob that S3 has, stored in `file`. `location` is the upload they belong to."""

    file: Path
    location: str = ""
    part_size: int = 0
    parts: dict[int, str] = field(default_factory=dict)
    is_put: bool = False

    @classmethod
    def load(cls, file: Path) -> "ResumeRecord":
        """Reads a record; returns an empty one if the file is missing or damaged."""
        try:
            document: dict[str, Any] = json.loads(file.read_bytes())
            parts = {int(number): str(etag) for number, etag in document["parts"].items()}
            return cls(file, document["location"], document["part_size"], parts, document["is_put"])
        except (FileNotFoundError, ValueError, KeyError):
            return cls(file)

    def write(self) -> None:
        """Writes the record to disk atomically."""
        unfinished = self.file.with_suffix(".new")
        # If the disk is full, the parts since the last record are only sent again after an interruption.
        with suppress(OSError):
            unfinished.write_text(json.dumps({**asdict(self), "file": None}), "ascii")
            unfinished.replace(self.file)

    def begin(self, location: str) -> None:
        """Starts the record of an upload of which S3 has nothing."""
        self.location, self.part_size, self.parts, self.is_put = location, 0, {}, False
        self.write()

    def clear(self) -> None:
        """Removes the record, because the blob exists or the upload is lost."""
        self.file.unlink(missing_ok=True)
        self.location, self.part_size, self.parts, self.is_put = "", 0, {}, False
