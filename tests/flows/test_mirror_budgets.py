"""How many calls a run of a mirror makes: of AWS, which cost, and of upstream, which are limited."""

import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.manifests import parse_pushed
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.services.mirroring.robots import MirrorRobots
from tests.support.backends import Backend
from tests.support.mirror_builders import a_mirror
from tests.support.mirror_runs import MirrorRunner
from tests.support.rows import change, repository_of, rows_like
from tests.support.upstream import Upstream

TAGS = 1000
NAME = RepositoryName.parse("admin/app")


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(password="s3cret").running() as running:
        yield running


@pytest.fixture
def runner(new_backend: Callable[..., Backend]) -> MirrorRunner:
    return MirrorRunner(new_backend(outgoing_allow="127.0.0.0/8"))


def source(upstream: Upstream) -> dict[str, object]:
    return {
        "reference": upstream.reference,
        "verify_tls": False,
        "username": upstream.user,
        "password": upstream.password,
    }


def test_a_thousand_tags_that_did_not_change_cost_twelve_calls(upstream: Upstream, runner: MirrorRunner) -> None:
    backend = runner.backend
    upstream.add_image(*(f"v{number}" for number in range(TAGS)))
    start = int(backend.clock()) - 1
    repository = a_mirror(backend, source=source(upstream), patterns=("*",), start_at=start, interval_s=60)
    # What a first run would have copied.
    digest = Digest.parse(upstream.tags["v0"])
    copy_of(backend, upstream, digest)
    runner.queues.batches = 0
    before, logins = upstream.asked, upstream.logins
    backend.calls.take()

    runner.timer(repository)
    runner.drain()

    calls = Counter(backend.calls.take())
    asked = upstream.asked - before
    run = runner.last(repository)
    assert (run.status, run.same, run.matched) == (SyncStatus.SUCCESS, TAGS, TAGS)
    # Two reads of 1 MB list the tags that are here.
    assert calls.total() <= 12, calls
    assert upstream.logins - logins == 1
    assert asked["HEAD manifests"] <= TAGS + 8
    assert (asked["GET manifests"], asked["GET blobs"]) == (0, 0)
    assert runner.queues.batches == 1
    assert rows_like(backend, f"RUN#{run.id}") == []


def copy_of(backend: Backend, upstream: Upstream, digest: Digest) -> None:
    """Points all of upstream's tags to an image in the mirror, as runs did that completed what it lacks."""
    repository, name = repository_of(backend, "admin/app"), NAME
    row = backend.services.stores.mirrors.get(repository.id)
    actor = MirrorRobots(backend.services.security.access, backend.services.stores).actor(row.robot_id, repository)
    for blob, content in upstream.blobs.items():
        backend.services.registry.uploads.push(actor, name, Digest.parse(blob), content)
    media_type, content = upstream.manifests[str(digest)]
    backend.services.registry.manifests.push(
        actor, name, parse_pushed(content, media_type), [Tag(t) for t in upstream.tags]
    )
    change(row, completed_at=int(backend.clock()))


def test_tags_that_are_named_outright_are_not_listed(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("latest", "v1")
    repository = a_mirror(runner.backend, source=source(upstream), patterns=("latest",))

    runner.sync(repository)

    assert upstream.asked["GET tags"] == 0


def test_a_changed_tag_costs_four_calls_besides_those_of_a_push(upstream: Upstream, runner: MirrorRunner) -> None:
    backend, upstream.password = runner.backend, ""
    upstream.add_image("latest", layers=(b"one",))
    repository = a_mirror(backend, source=source(upstream), patterns=("latest",))
    runner.sync(repository)
    upstream.add_image("latest", layers=(b"two",))
    backend.services.mirroring.runs.request(backend.signed_in("admin"), NAME)
    before = upstream.asked
    backend.services.mirroring.workers.work(runner.queues.waiting.popleft(), lambda: 900.0)
    message = runner.queues.waiting.popleft()
    backend.calls.take()

    found = backend.services.mirroring.runs.load(message["repository"], message["run"])
    reading = len(backend.calls.take())
    assert found is not None
    backend.services.mirroring.workers.work(message, lambda: 900.0)

    calls = Counter(backend.calls.take())
    asked = upstream.asked - before
    assert (asked["GET manifests"], asked["GET blobs"]) == (1, 1)
    assert reading == 1
    # The run, the tag's claim and settling, whether tags are pending: BatchGetItem, UpdateItem, a transaction, GetItem.
    assert calls["UpdateItem"] <= 2
    assert calls["TransactWriteItems"] <= 4


def test_four_blobs_at_once_stay_within_their_memory(upstream: Upstream, runner: MirrorRunner) -> None:
    layers = tuple(bytes([number]) * (24 * 1024 * 1024) for number in range(4))
    upstream.add_image("latest", layers=layers)
    repository = a_mirror(runner.backend, source=source(upstream), patterns=("latest",))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        run = runner.sync(repository)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert run.status is SyncStatus.SUCCESS, run.reason
    assert peak < 200_000_000
