"""Opens uploads: who may send bytes into a repository, for which upload, and whether the namespace has room for them.

Bytes are counted when they become a blob, and only then is the quota exact. It is asked before, so that nobody sends
gigabytes for nothing. As no digest is known yet, bytes that the namespace already has need room too, unless a pusher
says the digest.
"""

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUploadUnknown, Unauthenticated
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import PUSH, TO_CLOSE_UPLOAD, TO_PUSH, Actor
from chalicelib.domain.repositories import Repository
from chalicelib.domain.uploads import UploadToken
from chalicelib.services.accounts.quotas import ask_room
from chalicelib.services.registry.repositories import Repositories
from chalicelib.services.security.access import Access
from chalicelib.services.security.upload_tokens import UploadTokens
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.registry.blobs import LinkableBlob
from chalicelib.storage.registry.uploads import UploadRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch


class UploadOpening:
    """Opens uploads for their requests."""

    def __init__(self, access: Access, stores: Stores, tokens: UploadTokens, repositories: Repositories) -> None:
        self._access, self._accounts, self._tokens = access, stores.accounts, tokens
        self._repositories = repositories

    def room_to_begin(self, actor: Actor, name: RepositoryName) -> int | None:
        """Returns how many bytes a new upload may have, None without a quota that rejects.

        Reads nothing unless the actor's token says that there is such a quota. Raises Unauthenticated, QuotaExceeded.
        """
        grant = self._access.granted(actor, name, TO_PUSH)
        if not grant.is_limited or grant.namespace_id is None:
            return None
        return ask_room(self._accounts.namespace(grant.namespace_id), 1)

    def token(self, actor: Actor, name: RepositoryName, text: str) -> tuple[Repository, UploadToken]:
        """Returns the repository and the verified token of an upload. Raises BlobUploadUnknown if they do not match.

        The repository of a begun upload need not exist yet.
        """
        repository, token, _ = self._opened(actor, name, text, None)
        return repository, token

    def for_bytes(
        self, actor: Actor, name: RepositoryName, text: str, digest: Digest | None = None
    ) -> tuple[Repository, UploadToken]:
        """Does the same for a request that brings bytes: a repository that only an upload has begun is created.

        With a digest, to make the upload that blob, the long token of this very upload is enough. Raises Denied, too.
        """
        repository, token, is_there = self._opened(actor, name, text, digest)
        if not is_there and self._repositories.for_push(actor, name).id != token.repository_id:
            raise BlobUploadUnknown
        return repository, token

    def _opened(
        self, actor: Actor, name: RepositoryName, text: str, digest: Digest | None
    ) -> tuple[Repository, UploadToken, bool]:
        grant = self._access.granted(actor, name, TO_CLOSE_UPLOAD if actor.upload and digest else TO_PUSH)
        token = self._tokens.verify(text)
        if digest and actor.upload and not actor.upload.covers(token.upload_id, digest):
            raise Unauthenticated("this token ends another upload: get one that may push", "insufficient_scope")
        repository = self._access.known(grant, name)
        begun = None if repository else self._repositories.begun(grant, name)
        if repository is None and begun is None:
            # The first bytes of another upload may have created it since it was looked for.
            repository = self._access.known(grant, name)
        identifier = repository.id if repository else begun
        if identifier != token.repository_id:
            raise BlobUploadUnknown
        found = repository or Repository(token.repository_id, grant.namespace_id or "", name)
        return found, token, repository is not None

    def row(self, actor: Actor, repository: Repository, token: UploadToken) -> UploadRow | None:
        """Returns the row of an upload if the actor may still push. Raises Denied, NameUnknown."""
        return self._read(Batch(), actor, repository, token)[0]

    def row_with_room(
        self, actor: Actor, repository: Repository, token: UploadToken, blob: tuple[Digest, int] | None = None
    ) -> tuple[UploadRow | None, int | None]:
        """Returns the row in the same way, and how many bytes the upload may have, None without a limit.

        `blob` is the digest and size of the upload's blob, if its pusher says them. Raises QuotaExceeded, too.
        """
        batch = Batch()
        view = LinkableBlob(batch, repository, blob[0]) if blob else None
        row, namespace = self._read(batch, actor, repository, token)
        added = view.added(blob[1]) if view and blob else (row.offset if row else 0) + 1
        return row, ask_room(namespace, added)

    def _read(
        self, batch: Batch, actor: Actor, repository: Repository, token: UploadToken
    ) -> tuple[UploadRow | None, NamespaceRow | None]:
        """Reads a batch together with an upload and the rights of the actor, which it checks."""
        rights = self._access.recheck(batch, actor, repository)
        read = batch.add(UploadRow, keys.upload(token.upload_id))
        batch.read()
        rights.check(PUSH)
        return read.row, rights.namespace
