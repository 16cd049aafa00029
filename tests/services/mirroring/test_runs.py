"""Runs of mirrors copy what differs, byte for byte, remove what is gone, and end whatever happens."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import MirrorInvalid, ResourceUnknown
from chalicelib.domain.media_types import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from chalicelib.domain.mirror_runs import RunCause, RunPhase, TagOutcome
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.repositories import Mode, Repository
from chalicelib.storage import keys
from chalicelib.storage.mirroring.runs import MirroredBlobRow
from chalicelib.storage.table import get
from tests.support.backends import Backend
from tests.support.builders import a_blob
from tests.support.fake_server import respond
from tests.support.mirror_builders import a_mirror, mirror_row
from tests.support.mirror_runs import MirrorRunner
from tests.support.rows import due_at, events
from tests.support.upstream import LAYER, Upstream, cut, on, once

NAME = RepositoryName.parse("admin/app")


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream().running() as running:
        yield running


@pytest.fixture
def mirrored(new_backend: Callable[..., Backend]) -> Backend:
    return new_backend(outgoing_allow="127.0.0.0/8")


@pytest.fixture
def runner(mirrored: Backend) -> MirrorRunner:
    return MirrorRunner(mirrored)


def a_mirror_of(
    upstream: Upstream, backend: Backend, patterns: tuple[str, ...] = ("*",), **settings: Any
) -> Repository:
    source = {"reference": upstream.reference, "verify_tls": False}
    return a_mirror(backend, source=source, patterns=patterns, **{"start_at": int(backend.clock()) + 60, **settings})


def body(backend: Backend, repository: Repository, digest: str) -> bytes:
    return backend.services.stores.manifests.get_body(repository.id, Digest.parse(digest))


def test_a_run_copies_images_with_their_blobs_byte_for_byte(upstream: Upstream, runner: MirrorRunner) -> None:
    image = upstream.add_image("latest", "v1", layers=(b"one", b"two" * 1000))
    repository = a_mirror_of(upstream, runner.backend)

    run = runner.sync(repository)

    assert (run.status, run.added, run.failed, run.matched) == (SyncStatus.SUCCESS, 2, 0, 2)
    assert runner.tags(repository) == {"latest": image, "v1": image}
    assert body(runner.backend, repository, image) == upstream.manifests[image][1]
    for digest, content in upstream.blobs.items():
        view = runner.backend.services.stores.blobs.view(repository.id, Digest.parse(digest))
        assert runner.backend.services.stores.objects.get(view.blob.s3_key) == content
    row = mirror_row(repository)
    assert (row.status, row.tries) == (SyncStatus.SUCCESS, 0)
    assert row.next_at == row.start_at


def test_a_second_run_copies_only_what_changed(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("old", layers=(b"a",))
    upstream.add_image("new", layers=(b"b",))
    repository = a_mirror_of(upstream, runner.backend)
    runner.sync(repository)
    changed = upstream.add_image("new", layers=(b"a", b"c"))
    before = upstream.asked

    run = runner.sync(repository)

    assert (run.same, run.changed, run.added) == (1, 1, 0)
    assert runner.tags(repository)["new"] == changed
    asked = upstream.asked - before
    # The layer and the config that are here are not fetched.
    assert asked["GET manifests"] == 1
    assert asked["GET blobs"] == 1


def test_tags_that_are_gone_upstream_go_into_the_time_machine(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("keep")
    gone = upstream.add_image("gone", layers=(b"gone",))
    repository = a_mirror_of(upstream, runner.backend)
    runner.sync(repository)
    del upstream.tags["gone"]

    run = runner.sync(repository)

    assert (run.status, run.removed) == (SyncStatus.SUCCESS, 1)
    assert set(runner.tags(repository)) == {"keep"}
    lives = list(runner.backend.services.stores.tags.lives(repository.id, "gone"))
    assert [(str(life.digest), life.is_cut) for life in lives] == [(gone, True)]


def test_nothing_is_removed_when_nothing_matches(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("v1")
    repository = a_mirror_of(upstream, runner.backend)
    runner.sync(repository)
    upstream.tags.clear()

    run = runner.sync(repository)

    assert (run.status, run.removed) == (SyncStatus.SUCCESS, 0)
    assert "No tags matched" in run.warning
    assert set(runner.tags(repository)) == {"v1"}


def test_nothing_is_removed_when_a_tag_fails(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("a", "b")
    repository = a_mirror_of(upstream, runner.backend)
    runner.sync(repository)
    del upstream.tags["a"]
    upstream.add_image("b", layers=(b"new",))
    missing = str(Digest.of(b"new"))
    del upstream.blobs[missing]

    run = runner.sync(repository)

    assert (run.status, run.failed, run.removed) == (SyncStatus.FAIL, 1, 0)
    assert set(runner.tags(repository)) == {"a", "b"}
    assert "b: " in run.reason


def test_one_bad_tag_fails_alone(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("good")
    upstream.add_manifest(
        {"schemaVersion": 1}, "bad", media_type="application/vnd.docker.distribution.manifest.v1+json"
    )
    repository = a_mirror_of(upstream, runner.backend)

    run = runner.sync(repository)

    assert (run.status, run.added, run.failed) == (SyncStatus.FAIL, 1, 1)
    assert set(runner.tags(repository)) == {"good"}
    (bad,) = [tag for tag in runner.backend.services.stores.mirror_runs.tags(run.id) if tag.tag == "bad"]
    assert bad.outcome is TagOutcome.FAILED
    assert "schema" in bad.reason.lower()


def test_a_failed_run_is_tried_again_after_one_five_and_fifteen_minutes(
    upstream: Upstream, runner: MirrorRunner
) -> None:
    upstream.fault = on("tags/list", lambda handler: respond(handler, b"", 500))
    repository = a_mirror_of(upstream, runner.backend, start_at=0, interval_s=86_400)
    pauses = []
    for _ in range(4):
        runner.timer(repository)
        runner.drain()
        row = mirror_row(repository)
        assert row.status is SyncStatus.FAIL
        pauses.append(row.next_at - int(runner.backend.clock()))
        runner.backend.clock.ahead_s += pauses[-1] + 1
    assert [round(pause, -1) for pause in pauses[:3]] == [60, 300, 900]
    assert pauses[3] > 3600
    assert runner.last(repository).cause is RunCause.RETRY


def test_the_schedule_begins_runs(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("latest")
    repository = a_mirror_of(upstream, runner.backend, interval_s=3600)
    assert runner.timer(repository).at == mirror_row(repository).next_at
    runner.backend.clock.ahead_s += 61

    runner.timer(repository)
    runner.drain()

    row = mirror_row(repository)
    assert (row.status, row.next_at) == (SyncStatus.SUCCESS, row.start_at + 3600)
    assert runner.last(repository).cause is RunCause.SCHEDULE
    assert set(runner.tags(repository)) == {"latest"}


def test_an_index_is_copied_with_its_images(upstream: Upstream, runner: MirrorRunner) -> None:
    images = {arch: upstream.add_image(layers=(arch.encode(),), architecture=arch) for arch in ("amd64", "arm64")}
    index = upstream.add_index("latest", images=images)
    repository = a_mirror_of(upstream, runner.backend)

    run = runner.sync(repository)

    assert run.status is SyncStatus.SUCCESS, run.reason
    for digest in (index, *images.values()):
        assert body(runner.backend, repository, digest) == upstream.manifests[digest][1]


def test_only_chosen_architectures_are_copied_and_the_index_stays_whole(
    upstream: Upstream, runner: MirrorRunner
) -> None:
    images = {arch: upstream.add_image(layers=(arch.encode(),), architecture=arch) for arch in ("amd64", "arm64")}
    attestation = upstream.add_image(layers=(b"attestation",), architecture="unknown")
    entries = json.loads(upstream.manifests[upstream.add_index(images=images)][1])["manifests"]
    about = {"vnd.docker.reference.digest": images["amd64"]}
    entries.append({**entries[0], "digest": attestation, "size": len(upstream.manifests[attestation][1]),
                    "platform": {"architecture": "unknown", "os": "unknown"}, "annotations": about})  # fmt: skip
    index = upstream.add_manifest({"manifests": entries}, "latest", media_type=OCI_INDEX)
    upstream.add_image("other", architecture="s390x")
    upstream.add_index("none", images={"arm64": images["arm64"]})
    repository = a_mirror_of(upstream, runner.backend, architectures=("amd64",))

    run = runner.sync(repository)

    assert (run.added, run.skipped, run.failed) == (1, 1, 1)
    assert runner.tags(repository) == {"latest": index}
    assert body(runner.backend, repository, index) == upstream.manifests[index][1]
    assert body(runner.backend, repository, images["amd64"])
    assert body(runner.backend, repository, attestation)
    assert body(runner.backend, repository, images["arm64"]) is None
    assert "none: architecture_filter: none has no image for amd64" in run.reason


def test_referrers_and_signatures_are_copied(upstream: Upstream, runner: MirrorRunner) -> None:
    image = upstream.add_image("latest")
    config = {"mediaType": "application/vnd.example+json", **upstream.add_blob(b"{}")}
    layers = [{"mediaType": LAYER, **upstream.add_blob(b"sbom")}]
    subject = {"mediaType": OCI_MANIFEST, "digest": image, "size": len(upstream.manifests[image][1])}
    sbom = upstream.add_manifest({"config": config, "layers": layers, "subject": subject})
    about_sbom = {"mediaType": OCI_MANIFEST, "digest": sbom, "size": len(upstream.manifests[sbom][1])}
    signed_sbom = upstream.add_manifest({"config": config, "subject": about_sbom, "layers": []})
    signature_tag = f"sha256-{image.removeprefix('sha256:')}.sig"
    signature = upstream.add_image(signature_tag, layers=(b"signature",))
    repository = a_mirror_of(upstream, runner.backend, patterns=("latest",))

    run = runner.sync(repository)

    assert run.status is SyncStatus.SUCCESS, run.reason
    for digest in (sbom, signed_sbom, signature):
        assert body(runner.backend, repository, digest) == upstream.manifests[digest][1]
    assert runner.tags(repository) == {"latest": image, signature_tag: signature}
    # The next run leaves the signature alone, which no pattern names.
    assert runner.sync(repository).removed == 0


def test_new_signatures_of_unchanged_tags_are_looked_for_once_a_day(upstream: Upstream, runner: MirrorRunner) -> None:
    image = upstream.add_image("latest")
    repository = a_mirror_of(upstream, runner.backend, patterns=("latest",))
    runner.sync(repository)
    signature = upstream.add_image(f"sha256-{image.removeprefix('sha256:')}.sig", layers=(b"signature",))
    runner.sync(repository)
    assert len(runner.tags(repository)) == 1

    runner.backend.clock.ahead_s += 86_401
    run = runner.sync(repository)

    assert (run.status, run.same, run.added, run.changed) == (SyncStatus.SUCCESS, 1, 0, 0)
    assert signature in runner.tags(repository).values()


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


def test_a_registry_that_limits_is_left_alone_and_the_run_goes_on_later(
    upstream: Upstream, runner: MirrorRunner
) -> None:
    upstream.add_image("a", layers=(b"a",))
    upstream.add_image("b", layers=(b"b",))
    upstream.fault = once(on("/blobs/", lambda handler: respond(handler, b"", 429, Retry_After="600")))
    repository = a_mirror_of(upstream, runner.backend)

    run = runner.sync(repository)

    assert (run.status, run.phase) == (SyncStatus.SYNCING, RunPhase.COPYING)
    assert 590 < run.waits_until - runner.backend.clock() <= 600
    before = len(upstream.server.asked)
    later = runner.timer(repository)
    assert later.at == run.waits_until
    assert len(upstream.server.asked) == before

    runner.backend.clock.ahead_s += 601
    runner.timer(repository)
    runner.drain()
    assert runner.last(repository).status is SyncStatus.SUCCESS
    assert set(runner.tags(repository)) == {"a", "b"}


def test_a_cancel_keeps_what_is_copied_and_the_schedule(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("a")
    upstream.add_image("b", layers=(b"b",))
    repository = a_mirror_of(upstream, runner.backend, interval_s=3600)
    actor, runs = runner.backend.signed_in("admin"), runner.backend.services.mirroring.runs
    runs.request(actor, NAME)
    work = runner.backend.services.mirroring.workers.work
    work(runner.queues.waiting.popleft(), lambda: 900.0)
    work(runner.queues.waiting.popleft(), lambda: 900.0)

    runs.cancel(actor, NAME)
    runner.drain()

    row = mirror_row(repository)
    assert (row.status, row.next_at) == (SyncStatus.CANCEL, row.start_at)
    assert set(runner.tags(repository)) == {"a"}
    with pytest.raises(ResourceUnknown):
        runs.cancel(actor, NAME)


def test_changed_settings_end_a_run_and_a_new_one_follows(upstream: Upstream, runner: MirrorRunner) -> None:
    from tests.support.mirror_builders import changes

    upstream.add_image("a", "b")
    repository = a_mirror_of(upstream, runner.backend)
    actor = runner.backend.signed_in("admin")
    runner.backend.services.mirroring.runs.request(actor, NAME)
    runner.backend.services.mirroring.mirrors.change(actor, NAME, changes(patterns=("b",)))

    runner.drain()
    first = runner.last(repository)
    assert (first.status, "settings" in first.reason) == (SyncStatus.CANCEL, True)
    runner.timer(repository)
    runner.drain()

    assert runner.last(repository).status is SyncStatus.SUCCESS
    assert set(runner.tags(repository)) == {"b"}


def test_a_repository_that_is_no_mirror_any_more_gets_nothing(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("a")
    repository = a_mirror_of(upstream, runner.backend)
    actor = runner.backend.signed_in("admin")
    runner.backend.services.mirroring.runs.request(actor, NAME)
    runner.backend.services.registry.repositories.change_mode(actor, NAME, Mode.NORMAL)

    runner.drain()

    assert runner.last(repository).status is SyncStatus.CANCEL
    assert runner.tags(repository) == {}
    with pytest.raises(MirrorInvalid, match="NORMAL"):
        runner.backend.services.mirroring.runs.request(actor, NAME)


def test_a_second_request_finds_the_run_that_is_open(upstream: Upstream, runner: MirrorRunner) -> None:
    a_mirror_of(upstream, runner.backend)
    actor = runner.backend.signed_in("admin")
    runner.backend.services.mirroring.runs.request(actor, NAME)
    with pytest.raises(ResourceUnknown):
        runner.backend.services.mirroring.runs.request(actor, NAME)


def test_lost_messages_are_sent_again_by_the_timer(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("a")
    upstream.add_image("b", layers=(b"b",))
    repository = a_mirror_of(upstream, runner.backend)
    runner.queues.loses = True
    runner.backend.services.mirroring.runs.request(runner.backend.signed_in("admin"), NAME)
    runner.queues.loses = False
    assert due_at("mirror", repository.id) is not None
    runner.backend.clock.ahead_s += 200

    runner.timer(repository)
    runner.backend.services.mirroring.workers.work(runner.queues.waiting.popleft(), lambda: 900.0)
    runner.queues.waiting.clear()
    runner.backend.clock.ahead_s += 200
    runner.timer(repository)
    runner.drain()

    assert runner.last(repository).status is SyncStatus.SUCCESS


def test_messages_may_come_twice(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("a")
    upstream.add_image("b", layers=(b"b",))
    repository = a_mirror_of(upstream, runner.backend)
    runner.backend.services.mirroring.runs.request(runner.backend.signed_in("admin"), NAME)
    work, done = runner.backend.services.mirroring.workers.work, []
    while runner.queues.waiting:
        message = runner.queues.waiting.popleft()
        work(message, lambda: 900.0)
        work(message, lambda: 900.0)
        done.append(message)
    for message in done:
        work(message, lambda: 900.0)

    run = runner.last(repository)
    assert (run.status, run.added, run.pending) == (SyncStatus.SUCCESS, 2, 0)


def test_a_tag_that_ended_five_workers_fails_and_says_so(
    upstream: Upstream, runner: MirrorRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.services.mirroring.tag_copies import TagCopies

    upstream.add_image("a")
    repository = a_mirror_of(upstream, runner.backend)
    monkeypatch.setattr(TagCopies, "copy", lambda *_: (_ for _ in ()).throw(MemoryError()))
    runner.backend.services.mirroring.runs.request(runner.backend.signed_in("admin"), NAME)
    for _ in range(7):
        try:
            runner.drain()
        except MemoryError:
            runner.backend.clock.ahead_s += 200
            runner.timer(repository)

    run = runner.last(repository)
    assert (run.status, run.failed) == (SyncStatus.FAIL, 1)
    assert "5 workers ended" in run.reason


def test_runs_and_tags_are_recorded_by_the_robot(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("a")
    a_mirror_of(upstream, runner.backend)
    runner.sync(a_repository_of(runner))

    kinds = {(event["kind"], event["performer"]) for event in events(runner.backend) if "mirror_sync" in event["kind"]}
    assert kinds == {
        ("repo_mirror_sync_now_requested", "admin"),
        ("repo_mirror_sync_started", "admin+mirror"),
        ("repo_mirror_sync_tag_success", "admin+mirror"),
        ("repo_mirror_sync_success", "admin+mirror"),
    }


def a_repository_of(runner: MirrorRunner) -> Repository:
    from tests.support.rows import repository_of

    return repository_of(runner.backend, "admin/app")


def test_a_mirror_of_an_artifact_keeps_its_types(upstream: Upstream, runner: MirrorRunner) -> None:
    config = {"mediaType": "application/vnd.cncf.helm.config.v1+json", **upstream.add_blob(b'{"name": "chart"}')}
    layer = {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", **upstream.add_blob(b"chart")}
    chart = upstream.add_manifest({"config": config, "layers": [layer]}, "1.0.0")
    cache = upstream.add_manifest(
        {"manifests": [{"mediaType": LAYER, **upstream.add_blob(b"cached")},
                       {"mediaType": OCI_CONFIG, **upstream.add_blob(b"{}")}]},
        "cache", media_type=OCI_INDEX,
    )  # fmt: skip
    repository = a_mirror_of(upstream, runner.backend)

    run = runner.sync(repository)

    assert run.status is SyncStatus.SUCCESS, run.reason
    assert runner.tags(repository) == {"1.0.0": chart, "cache": cache}
