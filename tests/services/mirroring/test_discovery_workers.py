"""A discovery makes repositories, keeps those that are gone, and changes nothing when the list fails."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.errors import NameInvalid
from chalicelib.domain.mirror_runs import LEASE_S, MOST_TRIES
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.organization_mirrors import NONE_LISTED, NONE_MATCHED, SourceKind
from chalicelib.domain.repositories import Mode, Visibility
from chalicelib.services.mirroring import discovery_workers
from chalicelib.services.registry.repositories import NewRepository
from chalicelib.storage.mirroring.organization_mirrors import OrganizationMirrorRow
from tests.support.backends import Backend
from tests.support.builders import an_organization
from tests.support.fake_server import respond
from tests.support.mirror_builders import a_robot, changes
from tests.support.mirror_runs import MirrorRunner
from tests.support.namespaces import (
    UpstreamNamespace,
    an_organization_mirror,
    discover,
    organization_changes,
    statuses,
)
from tests.support.rows import change, events, repository_of
from tests.support.upstream import on


def row_of(backend: Backend, namespace_id: str) -> OrganizationMirrorRow:
    row = backend.services.stores.organization_mirrors.get(namespace_id)
    assert row is not None
    return row


def listed(backend: Backend, name: str) -> Any:
    found = backend.services.mirroring.organization_mirrors.repositories(backend.signed_in("admin"), "acme")
    return next(one for one in found if one.discovered.name == name)


def alter(backend: Backend, source: dict[str, Any] | None = None, **settings: Any) -> None:
    room = backend.services.mirroring.organization_mirrors
    room.change(backend.signed_in("admin"), "acme", changes(None, source, **settings))


@pytest.mark.parametrize("kind", [SourceKind.QUAY, SourceKind.HARBOR])
def test_every_repository_is_made_and_filled(
    namespace: UpstreamNamespace, runner: MirrorRunner, kind: SourceKind
) -> None:
    an_organization_mirror(namespace, runner.backend, kind=kind, visibility=Visibility.PUBLIC)

    discover(runner)

    assert statuses(runner.backend) == {"a": "SUCCESS", "b": "SUCCESS", "deep/c": "SUCCESS"}
    for name in namespace.names:
        repository = repository_of(runner.backend, f"acme/{name}")
        assert runner.tags(repository) == namespace.tags
        row = runner.backend.services.stores.repositories.get(repository.id)
        assert (row.mode, row.visibility) == (Mode.ORG_MIRROR, Visibility.PUBLIC)
    assert [event["performer"] for event in events(runner.backend, "org_mirror_repo_created")] == ["acme+mirror"] * 3


def test_filters_choose_the_repositories(namespace: UpstreamNamespace, runner: MirrorRunner) -> None:
    an_organization_mirror(namespace, runner.backend, filters=("*", "!deep/*"))
    discover(runner)
    assert set(statuses(runner.backend)) == {"a", "b"}


def test_new_repositories_run_by_themselves_and_a_second_discovery_changes_nothing(
    namespace: UpstreamNamespace, runner: MirrorRunner
) -> None:
    backend = runner.backend
    namespace_id = an_organization_mirror(namespace, backend)
    discover(runner)
    namespace.names.append("new")
    backend.clock.ahead_s += 10**6 + 1
    backend.services.lifecycle.timers.run(lambda: 100.0)
    runner.drain()
    backend.services.lifecycle.timers.run(lambda: 100.0)
    runner.drain()
    assert statuses(backend)["new"] == "SUCCESS"

    version = listed(backend, "new").row.settings_version
    backend.clock.ahead_s += 3600
    backend.services.lifecycle.timers.run(lambda: 100.0)
    runner.drain()
    assert (listed(backend, "new").row.settings_version, row_of(backend, namespace_id).status) == (version, "SUCCESS")


def test_what_is_gone_is_skipped_and_kept_and_mirrored_again_when_it_comes_back(
    namespace: UpstreamNamespace, runner: MirrorRunner
) -> None:
    an_organization_mirror(namespace, runner.backend)
    discover(runner)
    namespace.names.remove("b")
    discover(runner)
    gone = listed(runner.backend, "b")
    assert (gone.status, gone.row.is_enabled, gone.row.next_at) == ("SKIP", 0, None)
    assert "no longer lists it" in gone.discovered.reason
    assert runner.tags(repository_of(runner.backend, "acme/b")) == namespace.tags

    namespace.names.append("b")
    discover(runner)
    assert (listed(runner.backend, "b").status, listed(runner.backend, "b").row.is_enabled) == ("SUCCESS", 1)


def test_what_the_filters_leave_out_now_says_so(namespace: UpstreamNamespace, runner: MirrorRunner) -> None:
    an_organization_mirror(namespace, runner.backend)
    discover(runner)
    alter(runner.backend, filters=("a",))
    discover(runner)
    assert statuses(runner.backend) == {"a": "SUCCESS", "b": "SKIP", "deep/c": "SKIP"}
    assert "repository_filters leave it out" in listed(runner.backend, "b").discovered.reason


FAILURES: dict[str, Callable[[UpstreamNamespace], object]] = {
    "refused": lambda upstream: setattr(upstream, "authorization", "Bearer other"),
    "an error": lambda upstream: setattr(upstream, "fault", on("/api/", lambda handler: respond(handler, b"", 500))),
    "a limit": lambda upstream: setattr(upstream, "fault", on("/api/", lambda handler: respond(handler, b"", 429))),
    "nonsense": lambda upstream: setattr(upstream, "fault", on("/api/", lambda handler: respond(handler, b"<p>"))),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_list_that_fails_changes_nothing(namespace: UpstreamNamespace, runner: MirrorRunner, failure: str) -> None:
    namespace_id = an_organization_mirror(namespace, runner.backend)
    discover(runner)
    before = statuses(runner.backend)
    FAILURES[failure](namespace)
    discover(runner)
    assert (statuses(runner.backend), row_of(runner.backend, namespace_id).status) == (before, SyncStatus.FAIL)


@pytest.mark.parametrize(("names", "filters", "message"), [([], (), NONE_LISTED), (["x"], ("y",), NONE_MATCHED)])
def test_a_list_without_repositories_changes_nothing(
    namespace: UpstreamNamespace, runner: MirrorRunner, names: list[str], filters: tuple[str, ...], message: str
) -> None:
    namespace_id = an_organization_mirror(namespace, runner.backend)
    discover(runner)
    before, namespace.names = statuses(runner.backend), names
    alter(runner.backend, filters=filters, interval_s=120)
    discover(runner)
    row = row_of(runner.backend, namespace_id)
    assert (statuses(runner.backend), row.status, row.message) == (before, SyncStatus.SUCCESS, message)


def test_more_repositories_than_one_answer_counts_are_refused(
    namespace: UpstreamNamespace, runner: MirrorRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery_workers, "MOST_REPOSITORIES", 2)
    namespace_id = an_organization_mirror(namespace, runner.backend)
    discover(runner)
    assert "repository_filters: they take more than 2" in row_of(runner.backend, namespace_id).message
    assert statuses(runner.backend) == {}


def test_a_repository_of_the_same_name_keeps_its_content_and_is_skipped(
    namespace: UpstreamNamespace, runner: MirrorRunner
) -> None:
    backend, actor = runner.backend, runner.backend.signed_in("admin")
    an_organization(backend)
    backend.services.registry.repositories.create(actor, NewRepository(RepositoryName.parse("acme/a")))
    a_robot(backend, "acme+mirror", by="admin")
    backend.services.mirroring.organization_mirrors.create(actor, "acme", organization_changes(namespace))
    discover(runner)
    assert statuses(backend)["a"] == "SKIP"
    assert "was here before" in listed(backend, "a").discovered.reason
    assert runner.tags(repository_of(backend, "acme/a")) == {}

    backend.services.registry.repositories.delete(actor, RepositoryName.parse("acme/a"))
    discover(runner)
    assert statuses(backend)["a"] == "SUCCESS"


def test_a_name_that_this_registry_does_not_take_fails_alone_and_is_recorded_once(
    namespace: UpstreamNamespace, runner: MirrorRunner
) -> None:
    namespace.names += ["Upper", "x" * 300, "ü"]
    with pytest.raises(NameInvalid):
        RepositoryName.parse("acme/Upper")
    an_organization_mirror(namespace, runner.backend)
    discover(runner)
    discover(runner)
    assert [name for name, status in statuses(runner.backend).items() if status == "FAIL"] == ["Upper", "x" * 255, "ü"]
    assert len(events(runner.backend, "org_mirror_repo_creation_failed")) == 3
    del namespace.names[-3:]
    discover(runner)
    assert set(statuses(runner.backend)) == set(namespace.names)


def test_a_deleted_repository_is_made_again(namespace: UpstreamNamespace, runner: MirrorRunner) -> None:
    backend, actor = runner.backend, runner.backend.signed_in("admin")
    an_organization_mirror(namespace, backend)
    discover(runner)
    backend.services.registry.repositories.delete(actor, RepositoryName.parse("acme/a"))
    discover(runner)
    assert runner.tags(repository_of(backend, "acme/a")) == namespace.tags


def test_a_restored_repository_is_normal_until_it_is_discovered(
    namespace: UpstreamNamespace, runner: MirrorRunner
) -> None:
    backend, actor = runner.backend, runner.backend.signed_in("admin")
    an_organization_mirror(namespace, backend)
    discover(runner)
    repository = repository_of(backend, "acme/a")
    backend.services.registry.repositories.delete(actor, repository.name)
    backend.services.lifecycle.repository_deletion.restore(actor, repository.id)
    row = backend.services.stores.repositories.get(repository.id)
    assert (row.mode, backend.services.stores.mirrors.get(repository.id)) == (Mode.NORMAL, None)
    discover(runner)
    assert backend.services.stores.repositories.get(repository.id).mode is Mode.ORG_MIRROR
    assert statuses(backend)["a"] == "SUCCESS"


def test_changed_settings_reach_every_repository_even_if_the_list_fails(
    namespace: UpstreamNamespace, runner: MirrorRunner
) -> None:
    backend = runner.backend
    namespace_id = an_organization_mirror(namespace, backend)
    discover(runner)
    namespace.fault = on("/api/", lambda handler: respond(handler, b"", 500))
    alter(backend, {"username": "$oauthtoken", "password": "new"}, interval_s=120)
    backend.services.mirroring.discoveries.settle(namespace_id)
    runner.drain()
    for name in namespace.names:
        settings = listed(backend, name).row.settings(backend.services.security.envelope.open)
        assert (settings.source.password, settings.interval_s) == ("new", 120)


def test_a_mirror_that_is_switched_off_begins_no_runs(namespace: UpstreamNamespace, runner: MirrorRunner) -> None:
    backend = runner.backend
    namespace_id = an_organization_mirror(namespace, backend)
    discover(runner)
    namespace.names.append("new")
    alter(backend, is_enabled=False)
    backend.services.mirroring.discoveries.settle(namespace_id)
    runner.drain()
    assert "new" not in statuses(backend)
    assert {listed(backend, name).row.next_at for name in statuses(backend)} == {None}
    assert row_of(backend, namespace_id).next_at is None
    discover(runner)
    assert statuses(backend)["new"] == "SUCCESS"


def test_settings_that_change_during_a_discovery_are_brought_by_the_next_at_once(
    namespace: UpstreamNamespace, runner: MirrorRunner
) -> None:
    backend = runner.backend
    namespace_id = an_organization_mirror(namespace, backend)
    changed: list[str] = []

    def change_once(handler: Any, path: str) -> bool:
        if "/api/" in path and not changed:
            changed.append(path)
            alter(backend, interval_s=120)
        return False

    namespace.fault = change_once
    discover(runner)
    assert row_of(backend, namespace_id).next_at == pytest.approx(backend.clock(), abs=3)
    backend.services.mirroring.discoveries.settle(namespace_id)
    runner.drain()
    assert {listed(backend, name).row.interval_s for name in namespace.names} == {120}


def test_another_robot_takes_over(namespace: UpstreamNamespace, runner: MirrorRunner) -> None:
    backend, actor = runner.backend, runner.backend.signed_in("admin")
    an_organization_mirror(namespace, backend)
    discover(runner)
    other = a_robot(backend, "acme+other", by="admin")
    backend.services.mirroring.organization_mirrors.change(actor, "acme", changes(other))
    namespace.add_image("v2")
    discover(runner)
    assert runner.tags(repository_of(backend, "acme/a")) == namespace.tags
    assert {event["performer"] for event in events(backend, "push_repo")} <= {"acme+mirror", "acme+other"}
    assert listed(backend, "a").row.robot_id == backend.account(other).id


def test_five_workers_that_end_make_a_discovery_fail(namespace: UpstreamNamespace, runner: MirrorRunner) -> None:
    backend = runner.backend
    namespace_id = an_organization_mirror(namespace, backend)
    backend.services.mirroring.discoveries.request(backend.signed_in("admin"), "acme")
    change(row_of(backend, namespace_id), workers=MOST_TRIES)
    runner.drain()
    row = row_of(backend, namespace_id)
    assert (row.status, row.message) == (SyncStatus.FAIL, discovery_workers.GIVEN_UP)


def test_a_worker_without_time_leaves_a_discovery_to_the_next(
    namespace: UpstreamNamespace, runner: MirrorRunner
) -> None:
    backend = runner.backend
    namespace_id = an_organization_mirror(namespace, backend)
    backend.services.mirroring.discoveries.request(backend.signed_in("admin"), "acme")
    runner.work_one(lambda: 10.0)
    row = row_of(backend, namespace_id)
    assert (row.status, row.workers, len(runner.queues.waiting)) == (SyncStatus.SYNCING, 0, 1)
    runner.drain()
    assert row_of(backend, namespace_id).status is SyncStatus.SUCCESS


def test_a_message_that_comes_twice_is_worked_on_once(namespace: UpstreamNamespace, runner: MirrorRunner) -> None:
    backend = runner.backend
    namespace_id = an_organization_mirror(namespace, backend)
    backend.services.mirroring.discoveries.request(backend.signed_in("admin"), "acme")
    message = runner.queues.waiting[0]
    change(row_of(backend, namespace_id), worker="another", lease_until=int(backend.clock()) + LEASE_S)
    runner.work_one()
    assert namespace.server.asked == []
    change(row_of(backend, namespace_id), lease_until=0)
    runner.queues.waiting.append(message)
    runner.drain()
    runner.queues.waiting.append(message)
    asked = len(namespace.server.asked)
    runner.drain()
    assert len(namespace.server.asked) == asked


def test_the_robot_alone_pushes_and_deletes_in_a_repository_that_it_fills(
    namespace: UpstreamNamespace, runner: MirrorRunner
) -> None:
    backend = runner.backend
    an_organization_mirror(namespace, backend)
    discover(runner)
    tokens, robots = backend.services.identity.tokens, backend.services.accounts.robots
    secret = robots.of_namespace(backend.signed_in("admin"), "acme", with_tokens=True)[0].token or ""

    def granted(credentials: tuple[str, str], name: str) -> set[str]:
        token = tokens.issue(credentials, None, [f"repository:{name}:pull,push,delete"]).token
        return set(tokens.believe(token).grants[name].actions)

    assert granted(("acme+mirror", secret), "acme/a") == {"pull", "push", "delete"}
    assert granted(("admin", "password"), "acme/a") == {"pull"}
    assert granted(("admin", "password"), "acme/new") == {"pull"}


def test_names_that_no_row_can_have_fail_without_harm_to_the_others(
    namespace: UpstreamNamespace, runner: MirrorRunner
) -> None:
    namespace.names += ["\U0001f600" * 255, "\ud800"]
    an_organization_mirror(namespace, runner.backend)
    discover(runner)
    assert sorted(statuses(runner.backend).values()) == ["FAIL", "FAIL", "SUCCESS", "SUCCESS", "SUCCESS"]


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (("MOST_LISTED", 2), "external_namespace: it has more than 2 repositories"),
        (("LONGEST_LIST_S", -1), "external_registry_url: its list of repositories takes more than"),
    ],
)
def test_a_list_that_is_too_long_is_given_up(
    namespace: UpstreamNamespace, runner: MirrorRunner, monkeypatch: pytest.MonkeyPatch, limit: Any, message: str
) -> None:
    monkeypatch.setattr(discovery_workers, *limit)
    namespace_id = an_organization_mirror(namespace, runner.backend)
    discover(runner)
    row = row_of(runner.backend, namespace_id)
    assert (row.status, message in row.message) == (SyncStatus.FAIL, True)


def test_a_registry_that_limits_its_list_is_left_alone(namespace: UpstreamNamespace, runner: MirrorRunner) -> None:
    an_organization_mirror(namespace, runner.backend)
    namespace.fault = on("/api/", lambda handler: respond(handler, b"", 429, Retry_After="3600"))
    discover(runner)
    asked = len(namespace.server.asked)
    discover(runner)
    assert len(namespace.server.asked) == asked


def test_a_request_whose_list_fails_begins_its_runs_at_the_retry(
    namespace: UpstreamNamespace, runner: MirrorRunner
) -> None:
    namespace_id = an_organization_mirror(namespace, runner.backend)
    discover(runner)
    namespace.fault = on("/api/", lambda handler: respond(handler, b"", 500))
    discover(runner)
    namespace.fault = None
    namespace.add_image("v2")
    runner.backend.clock.ahead_s += 61
    runner.backend.services.mirroring.discoveries.settle(namespace_id)
    runner.drain()
    assert runner.tags(repository_of(runner.backend, "acme/a")) == namespace.tags


def test_changed_settings_outlive_a_cancel(namespace: UpstreamNamespace, runner: MirrorRunner) -> None:
    backend = runner.backend
    namespace_id = an_organization_mirror(namespace, backend)
    discover(runner)
    alter(backend, is_enabled=False)
    backend.services.mirroring.discoveries.cancel(backend.signed_in("admin"), "acme")
    backend.services.mirroring.discoveries.settle(namespace_id)
    runner.drain()
    assert {listed(backend, name).row.next_at for name in statuses(backend)} == {None}
