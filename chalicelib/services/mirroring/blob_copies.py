"""Copies blobs from another registry into a repository, four at once, each as one stream that can be resumed.

A digest that upstream names proves nothing: a blob that other repositories have is linked only where the mirror's
robot could mount it. Else upstream has to send its bytes, or it would open other people's layers.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import DigestInvalid
from chalicelib.domain.errors.upstreams import UpstreamLied, UpstreamUnreachable
from chalicelib.domain.manifests import Descriptor
from chalicelib.domain.mirror_runs import RENEW_S
from chalicelib.domain.permissions import Actor
from chalicelib.domain.repositories import Repository
from chalicelib.domain.uploads import MANY, MEBIBYTE, UploadBody, UploadToken
from chalicelib.remote.registries import RegistryClient
from chalicelib.services.mirroring.pulse import Pulse
from chalicelib.services.registry.blobs import Blobs
from chalicelib.services.registry.uploads import Uploads
from chalicelib.services.security.upload_tokens import UploadTokens
from chalicelib.storage.mirroring.runs import MirroredBlobRow
from chalicelib.storage.registry.blobs import BlobView
from chalicelib.storage.registry.uploads import UploadStatus
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch
from chalicelib.telemetry import same_line

AT_ONCE = 4
# Blobs up to this size are stored at once, larger ones in parts of it: four of them are in memory.
PART = 8 * MEBIBYTE
# S3 takes 10,000 parts, and the last ones are needed for the rest.
MOST_PARTS = 9_900
WAIT_S = 2.0


@dataclass(frozen=True, slots=True)
class CopyJob:
    """A worker's job: from where to where it copies in which run, and as whom.

    `is_alone` says that no other worker can be fetching the same blob.
    """

    registry: RegistryClient
    repository: Repository
    actor: Actor
    run: str
    worker: str
    pulse: Pulse
    is_alone: bool = False


class BlobCopies:
    """Copies blobs."""

    def __init__(self, stores: Stores, blobs: Blobs, uploads: Uploads, tokens: UploadTokens) -> None:
        self._stores, self._blobs, self._uploads, self._tokens = stores, blobs, uploads, tokens
        self._runs, self._clock, self._sleep = stores.mirror_runs, stores.clock, time.sleep

    def copy(self, job: CopyJob, descriptors: Iterable[Descriptor]) -> None:
        """Copies those blobs that the repository does not have.

        Raises UpstreamFailed, Denied, QuotaExceeded, and what the pulse raises.
        """
        wanted = {one.digest: one for one in descriptors}
        missing = [wanted[digest] for digest in self._missing(job, list(wanted))]
        pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="blob", initializer=same_line())
        try:
            for _ in pool.map(lambda one: self._copy(job, one), missing):
                job.pulse()
        finally:
            pool.shutdown(cancel_futures=True)

    def _missing(self, job: CopyJob, digests: Sequence[Digest]) -> list[Digest]:
        batch = Batch()
        views = [BlobView(batch, job.repository.id, digest) for digest in digests]
        if views:
            batch.read()
        return [view.digest for view in views if view.is_gone]

    def _copy(self, job: CopyJob, wanted: Descriptor) -> None:
        job.pulse()
        if self._blobs.mount(job.actor, job.repository, wanted.digest, None):
            return
        is_small = wanted.size is not None and wanted.size <= PART
        if is_small and job.is_alone:
            self._copy_whole(job, wanted, lambda: None)
            return
        claimed = self._claimed(job, wanted.digest)
        if claimed is None:
            return
        try:
            if is_small:
                self._copy_whole(job, wanted, self._renewing(claimed))
            else:
                self._copy_in_parts(job, wanted, claimed)
        finally:
            self._runs.release_blob(claimed)

    def _claimed(self, job: CopyJob, digest: Digest) -> MirroredBlobRow | None:
        """Returns a blob that nobody else fetches now; None once somebody else has fetched it."""
        while True:
            claimed = self._runs.claim_blob(job.run, digest, job.worker, int(self._clock()))
            if claimed is not None:
                return claimed
            self._sleep(WAIT_S)
            job.pulse()
            if not self._missing(job, [digest]):
                return None

    def _renewing(self, claimed: MirroredBlobRow) -> Callable[[], None]:
        """Returns what keeps a claim while bytes come; the pulse keeps only that of the tag."""
        renewed = self._clock()

        def renew() -> None:
            nonlocal renewed
            now = self._clock()
            if now - renewed >= RENEW_S:
                renewed = now
                self._runs.renew_blob(claimed, int(now))

        return renew

    def _copy_whole(self, job: CopyJob, wanted: Descriptor, renew: Callable[[], None]) -> None:
        content = bytearray()
        with job.registry.blob(wanted.digest) as blob:
            for chunk in blob.chunks():
                job.pulse(len(chunk))
                renew()
                content += chunk
                if len(content) > PART:
                    raise UpstreamLied(f"blob {wanted.digest} has more bytes than its manifest says")
        _verified(wanted, lambda: self._uploads.push(job.actor, job.repository.name, wanted.digest, bytes(content)))

    def _copy_in_parts(self, job: CopyJob, wanted: Descriptor, claimed: MirroredBlobRow) -> None:
        """Copies a blob in the rows and parts of an ordinary upload, which the next worker continues."""
        token, offset, renew = *self._begun(job, wanted, claimed), self._renewing(claimed)
        size, name = max(PART, -(-(wanted.size or 0) // MOST_PARTS)), job.repository.name
        buffer = bytearray()
        with job.registry.blob(wanted.digest, offset) as blob:
            skipped = offset - blob.offset
            if skipped < 0:
                raise UpstreamUnreachable(f"upstream sends another part of blob {wanted.digest} than was asked for")
            for chunk in blob.chunks():
                job.pulse(len(chunk))
                renew()
                kept, skipped = chunk[skipped:], max(skipped - len(chunk), 0)
                buffer += kept
                if len(buffer) >= size:
                    body = UploadBody(bytes(buffer[:size]))
                    token = self._uploads.append(job.actor, name, token, body).token
                    del buffer[:size]
        try:
            _verified(
                wanted,
                lambda: self._uploads.close(job.actor, name, token, wanted.digest, UploadBody(bytes(buffer))),
            )
        except UpstreamLied:
            # Nobody shall go on with bytes that are not the blob's.
            self._runs.keep_upload(claimed, "")
            self._uploads.cancel(job.actor, name, token)
            raise

    def _begun(self, job: CopyJob, wanted: Descriptor, claimed: MirroredBlobRow) -> tuple[str, int]:
        """Returns the token of the blob's upload and how many bytes it has: that of an earlier worker, or a new one."""
        algorithm = wanted.digest.algorithm
        row = self._stores.uploads.get(claimed.upload_id) if claimed.upload_id else None
        if row is not None and row.status == UploadStatus.OPEN and row.algorithm == algorithm:
            token = UploadToken(row.upload_id, job.repository.id, 0, algorithm, MANY)
            return self._tokens.following(token, row.offset), row.offset
        begun = self._uploads.begin(job.actor, job.repository.name, algorithm)
        self._runs.keep_upload(claimed, begun.upload_id)
        return begun.token, 0


def _verified(wanted: Descriptor, store: Callable[[], None]) -> None:
    """Stores bytes. Raises UpstreamLied if they do not have their digest."""
    try:
        store()
    except DigestInvalid:
        raise UpstreamLied(f"upstream sends other bytes than those of blob {wanted.digest}") from None
