"""What S3 has already of a blob, written down, so that whoever comes after a cut does not send it again."""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


def cache_directory() -> Path:
    """This user's cache; for who has no home a place that cannot be written, which whoever needs it will say."""
    home = os.path.expanduser("~")
    cache_root = os.environ.get("XDG_CACHE_HOME") or os.path.join("/nonexistent" if home == "~" else home, ".cache")
    return Path(cache_root) / "cloudberth-relay"


@dataclass
class ResumeRecord:
    """The parts of one blob that S3 has, in a file. `location` is the upload they belong to."""

    file: Path
    location: str = ""
    part_size: int = 0
    parts: dict[int, str] = field(default_factory=dict)
    is_put: bool = False

    @classmethod
    def load(cls, file: Path) -> "ResumeRecord":
        """What is written there; a ledger of nothing where that is nothing, or half a word."""
        try:
            document: dict[str, Any] = json.loads(file.read_bytes())
            parts = {int(number): str(etag) for number, etag in document["parts"].items()}
            return cls(file, document["location"], document["part_size"], parts, document["is_put"])
        except (FileNotFoundError, ValueError, KeyError):
            return cls(file)

    def write(self) -> None:
        """Puts it on disk: whole or not at all."""
        unfinished = self.file.with_suffix(".new")
        # What cannot be written, on a full disk, is only sent again after the next cut.
        with suppress(OSError):
            unfinished.write_text(json.dumps({**asdict(self), "file": None}), "ascii")
            unfinished.replace(self.file)

    def begin(self, location: str) -> None:
        """An upload of which S3 has nothing."""
        self.location, self.part_size, self.parts, self.is_put = location, 0, {}, False
        self.write()

    def clear(self) -> None:
        """The blob is there, or never will be."""
        self.file.unlink(missing_ok=True)
        self.location, self.part_size, self.parts, self.is_put = "", 0, {}, False
