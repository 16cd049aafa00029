"""A plan says what a run would do, and does nothing."""

import pytest

from chalicelib.domain.errors import ResourceUnknown
from chalicelib.domain.mirror_runs import TagOutcome
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName
from chalicelib.services.mirroring import plans
from tests.support.fake_server import respond
from tests.support.mirror_runs import MirrorRunner, a_mirror_of
from tests.support.upstream import Upstream, on

NAME = RepositoryName.parse("admin/app")


def test_a_plan_counts_tags_and_bytes_and_copies_nothing(upstream: Upstream, runner: MirrorRunner) -> None:
    backend = runner.backend
    upstream.add_image("same", layers=(b"same",))
    upstream.add_image("gone", layers=(b"gone",))
    repository = a_mirror_of(upstream, backend)
    runner.sync(repository)
    del upstream.tags["gone"]
    images = {"amd64": upstream.add_image("new", layers=(b"x" * 1000, b"same"))}
    upstream.add_index("index", images=images)
    before = runner.tags(repository)

    plan = backend.services.mirroring.plans.plan(backend.signed_in("admin"), NAME)

    run = backend.services.stores.mirror_runs.get(repository.id, plan)
    assert (run.status, run.same, run.added, run.removed) == (SyncStatus.SUCCESS, 1, 2, 1)
    tags = {tag.tag: tag for tag in backend.services.stores.mirror_runs.tags(plan)}
    assert {tag.outcome for tag in tags.values()} == {TagOutcome.PLANNED}
    # A blob of two tags is fetched once, and one that is here not at all.
    new = [digest for digest, content in upstream.blobs.items() if content == b"x" * 1000]
    assert run.bytes_done >= len(upstream.blobs[new[0]])
    assert sorted(tag.bytes_done > 0 for tag in (tags["new"], tags["index"])) == [False, True]
    assert runner.tags(repository) == before


def test_a_plan_that_takes_too_long_goes_on_in_a_worker(
    upstream: Upstream, runner: MirrorRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "WAITS_S", -1.0)
    upstream.add_image("new")
    repository = a_mirror_of(upstream, runner.backend)

    plan = runner.backend.services.mirroring.plans.plan(runner.backend.signed_in("admin"), NAME)
    store = runner.backend.services.stores.mirror_runs
    assert store.get(repository.id, plan).is_open
    runner.drain()

    assert (store.get(repository.id, plan).status, store.get(repository.id, plan).added) == (SyncStatus.SUCCESS, 1)


def test_a_plan_that_fails_says_why(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.fault = on("tags/list", lambda handler: respond(handler, b"", 500))
    repository = a_mirror_of(upstream, runner.backend)
    plan = runner.backend.services.mirroring.plans.plan(runner.backend.signed_in("admin"), NAME)
    run = runner.backend.services.stores.mirror_runs.get(repository.id, plan)
    assert (run.status, "answers 500" in run.reason) == (SyncStatus.FAIL, True)


def test_only_a_mirror_is_planned(runner: MirrorRunner) -> None:
    from tests.support.builders import a_repository

    a_repository(runner.backend)
    with pytest.raises(ResourceUnknown):
        runner.backend.services.mirroring.plans.plan(runner.backend.signed_in("admin"), NAME)
