"""Bodies for a relay that has no rights of its own: kept on disk until their digest is known, then brought to S3.

An upload that begins here stays here to its end, small chunks too: the registry learns of it at its closing PUT. Only
after the registry said that the blob is there is the client told so.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUploadInvalid, DigestInvalid
from chalicelib.domain.uploads import LARGEST_BODY
from relay.auth import Credentials
from relay.errors import Cut, Refused, RelayError, Unavailable
from relay.presigned_upload import Delivery
from relay.progress import Board, Line
from relay.protocol import Answer, Target, accepted, closing, misplaced, path_of, range_of, refusal
from relay.registry import Registry
from relay.resume import Ledger
from relay.retries import Patience
from relay.server import Body
from relay.slices import Slice, Window

# Closed uploads whose answer is kept for a client that did not wait for it.
REMEMBERED = 1000
# Refusals that another request may undo: a new token, less of them at once.
MAY_PASS = (401, 403, 408, 429)
LATER = {"Retry-After": "5"}
CODES: dict[type[Exception], str] = {DigestInvalid: "DIGEST_INVALID", BlobUploadInvalid: "BLOB_UPLOAD_INVALID"}
HANDED_ON = ("Location", "Docker-Content-Digest")
BLOCK = 1024 * 1024
# The digest that nearly every client names; others are computed when they are named.
USUAL = "sha256"
# An upload that nobody came back to, in seconds; longer than a token of the registry lives.
ABANDONED_S = 24 * 3600


class DiskFull(RelayError):
    """The spool has no room for a body."""


class Spooled:
    """The bytes of one upload. Whoever works with it holds `lock`."""

    def __init__(self, directory: Path, location: str) -> None:
        name = hashlib.sha256(location.encode()).hexdigest()
        self.location, self.lock, self.users = location, threading.Lock(), 0
        self.path = directory / f"{name}.body"
        self.ledger = Ledger.at(directory / f"{name}.json")
        self._hasher, self._hashed = hashlib.new(USUAL), 0
        # Whether all bytes came, and wait only to be brought on.
        self.is_closed = bool(self.ledger.part_size or self.ledger.is_put)

    @property
    def exists(self) -> bool:
        """Whether the upload has begun here."""
        return self.path.exists()

    @property
    def size(self) -> int:
        """Bytes that came so far."""
        return self.path.stat().st_size if self.exists else 0

    @property
    def whole(self) -> Slice:
        """All that came."""
        return Slice(self.path, 0, self.size)

    def begin(self) -> None:
        """Makes the file, and writes down which upload it belongs to. Raises DiskFull."""
        with self._room():
            self.path.touch(mode=0o600)
            self.ledger.begin(self.location)

    def append(self, body: Body, watch: Callable[[int], None]) -> None:
        """Takes a body in behind what is there. Raises DiskFull, which drops the upload, and Cut, which keeps it."""
        self._demand_room(body)
        # The digest grows with the file, but for one that was begun before this process was.
        is_hashed = self._hashed == self.size
        with self._room(), self.path.open("ab") as file:
            while content := body.read(BLOCK):
                file.write(content)
                if is_hashed:
                    self._hasher.update(content)
                    self._hashed += len(content)
                watch(len(content))

    @contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            self.drop()
            raise DiskFull(f"{_place(self.path)} is full: {_remedy()}") from error

    def append_whole(self, body: Body, watch: Callable[[int], None]) -> None:
        """The same for a body that closes the upload: cut short it counts for nothing, for it will come again whole."""
        size, hasher, hashed = self.size, self._hasher.copy(), self._hashed
        try:
            self.append(body, watch)
        except Cut:
            os.truncate(self.path, size)
            self._hasher, self._hashed = hasher, hashed
            raise

    def _demand_room(self, body: Body) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if body.length is not None and body.length > free:
            self.drop()
            room = f"{free / 1e9:.1f} GB free and this body has {body.length / 1e9:.1f} GB"
            raise DiskFull(f"{_place(self.path)} has {room}: {_remedy()}")

    def digest(self, algorithm: str) -> str:
        """`algorithm:hex` over all that came: known already, or read again after a restart of the relay."""
        if algorithm == USUAL and self._hashed == self.size:
            return f"{USUAL}:{self._hasher.hexdigest()}"
        return self.whole.digest(algorithm)

    def drop(self) -> None:
        """Forgets the upload and frees its room."""
        self.path.unlink(missing_ok=True)
        self.ledger.forget()
        self._hasher, self._hashed, self.is_closed = hashlib.new(USUAL), 0, False


class Spool:
    """All uploads of one relay, in a directory that it has to itself."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._held = (directory / "lock").open("w")
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RelayError(
                f"another relay keeps its spool in {directory}: give this one its own by --spool"
            ) from None
        except OSError as error:
            raise RelayError(
                f"the spool {directory} cannot be used ({error.strerror}): name another by --spool"
            ) from None
        self._lock = threading.Lock()
        self._known: dict[str, Spooled] = {}

    @contextmanager
    def held(self, location: str) -> Iterator[Spooled]:
        """The upload of a location, whether it has begun here or not, for one request at a time."""
        with self._lock:
            spooled = self._known.setdefault(location, Spooled(self._directory, location))
            spooled.users += 1
        try:
            with spooled.lock:
                yield spooled
        finally:
            with self._lock:
                spooled.users -= 1
                if not spooled.users and not spooled.exists:
                    del self._known[location]

    def size_of(self, location: str) -> int | None:
        """Bytes of an upload that are here, even while more come; None when it has not begun here."""
        spooled = Spooled(self._directory, location)
        return spooled.size if spooled.exists else None

    def sweep(self, older_than_s: float = ABANDONED_S) -> int:
        """Drops uploads that nobody came back to; how many. The ones in work are left alone."""
        with self._lock:
            busy = {known.path.stem for known in self._known.values() if known.users}
            old = time.time() - older_than_s
            stems = {file.stem for file in self._directory.glob("*.body") if file.stat().st_mtime < old} - busy
            for stem in stems:
                for file in self._directory.glob(f"{stem}.*"):
                    file.unlink(missing_ok=True)
            self._known = {name: known for name, known in self._known.items() if known.path.stem not in stems}
            return len(stems)

    def close(self) -> None:
        """Leaves the directory to others; what came so far stays."""
        self._held.close()


def _place(path: Path) -> str:
    return f"the relay's spool {path.parent}"


def _remedy() -> str:
    return "free some, name a larger disk by --spool, or push with `python -m relay push`, which needs no spool"


def sweep_on(spool: Spool, every_s: float = 3600) -> None:
    """Drops abandoned uploads as long as the process lives."""
    while True:
        spool.sweep()
        time.sleep(every_s)


class Spooling:
    """Takes bodies of any size into the spool, and brings closed uploads to the registry."""

    def __init__(self, registry: Registry, spool: Spool, board: Board, patience_s: float) -> None:
        self._registry, self._spool, self._board, self._patience_s = registry, spool, board, patience_s
        self._closed: OrderedDict[tuple[str, str], Answer] = OrderedDict()

    def takes(self, target: Target, length: int | None) -> bool:
        """Whether a body goes this way; what fits the registry is passed on, unless its upload has begun here."""
        if target.method == "PATCH" or length is None or length > LARGEST_BODY or not target.brings_bytes:
            return target.brings_bytes
        is_closed = (target.location, target.digest) in self._closed
        return bool(target.location) and (is_closed or self._spool.size_of(target.location) is not None)

    def take(self, target: Target, body: Body, credentials: Credentials) -> Answer:
        """Takes a body in and answers for the registry. Raises Cut, requests.RequestException."""
        try:
            return self._take(target, body, credentials)
        except Refused as refused:
            return Answer(refused.status, refused.headers, refused.body)
        except DiskFull as error:
            self._board.tell(f"relay: {error}")
            # No 507: clients repeat what a 5xx refused, and show their user the words of a 4xx only.
            return refusal(413, "SIZE_INVALID", str(error))
        except (DigestInvalid, BlobUploadInvalid) as error:
            return refusal(400, CODES[type(error)], str(error))

    def _take(self, target: Target, body: Body, credentials: Credentials) -> Answer:
        if target.method == "POST":
            return self._post(target, body, credentials)
        with self._spool.held(target.location) as spooled:
            handle = self._patch if target.method == "PATCH" else self._put
            return handle(spooled, target, body, credentials)

    def status(self, target: Target, answer: Answer) -> Answer:
        """The registry's answer to how far an upload is, with the bytes that are here."""
        size = self._spool.size_of(target.location) if answer.status == 204 else None
        if size is None:
            return answer
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in ("range", "location")}
        return Answer(204, {**kept, "Location": target.location, "Range": range_of(size)}, b"")

    def cancel(self, target: Target) -> None:
        """The registry has given an upload up."""
        with self._spool.held(target.location) as spooled:
            spooled.drop()

    def _post(self, target: Target, body: Body, credentials: Credentials) -> Answer:
        """A whole blob in one request: an upload that begins and ends here."""
        Digest.parse(target.digest)
        begun = self._ask("POST", target.beginning, credentials)
        if begun.status != 202:
            return begun
        location = path_of(begun.headers["Location"])
        with self._spool.held(location) as spooled:
            spooled.begin()
            whole = Target.of("PUT", closing(location, target.digest))
            return self._put(spooled, whole, body, credentials)

    def _patch(self, spooled: Spooled, target: Target, body: Body, credentials: Credentials) -> Answer:
        refused = self._begin(spooled, credentials)
        if refused:
            return refused
        if spooled.is_closed:
            return refusal(
                400, "BLOB_UPLOAD_INVALID", "this upload is closed: end it by the same PUT, or begin another"
            )
        if refused := misplaced(target, body.length, spooled.location, spooled.size):
            return refused
        self._take_in(spooled, body, closes=False)
        return accepted(spooled.location, spooled.size, _upload_id(spooled.location))

    def _begin(self, spooled: Spooled, credentials: Credentials) -> Answer | None:
        """Makes sure of an upload before bytes of it take room; the answer when the registry has none like it."""
        if spooled.exists:
            return None
        status = self._ask("GET", spooled.location, credentials)
        if status.status != 204:
            return status
        if status.headers.get("Range", "0-0") not in ("0-0", ""):
            return refusal(413, "SIZE_INVALID", "this upload began without the relay: begin it again through the relay")
        spooled.begin()
        return None

    def _ask(self, method: str, target: str, credentials: Credentials) -> Answer:
        return Patience(self._patience_s).over(lambda: self._registry.send(method, target, credentials))

    def _take_in(self, spooled: Spooled, body: Body, *, closes: bool) -> None:
        line = self._board.line(f"upload {_upload_id(spooled.location)[-8:]}")
        line.stretch("taking in", body.length)
        try:
            (spooled.append_whole if closes else spooled.append)(body, line.advance)
        finally:
            line.end(None)

    def _put(self, spooled: Spooled, target: Target, body: Body, credentials: Credentials) -> Answer:
        digest = str(Digest.parse(target.digest))
        if answer := self._closed.get((spooled.location, digest)):
            _pour_out(body)
            return answer
        refused = self._begin(spooled, credentials)
        if refused:
            return refused
        if spooled.is_closed:
            # A client that lost patience comes with the same bytes again: they are here.
            _pour_out(body)
        elif refused := misplaced(target, body.length, spooled.location, spooled.size):
            return refused
        else:
            self._take_in(spooled, body, closes=True)
        return self._close(spooled, digest, credentials)

    def _close(self, spooled: Spooled, digest: str, credentials: Credentials) -> Answer:
        found = spooled.digest(digest.partition(":")[0])
        if found != digest:
            size = spooled.size
            spooled.drop()
            raise DigestInvalid(digest, f"the {size} bytes that came have {found}")
        spooled.is_closed = True
        line = self._board.line(digest[:19])
        size, sent = spooled.size, False
        try:
            answer = self._bring(spooled, digest, credentials, line)
            sent = answer.status == 201
        except Refused as refused:
            answer = Answer(refused.status, refused.headers, refused.body)
        finally:
            line.end(size if sent else None)
        if sent:
            self._remember(spooled.location, digest, answer)
        if answer.status < 500 and answer.status not in MAY_PASS:
            spooled.drop()
        return answer

    def _bring(self, spooled: Spooled, digest: str, credentials: Credentials, line: Line) -> Answer:
        try:
            if spooled.size <= LARGEST_BODY:
                return self._bring_small(spooled, digest, credentials)
            line.stretch("sending", spooled.size)
            patience_s, whole = self._patience_s, spooled.whole
            headers = Delivery(
                self._registry, spooled.ledger, whole, digest, lambda: credentials, patience_s, line
            ).send()
        except (RelayError, requests.RequestException) as error:
            self._board.tell(f"relay: {digest[:19]}: {error}")
            told = refusal(503, "UNAVAILABLE", f"the relay keeps the bytes and could not bring them on: {error}")
            return Answer(told.status, {**told.headers, **LATER}, told.body)
        return Answer(201, {name: headers[name] for name in HANDED_ON if name in headers}, b"")

    def _bring_small(self, spooled: Spooled, digest: str, credentials: Credentials) -> Answer:
        target, whole = closing(spooled.location, digest), spooled.whole

        def attempt() -> Answer:
            with Window(whole) as window:
                answer = self._registry.send("PUT", target, credentials, window if whole.size else b"")
            if answer.status >= 500:
                raise Unavailable(f"the registry answered {answer.status}")
            return answer

        return Patience(self._patience_s).over(attempt)

    def _remember(self, location: str, digest: str, answer: Answer) -> None:
        self._closed[location, digest] = answer
        if len(self._closed) > REMEMBERED:
            self._closed.popitem(last=False)


def _pour_out(body: Body) -> None:
    while body.read(LARGEST_BODY):
        pass


def _upload_id(location: str) -> str:
    """The upload's own name, which Cloudberth's tokens begin with; of others the whole last word."""
    return location.rpartition("/")[2].partition(".")[0]
