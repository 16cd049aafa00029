"""A client that uploads, and what uploads leave in the bucket."""

from collections.abc import Sequence

from chalicelib.domain.digests import Digest
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.uploads import Chunk, UploadBody
from chalicelib.storage import keys
from chalicelib.storage.registry.uploads import UploadRow
from chalicelib.storage.table import get
from tests.support.backends import Backend
from tests.support.builders import a_repository, token_actor
from tests.support.rows import object_keys, open_multiparts, repository_of, rows_like

APP = "admin/app"


class Client:
    """A client that uploads into a repository and keeps the newest token."""

    def __init__(self, backend: Backend, repository: str = APP, algorithm: str = "sha256") -> None:
        self.backend, self.name = backend, RepositoryName.parse(repository)
        a_repository(backend, repository)
        self.actor = token_actor(backend, self.name.namespace, repository)
        begun = backend.services.registry.uploads.begin(self.actor, self.name, algorithm)
        self.token, self.upload_id = begun.token, begun.upload_id

    def append(self, content: bytes, first: int | None = None) -> int:
        chunk = None if first is None else Chunk(first, first + len(content) - 1)
        progress = self.backend.services.registry.uploads.append(
            self.actor, self.name, self.token, UploadBody(content, chunk)
        )
        self.token = progress.token
        return progress.offset

    def status(self) -> int:
        return self.backend.services.registry.uploads.status(self.actor, self.name, self.token).offset

    def close(self, digest: Digest, content: bytes = b"", chunk: Chunk | None = None) -> None:
        self.backend.services.registry.uploads.close(
            self.actor, self.name, self.token, digest, UploadBody(content, chunk)
        )

    def cancel(self) -> None:
        self.backend.services.registry.uploads.cancel(self.actor, self.name, self.token)

    @property
    def row(self) -> UploadRow | None:
        return get(UploadRow, keys.upload(self.upload_id))

    @property
    def part_sizes(self) -> list[int]:
        return [row["size"] for row in rows_like(self.backend, f"UP#{self.upload_id}", "PART#")]


def pulled(backend: Backend, digest: Digest, repository: str = APP) -> bytes:
    name = RepositoryName.parse(repository)
    location = backend.services.registry.blobs.find(token_actor(backend, name.namespace, repository), name, digest)
    return backend.services.stores.objects.get(location.s3_key)


def upload(backend: Backend, chunks: Sequence[bytes], last: bytes = b"", algorithm: str = "sha256") -> Client:
    """Uploads chunks and closes the upload with its last bytes, by a digest of this algorithm."""
    client = Client(backend)
    for chunk in chunks:
        client.append(chunk)
    client.close(Digest.of(b"".join(chunks) + last, algorithm), last)
    return client


def remaining_keys(backend: Backend, repository: str = APP) -> set[str]:
    """Returns the keys of a repository in the bucket that no blob has."""
    named = {row["s3_key"] for row in rows_like(backend, "BLOB#", "META")}
    prefix = f"in/{repository_of(backend, repository).id}/"
    return set(object_keys(backend, prefix)) - named | set(open_multiparts(backend, prefix))
