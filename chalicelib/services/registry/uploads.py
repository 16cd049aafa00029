"""Uploads of blobs, in one request or in chunks.

A blob is visible once its digest has been verified over exactly its bytes: here by hashing, in S3 by a checksum. An
upload in chunks is closed, with its digest and key written, before its bytes are joined and linked, so that after a
crash at any point the same request completes it.
"""

from contextlib import suppress
from dataclasses import dataclass

from chalicelib.domain import hashing
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUploadUnknown, DigestInvalid, NameUnknown, OutOfOrder
from chalicelib.domain.expiry_labels import EXPIRES_AFTER, Lifetime, of_config
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import PUSH, TO_PUSH, Actor
from chalicelib.domain.repositories import Repository
from chalicelib.domain.uploads import MANY, SMALLEST_PART, UploadBody, UploadToken
from chalicelib.services.accounts.quotas import check_room
from chalicelib.services.registry.repositories import Repositories
from chalicelib.services.registry.upload_hashes import hasher_of, keep_state
from chalicelib.services.registry.upload_opening import UploadOpening
from chalicelib.services.security.access import Access
from chalicelib.services.security.upload_tokens import UploadTokens
from chalicelib.services.security.write_access import WriteAccess
from chalicelib.storage import bucket_keys, keys
from chalicelib.storage.objects import ObjectGone
from chalicelib.storage.registry.blobs import FenceRow, LinkableBlob, StoredContent
from chalicelib.storage.registry.uploads import UploadRow, UploadStatus
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, Read, Transaction, WriteConflict, absent, retry_on_conflict


@dataclass(frozen=True, slots=True)
class UploadProgress:
    """How far an upload is. `token` is signed for the next request; `offset` is in bytes."""

    token: str
    upload_id: str
    offset: int


@dataclass(frozen=True, slots=True)
class _ClosedBlob:
    """The blob that an upload becomes. `size` is in bytes; `upload_id` and `s3_key` are empty where there is none."""

    digest: Digest
    size: int
    upload_id: str = ""
    s3_key: str = ""


class Uploads:
    """Uploads into repositories."""

    def __init__(self, access: Access, stores: Stores, repositories: Repositories, tokens: UploadTokens) -> None:
        self._access, self._repositories, self._blobs = access, repositories, stores.blobs
        self._store, self._objects = stores.uploads, stores.objects
        self.opening = UploadOpening(access, stores, tokens, repositories)
        self._tokens, self._lease, self._clock = tokens, stores.lease, stores.clock

    def begin(
        self, actor: Actor, name: RepositoryName, algorithm: str = "sha256", *, creates: bool = True
    ) -> UploadProgress:
        """Begins an upload; creates the repository if needed, or leaves that to the first bytes unless it `creates`.

        Raises QuotaExceeded if the namespace is full, and as `Repositories.for_push` does.
        """
        room = self.opening.room_to_begin(actor, name)
        repositories = self._repositories
        repository = repositories.for_push(actor, name) if creates else repositories.for_upload(actor, name)
        token, upload_id = self._tokens.begin(repository.id, algorithm, room)
        return UploadProgress(token, upload_id, 0)

    def progress(self, token: UploadToken, offset: int) -> UploadProgress:
        """Returns the progress after a chunk; its token has a whole life again, and takes only chunks."""
        return UploadProgress(self._tokens.following(token, offset), token.upload_id, offset)

    def status(self, actor: Actor, name: RepositoryName, text: str) -> UploadProgress:
        """Returns how far an upload is. Raises BlobUploadUnknown."""
        _, token = self.opening.token(actor, name, text)
        row = self._store.get(token.upload_id)
        _check_open(row)
        # The first token would still let the upload edge write; after the first bytes, only chunks may follow.
        return self.progress(token, row.offset) if row and row.offset else UploadProgress(text, token.upload_id, 0)

    def cancel(self, actor: Actor, name: RepositoryName, text: str) -> None:
        """Cancels an upload and deletes its bytes. Raises BlobUploadUnknown, Denied."""
        repository, token = self.opening.token(actor, name, text)

        def attempt() -> UploadRow:
            stored = self.opening.row(actor, repository, token)
            if stored is not None and stored.status != UploadStatus.PRESIGNED:
                _check_open(stored)
            row = stored or self.new_row(token)
            row.status = UploadStatus.CANCELLED
            self.keep(row, is_new=stored is None)
            return row

        # A repository that no bytes have created yet has none to delete.
        with suppress(NameUnknown):
            self._drop(retry_on_conflict(attempt))

    def append(self, actor: Actor, name: RepositoryName, text: str, body: UploadBody) -> UploadProgress:
        """Appends a chunk. Raises OutOfOrder, SizeInvalid, BlobUploadUnknown, Denied."""
        repository, token = self.opening.for_bytes(actor, name, text)
        stored = self.opening.row(actor, repository, token)
        _check_open(stored)
        row = stored or self.new_row(token)
        body.check(row.offset, token.offset)
        if body.content:
            try:
                self._write(row, body.content, is_new=stored is None)
            except WriteConflict:
                current = self._store.get(token.upload_id)
                raise OutOfOrder(current.offset if current else 0) from None
        return self.progress(token, row.offset)

    def _write(self, row: UploadRow, content: bytes, *, is_new: bool) -> None:
        """Stores bytes, and the row that names them. Raises WriteConflict."""
        transaction, old_tail = Transaction(), row.tail_key
        if content:
            self._store_bytes(transaction, row, content)
        try:
            self.keep(row, is_new=is_new, transaction=transaction)
        except WriteConflict:
            if row.tail_key and row.tail_key != old_tail:
                self._objects.delete(row.tail_key)
            raise
        if old_tail and old_tail != row.tail_key:
            self._objects.delete(old_tail)

    def _store_bytes(self, transaction: Transaction, row: UploadRow, content: bytes) -> None:
        for algorithm in hashing.ALGORITHMS:
            if hasher := hasher_of(row, algorithm):
                hasher.update(content)
                keep_state(row, algorithm, hasher.state())
        row.offset += len(content)
        unstored = (self._objects.get(row.tail_key) if row.tail_key else b"") + content
        if len(unstored) < SMALLEST_PART:
            # These are too few for a part: they stay in an object of their own, which is the blob if nothing follows.
            row.tail_key, row.tail_size = bucket_keys.incoming(row.repository_id, ulid(self._clock())), len(unstored)
            self._objects.put(row.tail_key, unstored, Digest.of(unstored))
            return
        self._begin_parts(row)
        row.parts, row.tail_key, row.tail_size = row.parts + 1, None, 0
        etag = self._objects.put_part(row.s3_key or "", row.multipart_id or "", row.parts, unstored)
        self._store.put_part(transaction, row, row.parts, etag, len(unstored))

    def _begin_parts(self, row: UploadRow) -> None:
        if row.multipart_id is None:
            row.s3_key = bucket_keys.incoming(row.repository_id, ulid(self._clock()))
            row.multipart_id = self._objects.begin_parts(row.s3_key)

    def prepare_parts(self, row: UploadRow, *, is_new: bool) -> None:
        """Begins S3's multipart upload, and writes the row that names it. Raises OutOfOrder in a race."""
        if row.multipart_id is not None:
            return
        self._begin_parts(row)
        try:
            self.keep(row, is_new=is_new)
        except WriteConflict:
            self._abort(row)
            raise OutOfOrder(row.offset) from None

    def new_row(self, token: UploadToken) -> UploadRow:
        """Returns the row of an upload without bytes; it is hashed in both algorithms, as either may close it."""
        row = UploadRow.under(
            keys.upload(token.upload_id), repository_id=token.repository_id, algorithm=token.algorithm
        )
        for algorithm in hashing.ALGORITHMS:
            keep_state(row, algorithm, hashing.begin(algorithm).state())
        return row

    def keep(self, row: UploadRow, *, is_new: bool, transaction: Transaction | None = None) -> None:
        """Writes a row, which stays while any token of it is valid, plus a lease. Raises WriteConflict."""
        transaction = transaction or Transaction()
        self._store.keep(transaction, row, self._until())
        self._store.put(transaction, row, None if is_new else row.version)
        transaction.commit()

    def _until(self) -> int:
        return int(self._clock()) + self._tokens.longest_s + self._lease.seconds

    def push(self, actor: Actor, name: RepositoryName, digest: Digest, content: bytes) -> None:
        """Pushes a blob in one request, without an upload. Raises DigestInvalid."""
        self._access.granted(actor, name, TO_PUSH)
        _check_digest(digest, content)
        repository = self._repositories.for_push(actor, name)
        self._push_whole(actor, repository, digest, content, None)

    def close(self, actor: Actor, name: RepositoryName, text: str, digest: Digest, body: UploadBody) -> None:
        """Makes an upload, with the last bytes in the body, the blob of that digest; it may be repeated.

        Raises DigestInvalid, OutOfOrder, SizeInvalid, BlobUploadUnknown.
        """
        repository, token = self.opening.for_bytes(actor, name, text, digest)

        def attempt() -> UploadRow | None:
            row = self.opening.row(actor, repository, token)
            if row is not None and row.status == UploadStatus.OPEN:
                body.check(row.offset, token.offset)
                self._close(row, digest, body.content)
            return row

        # A token that saw no chunk, with bytes in the request, needs no read of the upload: the close itself checks.
        row = None if token.kind != MANY and body.content else retry_on_conflict(attempt)
        if row is None:
            body.check(0, token.offset)
            _check_digest(digest, body.content)
            self._push_whole(actor, repository, digest, body.content, token)
            return
        if row.status not in (UploadStatus.CLOSED, UploadStatus.LINKED) or row.digest != digest:
            raise BlobUploadUnknown
        self.finish(actor, repository, row, digest)

    def _push_whole(
        self, actor: Actor, repository: Repository, digest: Digest, content: bytes, token: UploadToken | None
    ) -> None:
        """Links the whole content of a blob, whose digest was checked."""
        labels = _labels_in(content)
        new_key = ""

        def attempt() -> str:
            nonlocal new_key
            wanted = _ClosedBlob(digest, len(content), token.upload_id if token else "")
            view, upload, _ = self._read(actor, repository, wanted)
            if not view.blob and not new_key:
                new_key = bucket_keys.incoming(repository.id, ulid(self._clock()))
                self._objects.put(new_key, content, digest)
            s3_key = view.blob.s3_key if view.blob else new_key
            transaction = Transaction()
            if token:
                self._close_whole(transaction, token, upload, (digest, s3_key, len(content)))
            until = self._lease.until(self._clock())
            self._blobs.link(transaction, view, repository, StoredContent(len(content), s3_key, labels), until)
            transaction.commit()
            return s3_key

        linked_key = retry_on_conflict(attempt)
        # Somebody else has pushed the same bytes meanwhile: the copy that no blob names is deleted at once.
        if new_key and new_key != linked_key:
            self._objects.delete(new_key)

    def _read(
        self, actor: Actor, repository: Repository, wanted: _ClosedBlob
    ) -> tuple[LinkableBlob, UploadRow | None, FenceRow | None]:
        """Reads a blob, its upload and the fence of its key in one batch; checks the right to push and the quota."""
        batch, upload_id, s3_key = Batch(), wanted.upload_id, wanted.s3_key
        view = LinkableBlob(batch, repository, wanted.digest)
        rights: WriteAccess = self._access.recheck(batch, actor, repository)
        upload: Read[UploadRow] | None = batch.add(UploadRow, keys.upload(upload_id)) if upload_id else None
        fence: Read[FenceRow] | None = batch.add(FenceRow, keys.fence(s3_key)) if s3_key else None
        batch.read()
        rights.check(PUSH)
        if view.stored_link is None:
            view.room = check_room(rights.namespace, view.added(wanted.size), self._clock(), view.is_counted)
        return view, upload.row if upload else None, fence.row if fence else None

    def _close_whole(
        self,
        transaction: Transaction,
        token: UploadToken,
        stored: UploadRow | None,
        blob: tuple[Digest, str, int],
    ) -> None:
        """Closes an upload whose bytes came in one request, in the transaction that links them."""
        row = self.new_row(token)
        row.digest, row.s3_key, row.offset = blob
        if stored and stored.status == UploadStatus.OPEN and stored.offset:
            raise OutOfOrder(stored.offset)
        if (
            stored
            and stored.status != UploadStatus.OPEN
            and (stored.status != UploadStatus.LINKED or stored.digest != row.digest)
        ):
            raise BlobUploadUnknown
        row.status, row.expires_at = UploadStatus.LINKED, self._until()
        self._store.put(transaction, row, stored.version if stored else None)

    def _close(self, row: UploadRow, digest: Digest, content: bytes) -> None:
        """Stores the last bytes, and the digest and key of the upload's blob. Raises DigestInvalid, WriteConflict."""
        if hasher := hasher_of(row, digest.algorithm):
            hasher.update(content)
            if hasher.hexdigest() != digest.hex:
                received = f"{digest.algorithm}:{hasher.hexdigest()}"
                raise DigestInvalid(str(digest), f"the {row.offset + len(content)} bytes that came have {received}")
        transaction, old_tail = Transaction(), row.tail_key
        if content:
            self._store_bytes(transaction, row, content)
        row.status, row.digest = UploadStatus.CLOSED, digest
        row.s3_key = row.s3_key or row.tail_key or bucket_keys.incoming(row.repository_id, ulid(self._clock()))
        self.keep(row, is_new=False, transaction=transaction)
        if old_tail and old_tail != row.tail_key:
            self._objects.delete(old_tail)

    def finish(self, actor: Actor, repository: Repository, closed: UploadRow, digest: Digest) -> None:
        """Joins the bytes of a closed upload and links them; if it is repeated, it renews the link.

        Raises BlobUploadUnknown if the bytes have been deleted meanwhile.
        """
        s3_key = closed.s3_key or ""

        def attempt() -> bool:
            wanted = _ClosedBlob(digest, closed.offset, closed.upload_id, s3_key)
            view, row, fence = self._read(actor, repository, wanted)
            until = self._lease.until(self._clock())
            if row is None or row.status == UploadStatus.CANCELLED:
                raise BlobUploadUnknown
            if row.status == UploadStatus.LINKED or (view.blob and view.blob.s3_key == s3_key):
                self._renew(view, repository, until)
                return True
            if fence or (view.stored_blob and view.stored_blob.s3_key == s3_key):
                raise BlobUploadUnknown
            is_new, is_proven = view.blob is None, hasher_of(row, digest.algorithm) is not None
            content = self._joined(row, s3_key) if is_new or not is_proven else None
            if not is_proven:
                self._verify(row, s3_key, digest)
            transaction = Transaction()
            transaction.check(FenceRow, keys.fence(s3_key), absent())
            labels = _labels_in(content) if content is not None else None
            self._blobs.link(transaction, view, repository, StoredContent(row.offset, s3_key, labels), until)
            linked = self._store.linked(row, s3_key if is_new else view.blob.s3_key if view.blob else s3_key)
            self._store.put(transaction, linked, row.version)
            transaction.commit()
            return is_new

        try:
            is_kept = retry_on_conflict(attempt)
        except ObjectGone:
            raise BlobUploadUnknown from None
        if not is_kept:
            self._drop(closed)

    def _renew(self, view: LinkableBlob, repository: Repository, until: int) -> None:
        if view.link is None or view.blob is None:
            raise BlobUploadUnknown
        transaction = Transaction()
        self._blobs.link(transaction, view, repository, StoredContent(view.link.size, view.blob.s3_key), until)
        transaction.commit()

    def _drop(self, row: UploadRow) -> None:
        """Deletes the bytes of an upload that became no blob."""
        self._abort(row)
        for s3_key in {row.s3_key, row.tail_key} - {None}:
            self._objects.delete(s3_key or "")

    def _abort(self, row: UploadRow) -> None:
        if row.multipart_id and row.s3_key:
            self._objects.abort_parts(row.s3_key, row.multipart_id)

    def _joined(self, row: UploadRow, s3_key: str) -> bytes | None:
        """Joins the upload's bytes to one object; returns them unless they came in parts. Raises ObjectGone."""
        if row.multipart_id is None:
            if row.tail_key is None:
                self._objects.put(s3_key, b"", Digest.of(b""))
            return self._objects.get(s3_key)
        parts = self._store.whole(row)
        if row.tail_key and not self._objects.exists(s3_key):
            number, tail = row.parts + 1, self._objects.get(row.tail_key)
            parts.append((number, self._objects.put_part(s3_key, row.multipart_id, number, tail)))
        self._objects.finish_parts(s3_key, row.multipart_id, parts)
        if row.tail_key:
            self._objects.delete(row.tail_key)
        return None

    def _verify(self, row: UploadRow, s3_key: str, digest: Digest) -> None:
        """Hashes bytes that a relay hashed only in another algorithm. Cancels the upload and raises DigestInvalid."""
        hasher = hashing.begin(digest.algorithm)
        for content in self._objects.read(s3_key):
            hasher.update(content)
        if hasher.hexdigest() != digest.hex:
            row.status = UploadStatus.CANCELLED
            self.keep(row, is_new=False)
            self._objects.delete(s3_key)
            raise DigestInvalid(str(digest), f"the bytes that came have {digest.algorithm}:{hasher.hexdigest()}")


def _check_open(row: UploadRow | None) -> None:
    if row is not None and row.status != UploadStatus.OPEN:
        raise BlobUploadUnknown


def _check_digest(digest: Digest, content: bytes) -> None:
    if not digest.matches(content):
        raise DigestInvalid(str(digest), f"the {len(content)} bytes that came have {Digest.of(content)}")


def _labels_in(content: bytes) -> Lifetime:
    """Returns what an image's config says of expiration; nothing if the bytes cannot be such a config."""
    return of_config(content) if EXPIRES_AFTER.encode() in content else Lifetime()
