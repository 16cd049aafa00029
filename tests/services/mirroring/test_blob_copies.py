"""Blobs are fetched as streams that can be resumed, and no digest opens what is somebody else's."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.mirror_runs import TagOutcome
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName
from chalicelib.storage import keys
from chalicelib.storage.mirroring.runs import MirroredBlobRow
from chalicelib.storage.table import get
from tests.support.builders import a_blob
from tests.support.mirror_runs import MirrorRunner, a_mirror_of
from tests.support.upstream import Upstream, cut, on, once

NAME = RepositoryName.parse("admin/app")


def test_a_digest_is_no_proof(upstream: Upstream, runner: MirrorRunner) -> None:
    """Upstream names a layer of somebody's private repository and does not have its bytes."""
    backend = runner.backend
    secret = b"somebody's private layer"
    backend.user("bob")
    a_blob(backend, secret, repository="bob/private")
    image = upstream.add_image("stolen", layers=(secret,))
    del upstream.blobs[str(Digest.of(secret))]
    repository = a_mirror_of(upstream, backend)

    run = runner.sync(repository)

    assert (run.status, run.failed) == (SyncStatus.FAIL, 1)
    assert backend.services.stores.blobs.view(repository.id, Digest.of(secret)).link is None
    assert image not in runner.tags(repository).values()


def test_bytes_that_are_not_their_digest_are_refused(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("latest", layers=(b"layer",))
    upstream.blobs[str(Digest.of(b"layer"))] = b"liar!"
    repository = a_mirror_of(upstream, runner.backend)

    run = runner.sync(repository)

    assert run.failed == 1
    assert "other bytes" in run.reason
    assert runner.tags(repository) == {}


def test_a_large_blob_is_resumed_after_the_connection_was_cut(
    upstream: Upstream, runner: MirrorRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.services.mirroring import blob_copies

    monkeypatch.setattr(blob_copies, "PART", 5 * 1024 * 1024)
    layer = bytes(range(256)) * (13 * 4096)
    upstream.add_image("latest", layers=(layer,))
    digest = str(Digest.of(layer))
    upstream.fault = once(on(digest, cut(layer, 7 * 1024 * 1024)))
    repository = a_mirror_of(upstream, runner.backend)

    first = runner.sync(repository)
    assert first.failed == 1
    runner.backend.services.mirroring.runs.request(runner.backend.signed_in("admin"), NAME)
    runner.drain()

    assert runner.last(repository).status is SyncStatus.SUCCESS
    view = runner.backend.services.stores.blobs.view(repository.id, Digest.of(layer))
    assert runner.backend.services.stores.objects.get(view.blob.s3_key) == layer


def test_a_worker_without_time_hands_a_blob_over_to_the_next(
    upstream: Upstream, runner: MirrorRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.services.mirroring import blob_copies

    monkeypatch.setattr(blob_copies, "PART", 5 * 1024 * 1024)
    layer = bytes(range(256)) * (26 * 4096)
    upstream.add_image("latest", layers=(layer,))
    repository = a_mirror_of(upstream, runner.backend, patterns=("latest",))
    runner.backend.services.mirroring.runs.request(runner.backend.signed_in("admin"), NAME)
    runner.backend.services.mirroring.workers.work(runner.queues.waiting.popleft(), lambda: 900.0)

    def left_s() -> float:
        stores = runner.backend.services.stores
        claimed = get(MirroredBlobRow, keys.mirrored_blob(runner.last(repository).id, Digest.of(layer)))
        upload = stores.uploads.get(claimed.upload_id) if claimed and claimed.upload_id else None
        return 0.0 if upload and upload.offset > 10_000_000 else 900.0

    runner.backend.services.mirroring.workers.work(runner.queues.waiting.popleft(), left_s)
    (tag,) = runner.backend.services.stores.mirror_runs.tags(runner.last(repository).id)
    assert (tag.outcome, tag.tries) == (TagOutcome.WAITING, 0)

    runner.drain()

    assert runner.last(repository).status is SyncStatus.SUCCESS
    ranges = [headers["range"] for line, headers in upstream.server.asked if "range" in headers]
    assert len(ranges) == 1
    assert int(ranges[0].removeprefix("bytes=").removesuffix("-")) % (5 * 1024 * 1024) == 0
