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
# The algorithm that nearly every client uses; other digests are computed when a client names them.
DEFAULT_ALGORITHM = "sha256"
# The age in seconds at which an unfinished upload is dropped; it exceeds the life of the registry's upload tokens.
ABANDONED_S = 24 * 3600


class DiskFull(RelayError):
    """The spool has no space for a body."""


class SpooledUpload:
    """The bytes of one upload on disk. Whoever uses it must hold `lock`."""

    def __init__(self, directory: Path, location: str) -> None:
        name = hashlib.sha256(location.encode()).hexdigest()
        self.location, self.lock, self.users = location, threading.Lock(), 0
        self.path = directory / f"{name}.body"
        self.record = ResumeRecord.load(directory / f"{name}.json")
        self._hasher, self._hashed = hashlib.new(DEFAULT_ALGORITHM), 0
        # Whether all bytes were received and only have to be sent.
        self.is_closed = bool(self.record.part_size or self.record.is_put)

    @property
    def exists(self) -> bool:
        """Whether the upload has begun here."""
        return self.path.exists()

    @property
    def size(self) -> int:
        """The number of bytes received so far."""
        return self.path.stat().st_size if self.exists else 0

    @property
    def whole(self) -> FileSlice:
        """All bytes received so far."""
        return FileSlice(self.path, 0, self.size)

    def begin(self) -> None:
        """Creates the file and records which upload it belongs to. Raises DiskFull."""
        with self._report_full_disk():
            self.path.touch(mode=0o600)
            self.record.begin(self.location)

    def append(self, body: Body, on_bytes: Callable[[int], None]) -> None:
        """Appends a body. Raises DiskFull and drops the upload; raises ClientLeft and keeps the bytes received."""
        self._require_space(body)
        # The hash is updated with the file, unless an earlier process began the file.
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
        """Appends the body of a closing PUT.

        If the client leaves, its bytes are removed again, because the client will send the whole body once more.
        """
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
        """Returns `algorithm:hex` over all bytes, which are read again if the relay was restarted."""
        if algorithm == DEFAULT_ALGORITHM and self._hashed == self.size:
            return f"{DEFAULT_ALGORITHM}:{self._hasher.hexdigest()}"
        return self.whole.digest(algorithm)

    def drop(self) -> None:
        """Removes the upload and frees its space."""
        self.path.unlink(missing_ok=True)
        self.record.clear()
        self._hasher, self._hashed, self.is_closed = hashlib.new(DEFAULT_ALGORITHM), 0, False


class Spool:
    """The uploads of one relay, in a directory that no other relay uses."""

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
        """Gives the upload at a location to one request at a time, whether or not it has begun here."""
        with self._lock:
            upload = self._uploads.setdefault(location, SpooledUpload(self._directory, location))
            upload.users += 1
        try:
            with upload.lock:
                yield upload
        finally:
            with self._lock:
                upload.users -= 1
                if not upload.users and not upload.exists:
                    del self._uploads[location]

    def size_of(self, location: str) -> int | None:
        """Returns the bytes received so far, even while more arrive; None if the upload has not begun here."""
        upload = SpooledUpload(self._directory, location)
        return upload.size if upload.exists else None

    def sweep(self, older_than_s: float = ABANDONED_S) -> int:
        """Drops uploads that have not changed for `older_than_s` seconds and are not in use; returns their number."""
        with self._lock:
            busy = {upload.path.stem for upload in self._uploads.values() if upload.users}
            old = time.time() - older_than_s
            stems = {file.stem for file in self._directory.glob("*.body") if file.stat().st_mtime < old} - busy
            for stem in stems:
                for file in self._directory.glob(f"{stem}.*"):
                    file.unlink(missing_ok=True)
            self._uploads = {name: upload for name, upload in self._uploads.items() if upload.path.stem not in stems}
            return len(stems)

    def close(self) -> None:
        """Releases the directory for other relays; the uploads stay."""
        self._lock_file.close()


def _describe(path: Path) -> str:
    return f"the relay's spool {path.parent}"


def _remedy() -> str:
    return "free some, name a larger disk by --spool, or push with `python -m relay push`, which needs no spool"


def sweep_forever(spool: Spool, every_s: float = 3600) -> None:
    """Drops abandoned uploads every `every_s` seconds until the process ends."""
    while True:
        spool.sweep()
        time.sleep(every_s)
