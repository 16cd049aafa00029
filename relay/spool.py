"""The disk space in which a relay without a key keeps the bodies of uploads until their digest is known."""

import errno
import fcntl
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from relay.errors import ClientLeft, RelayError
from relay.resume import ResumeRecord
from relay.server import Body
from relay.slices import FileSlice

BLOCK = 1024 * 1024
# The digest that nearly every client names; others are computed when they are named.
DEFAULT_ALGORITHM = "sha256"
# An upload that nobody came back to, in seconds; longer than a token of the registry lives.
ABANDONED_S = 24 * 3600


class DiskFull(RelayError):
    """The spool has no room for a body."""


class SpooledUpload:
    """The bytes of one upload. Whoever works with it holds `lock`."""

    def __init__(self, directory: Path, location: str) -> None:
        name = hashlib.sha256(location.encode()).hexdigest()
        self.location, self.lock, self.users = location, threading.Lock(), 0
        self.path = directory / f"{name}.body"
        self.record = ResumeRecord.load(directory / f"{name}.json")
        self._hasher, self._hashed = hashlib.new(DEFAULT_ALGORITHM), 0
        # Whether all bytes came, and wait only to be brought on.
        self.is_closed = bool(self.record.part_size or self.record.is_put)

    @property
    def exists(self) -> bool:
        """Whether the upload has begun here."""
        return self.path.exists()

    @property
    def size(self) -> int:
        """Bytes that came so far."""
        return self.path.stat().st_size if self.exists else 0

    @property
    def whole(self) -> FileSlice:
        """All that came."""
        return FileSlice(self.path, 0, self.size)

    def begin(self) -> None:
        """Makes the file, and writes down which upload it belongs to. Raises DiskFull."""
        with self._report_full_disk():
            self.path.touch(mode=0o600)
            self.record.begin(self.location)

    def append(self, body: Body, on_bytes: Callable[[int], None]) -> None:
        """Takes a body in behind what is there. Raises DiskFull, which drops the upload, and Cut, which keeps it."""
        self._require_space(body)
        # The digest grows with the file, but for one that was begun before this process was.
        is_hashed = self._hashed == self.size
        with self._report_full_disk(), self.path.open("ab") as file:
            while content := body.read(BLOCK):
                file.write(content)
                if is_hashed:
                    self._hasher.update(content)
                    self._hashed += len(content)
                on_bytes(len(content))

    @contextmanager
    def _report_full_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            self.drop()
            raise DiskFull(f"{_describe(self.path)} is full: {_remedy()}") from error

    def append_last(self, body: Body, on_bytes: Callable[[int], None]) -> None:
        """The same for a body that closes the upload: cut short it counts for nothing, for it will come again whole."""
        size, hasher, hashed = self.size, self._hasher.copy(), self._hashed
        try:
            self.append(body, on_bytes)
        except ClientLeft:
            os.truncate(self.path, size)
            self._hasher, self._hashed = hasher, hashed
            raise

    def _require_space(self, body: Body) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if body.length is not None and body.length > free:
            self.drop()
            space = f"{free / 1e9:.1f} GB free and this body has {body.length / 1e9:.1f} GB"
            raise DiskFull(f"{_describe(self.path)} has {space}: {_remedy()}")

    def digest(self, algorithm: str) -> str:
        """`algorithm:hex` over all that came: known already, or read again after a restart of the relay."""
        if algorithm == DEFAULT_ALGORITHM and self._hashed == self.size:
            return f"{DEFAULT_ALGORITHM}:{self._hasher.hexdigest()}"
        return self.whole.digest(algorithm)

    def drop(self) -> None:
        """Forgets the upload and frees its room."""
        self.path.unlink(missing_ok=True)
        self.record.clear()
        self._hasher, self._hashed, self.is_closed = hashlib.new(DEFAULT_ALGORITHM), 0, False


class Spool:
    """All uploads of one relay, in a directory that it has to itself."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock_file = (directory / "lock").open("w")
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RelayError(
                f"another relay keeps its spool in {directory}: give this one its own by --spool"
            ) from None
        except OSError as error:
            raise RelayError(
                f"the spool {directory} cannot be used ({error.strerror}): name another by --spool"
            ) from None
        self._lock = threading.Lock()
        self._uploads: dict[str, SpooledUpload] = {}

    @contextmanager
    def locked(self, location: str) -> Iterator[SpooledUpload]:
        """The upload of a location, whether it has begun here or not, for one request at a time."""
        with self._lock:
            spooled = self._uploads.setdefault(location, SpooledUpload(self._directory, location))
            spooled.users += 1
        try:
            with spooled.lock:
                yield spooled
        finally:
            with self._lock:
                spooled.users -= 1
                if not spooled.users and not spooled.exists:
                    del self._uploads[location]

    def size_of(self, location: str) -> int | None:
        """Bytes of an upload that are here, even while more come; None when it has not begun here."""
        spooled = SpooledUpload(self._directory, location)
        return spooled.size if spooled.exists else None

    def sweep(self, older_than_s: float = ABANDONED_S) -> int:
        """Drops uploads that nobody came back to; how many. The ones in work are left alone."""
        with self._lock:
            busy = {known.path.stem for known in self._uploads.values() if known.users}
            old = time.time() - older_than_s
            stems = {file.stem for file in self._directory.glob("*.body") if file.stat().st_mtime < old} - busy
            for stem in stems:
                for file in self._directory.glob(f"{stem}.*"):
                    file.unlink(missing_ok=True)
            self._uploads = {name: known for name, known in self._uploads.items() if known.path.stem not in stems}
            return len(stems)

    def close(self) -> None:
        """Leaves the directory to others; what came so far stays."""
        self._lock_file.close()


def _describe(path: Path) -> str:
    return f"the relay's spool {path.parent}"


def _remedy() -> str:
    return "free some, name a larger disk by --spool, or push with `python -m relay push`, which needs no spool"


def sweep_forever(spool: Spool, every_s: float = 3600) -> None:
    """Drops abandoned uploads as long as the process lives."""
    while True:
        spool.sweep()
        time.sleep(every_s)
