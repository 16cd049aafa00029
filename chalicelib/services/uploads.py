"""Uploads: bytes on their way to becoming a blob, in one piece or in many.

A blob counts once its digest has been verified over exactly its bytes: here by hashing what came, in S3 by checksum. An
upload in pieces is closed, with digest and key written down, before its bytes are joined and linked, so that a crash at
any point leaves an upload which the same request finishes.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chalicelib.domain import hashing
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUploadUnknown, DigestInvalid, OutOfOrder, SizeInvalid
from chalicelib.domain.ids import ulid
from chalicelib.domain.leases import Lease
from chalicelib.domain.manifests import EXPIRES_AFTER, config_expiry
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import PUSH, Actor
from chalicelib.domain.repositories import Repository
from chalicelib.domain.uploads import MANY, SMALLEST_PART, Chunk, UploadToken
from chalicelib.services.access import Access, Rights
from chalicelib.services.repositories import Repositories
from chalicelib.storage import keys
from chalicelib.storage.blobs import BlobStore, BlobView, Sniffed
from chalicelib.storage.objects import ObjectStore
from chalicelib.storage.table import Batch, LostRace, Read, Transaction, until_won
from chalicelib.storage.uploads import CANCELLED, CLOSED, OPEN, UploadRow, UploadStore


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an upload is: its token, signed for the next request, and the bytes it has."""

    token: str
    upload_id: str
    offset: int


class Uploads:
    """Uploads into repositories. `life_s` is how long a token stays valid, in seconds."""

    def __init__(
        self,
        access: Access,
        repositories: Repositories,
        blobs: BlobStore,
        store: UploadStore,
        objects: ObjectStore,
        signing_keys: Sequence[bytes],
        lease: Lease,
        life_s: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._access, self._repositories, self._blobs = access, repositories, blobs
        self._store, self._objects = store, objects
        self._keys, self._lease, self._life_s, self._clock = list(signing_keys), lease, life_s, clock

    def begin(self, actor: Actor, name: RepositoryName, algorithm: str = "sha256") -> Progress:
        """A new upload; the repository is made where it is not there and the actor may create it."""
        repository = self._repositories.for_push(actor, name)
        now = self._clock()
        token = UploadToken(ulid(now), repository.id, int(now) + self._life_s, algorithm)
        return Progress(token.signed(self._keys[0]), token.upload_id, 0)

    def opened(self, actor: Actor, name: RepositoryName, text: str) -> tuple[Repository, UploadToken]:
        """The upload that a token stands for. Raises BlobUploadUnknown for one of another repository."""
        grant = self._access.granted(actor, name, PUSH)
        token = self.verified(text)
        repository = self._access.known(grant, name)
        if repository is None or repository.id != token.repository_id:
            raise BlobUploadUnknown
        return repository, token

    def verified(self, text: str) -> UploadToken:
        """A token of ours. Raises BlobUploadUnknown."""
        return UploadToken.verify(text, self._keys, self._clock())

    def progress(self, token: UploadToken, offset: int) -> Progress:
        """The answer to a chunk: the next token is good for a whole life again, and only for chunks."""
        until = int(self._clock()) + self._life_s
        following = UploadToken(token.upload_id, token.repository_id, until, token.algorithm, MANY)
        return Progress(following.signed(self._keys[0]), token.upload_id, offset)

    def status(self, actor: Actor, name: RepositoryName, text: str) -> Progress:
        """How far an upload is. Raises BlobUploadUnknown."""
        _, token = self.opened(actor, name, text)
        row = self._store.get(token.upload_id)
        _check_open(row)
        # The first token would still let the edge write; once bytes have come, only chunks may follow.
        return self.progress(token, row.offset) if row and row.offset else Progress(text, token.upload_id, 0)

    def cancel(self, actor: Actor, name: RepositoryName, text: str) -> None:
        """Ends an upload and drops its bytes. Raises BlobUploadUnknown."""
        _, token = self.opened(actor, name, text)

        def attempt() -> UploadRow:
            stored = self._store.get(token.upload_id)
            _check_open(stored)
            row = stored or self.new_row(token)
            row.status = CANCELLED
            self._put(row, stored is None)
            return row

        row = until_won(attempt)
        self._drop(row)

    def append(self, actor: Actor, name: RepositoryName, text: str, content: bytes, chunk: Chunk | None) -> Progress:
        """Takes a chunk in. Raises OutOfOrder, SizeInvalid, BlobUploadUnknown."""
        _, token = self.opened(actor, name, text)
        stored = self._store.get(token.upload_id)
        _check_open(stored)
        row = stored or self.new_row(token)
        _check_chunk(chunk, row.offset, len(content))
        if content:
            self._append(row, content, is_new=stored is None)
        return self.progress(token, row.offset)

    def _append(self, row: UploadRow, content: bytes, *, is_new: bool) -> None:
        offset, old_tail = row.offset, row.tail_key
        hasher = hashing.resume(row.algorithm, row.hash_state or b"")
        hasher.update(content)
        row.hash_state, row.offset = hasher.state(), offset + len(content)
        transaction = Transaction()
        if row.tail_size + len(content) < SMALLEST_PART:
            self._keep_tail(row, content)
        else:
            self._keep_part(transaction, row, content)
        try:
            self._put(row, is_new, transaction)
        except LostRace:
            if row.tail_key and row.tail_key != old_tail:
                self._objects.delete(row.tail_key)
            current = self._store.get(row.pk.removeprefix("UP#"))
            raise OutOfOrder(current.offset if current else offset) from None
        if old_tail:
            self._objects.delete(old_tail)

    def _keep_tail(self, row: UploadRow, content: bytes) -> None:
        """Bytes too few for a part wait in an object of their own; when nothing follows, it is the blob."""
        together = (self._objects.get(row.tail_key) if row.tail_key else b"") + content
        row.tail_key, row.tail_size = keys.incoming(row.repository_id, ulid(self._clock())), len(together)
        self._objects.put(row.tail_key, together, Digest.of(together))

    def _keep_part(self, transaction: Transaction, row: UploadRow, content: bytes) -> None:
        together = (self._objects.get(row.tail_key) if row.tail_key else b"") + content
        self.begin_parts(row)
        row.parts += 1
        row.tail_key, row.tail_size = None, 0
        etag = self._objects.put_part(row.s3_key or "", row.multipart_id or "", row.parts, together)
        self._store.put_part(transaction, row, row.parts, etag, len(together))

    def begin_parts(self, row: UploadRow) -> None:
        """Makes sure an upload has a multipart upload of S3 to put parts into."""
        if row.multipart_id is None:
            row.s3_key = keys.incoming(row.repository_id, ulid(self._clock()))
            row.multipart_id = self._objects.begin_parts(row.s3_key)

    def new_row(self, token: UploadToken) -> UploadRow:
        """The row of an upload of which nothing has come yet."""
        return UploadRow.under(
            keys.upload(token.upload_id),
            repository_id=token.repository_id,
            algorithm=token.algorithm,
            hash_state=hashing.begin(token.algorithm).state(),
            expires_at=token.expires_at + self._lease.seconds,
        )

    def _put(self, row: UploadRow, is_new: bool, transaction: Transaction | None = None) -> None:
        transaction = transaction or Transaction()
        self._store.put(transaction, row, None if is_new else row.version)
        transaction.commit()

    def push(self, actor: Actor, name: RepositoryName, digest: Digest, content: bytes) -> None:
        """A blob in one request, without an upload. Raises DigestInvalid."""
        repository = self._repositories.for_push(actor, name)
        self._push_whole(actor, repository, digest, content, None)

    def close(
        self, actor: Actor, name: RepositoryName, text: str, digest: Digest, content: bytes, chunk: Chunk | None
    ) -> None:
        """Makes an upload, with the last bytes it is given, the blob of that digest; done again, it succeeds again.

        Raises DigestInvalid, OutOfOrder, SizeInvalid, BlobUploadUnknown.
        """
        repository, token = self.opened(actor, name, text)
        # A token that saw no chunk, with the bytes beside it, needs no look at the upload: the close itself checks.
        row = None if token.kind != MANY and content else self._store.get(token.upload_id)
        if row is None:
            _check_chunk(chunk, 0, len(content))
            self._push_whole(actor, repository, digest, content, token)
            return
        if row.status == CANCELLED or (row.status == CLOSED and row.digest != digest):
            raise BlobUploadUnknown
        if row.status == OPEN:
            _check_chunk(chunk, row.offset, len(content))
            self._close(row, digest, content)
        self.finish(actor, repository, row, digest)

    def _push_whole(
        self, actor: Actor, repository: Repository, digest: Digest, content: bytes, token: UploadToken | None
    ) -> None:
        if not digest.matches(content):
            raise DigestInvalid(str(digest), f"the {len(content)} bytes that came have {Digest.of(content)}")
        seen = _sniff(content)
        placed = ""

        def attempt() -> str:
            nonlocal placed
            view, upload = self._look(actor, repository, digest, token)
            if not view.blob and not placed:
                placed = keys.incoming(repository.id, ulid(self._clock()))
                self._objects.put(placed, content, digest)
            transaction = Transaction()
            if token:
                self._close_whole(transaction, token, upload, digest, placed)
            until = self._lease.until(self._clock())
            self._blobs.link(transaction, view, repository, len(content), placed, until, seen)
            transaction.commit()
            return view.blob.s3_key if view.blob else placed

        self._drop_loser(placed_key=lambda: placed, kept=until_won(attempt))

    def _look(
        self, actor: Actor, repository: Repository, digest: Digest, token: UploadToken | None
    ) -> tuple[BlobView, UploadRow | None]:
        batch = Batch()
        view = BlobView(batch, repository.id, digest)
        rights: Rights = self._access.look_again(batch, actor, repository)
        upload: Read[UploadRow] | None = batch.add(UploadRow, keys.upload(token.upload_id)) if token else None
        batch.read()
        rights.check(PUSH)
        return view, upload.row if upload else None

    def _close_whole(
        self,
        transaction: Transaction,
        token: UploadToken,
        stored: UploadRow | None,
        digest: Digest,
        s3_key: str,
    ) -> None:
        if stored and (stored.status == CANCELLED or stored.digest not in (None, digest)):
            raise BlobUploadUnknown
        if stored and stored.status == OPEN and stored.offset:
            raise OutOfOrder(stored.offset)
        row = self.new_row(token)
        row.status, row.digest, row.s3_key = CLOSED, digest, s3_key or None
        self._store.put(transaction, row, stored.version if stored else None)

    def _drop_loser(self, placed_key: Callable[[], str], kept: str) -> None:
        """Bytes that came twice are kept once: the copy that nobody names goes at once."""
        if placed_key() and placed_key() != kept:
            self._objects.delete(placed_key())

    def _close(self, row: UploadRow, digest: Digest, content: bytes) -> None:
        """Verifies the digest where the upload has hashed in its algorithm, and writes down what the upload becomes."""
        if digest.algorithm == row.algorithm:
            hasher = hashing.resume(row.algorithm, row.hash_state or b"")
            hasher.update(content)
            if hasher.hexdigest() != digest.hex:
                received = f"{row.algorithm}:{hasher.hexdigest()}"
                raise DigestInvalid(str(digest), f"the {row.offset + len(content)} bytes that came have {received}")
        if content:
            self._append(row, content, is_new=False)
        row.status, row.digest = CLOSED, digest
        row.s3_key = row.s3_key or row.tail_key or keys.incoming(row.repository_id, ulid(self._clock()))
        try:
            self._put(row, is_new=False)
        except LostRace:
            raise BlobUploadUnknown from None

    def finish(self, actor: Actor, repository: Repository, row: UploadRow, digest: Digest) -> None:
        """Joins the bytes of a closed upload and links them; done again, it changes nothing."""
        s3_key = row.s3_key or ""

        def attempt() -> bool:
            view, _ = self._look(actor, repository, digest, None)
            is_ours = view.blob is None or view.blob.s3_key == s3_key
            if view.link and is_ours:
                return True
            content = self._join(row, s3_key) if is_ours or digest.algorithm != row.algorithm else None
            if digest.algorithm != row.algorithm:
                self._verify(s3_key, digest)
            seen = _sniff(content) if content is not None else None
            until = self._lease.until(self._clock())
            transaction = Transaction()
            self._blobs.link(transaction, view, repository, row.offset, s3_key, until, seen)
            transaction.commit()
            return is_ours

        if not until_won(attempt):
            self._drop(row)

    def _drop(self, row: UploadRow) -> None:
        """Forgets the bytes of an upload whose blob lies somewhere else."""
        if row.multipart_id and row.s3_key:
            self._objects.abort_parts(row.s3_key, row.multipart_id)
        for s3_key in {row.s3_key, row.tail_key} - {None}:
            self._objects.delete(s3_key or "")

    def _join(self, row: UploadRow, s3_key: str) -> bytes | None:
        """Makes one object of the upload's bytes, and gives them where they are few."""
        if row.multipart_id is None:
            if row.tail_key is None:
                self._objects.put(s3_key, b"", Digest.of(b""))
            return self._objects.get(s3_key)
        parts = [(part.number, part.etag) for part in self._store.parts(row.pk.removeprefix("UP#"))]
        if row.tail_key and not self._objects.exists(s3_key):
            number, tail = row.parts + 1, self._objects.get(row.tail_key)
            parts.append((number, self._objects.put_part(s3_key, row.multipart_id, number, tail)))
        self._objects.finish_parts(s3_key, row.multipart_id, parts)
        if row.tail_key:
            self._objects.delete(row.tail_key)
        return None

    def _verify(self, s3_key: str, digest: Digest) -> None:
        """Hashes stored bytes whose upload was hashed in another algorithm."""
        hasher = hashing.begin(digest.algorithm)
        for content in self._objects.read(s3_key):
            hasher.update(content)
        if hasher.hexdigest() != digest.hex:
            self._objects.delete(s3_key)
            raise DigestInvalid(str(digest), f"the bytes that came have {digest.algorithm}:{hasher.hexdigest()}")


def _check_open(row: UploadRow | None) -> None:
    if row is not None and row.status != OPEN:
        raise BlobUploadUnknown


def _check_chunk(chunk: Chunk | None, offset: int, received: int) -> None:
    """https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks"""
    if chunk is None:
        return
    if chunk.first != offset:
        raise OutOfOrder(offset)
    if chunk.size != received:
        raise SizeInvalid(chunk.size, received)


def _sniff(content: bytes) -> Sniffed:
    return Sniffed(config_expiry(content) if EXPIRES_AFTER.encode() in content else None)
