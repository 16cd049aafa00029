"""Tests that each pull counts once and at once, whichever process sums it and whenever it crashes."""

import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Denied, NameUnknown, ResourceUnknown, Unauthenticated
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import ANONYMOUS, Actor, Role
from chalicelib.domain.pulls import HOUR_S, SETTLED_S, SPREAD_S, Sum, due_at, hour_of
from chalicelib.domain.repositories import Visibility
from chalicelib.domain.timers import PULLS, Due, Later
from chalicelib.services.activity import pulls as service
from chalicelib.storage import keys
from tests.support.backends import Backend
from tests.support.builders import a_manifest, an_actor_with_role, push_image, push_manifest, token_actor
from tests.support.crashes import crash_everywhere, just_before_commit, meanwhile
from tests.support.rows import due_at as timer_due_at
from tests.support.rows import repository_of, rows_like
from tests.support.sweeping import advance_clock, delete_tag, expire_everything, sweep
from tests.support.tag_actions import TagActions

NAME = RepositoryName.parse("admin/app")
# So many seconds after any pull, all pulls of its hour can be summed.
SETTLES_S = HOUR_S + SETTLED_S + SPREAD_S + 1


@pytest.fixture
def backend(new_backend: Callable[..., Backend]) -> Backend:
    return new_backend(pull_log="all")


def pull(backend: Backend, reference: str | Digest = "v1", times: int = 1) -> None:
    parsed = Tag(reference) if isinstance(reference, str) else reference
    for _ in range(times):
        backend.services.registry.manifests.pull(token_actor(backend, "admin", "admin/app"), NAME, parsed)


def of_tag(backend: Backend, tag: str = "v1") -> int:
    return backend.services.activity.pulls.of_tag(backend.signed_in("admin"), NAME, Tag.existing(tag)).of_tag.pulls


def of_manifest(backend: Backend, digest: Digest | str) -> int:
    pulls = backend.services.activity.pulls
    return pulls.of_manifest(backend.signed_in("admin"), NAME, Digest.existing(str(digest))).pulls


def count(backend: Backend, *, has_time: bool = True) -> Later | None:
    due = Due(PULLS, keys.hour_target(repository_of(backend).id, 0), 0)
    return backend.services.activity.pulls.work(due, lambda: has_time)


def sums(backend: Backend) -> dict[str, int]:
    """Returns the sums by tag and digest."""
    return {row["sk"].removeprefix("OF#"): row["pulls"] for row in rows_like(backend, "PULLS#", "OF#")}


def test_a_pull_counts_at_once_and_still_once_after_it_is_summed(backend: Backend) -> None:
    digest = push_image(backend, "v1").digest
    assert backend.services.activity.pulls.of_tag(backend.signed_in("admin"), NAME, Tag("v1")).of_tag == Sum()
    pull(backend, times=3)
    pull(backend, digest)
    shown = backend.services.activity.pulls.of_tag(backend.signed_in("admin"), NAME, Tag("v1"))
    assert (shown.digest, shown.of_tag.pulls, shown.of_manifest.pulls) == (digest, 3, 4)
    assert shown.of_tag.last_at == pytest.approx(backend.clock(), abs=60)
    assert sums(backend) == {}

    advance_clock(backend, SETTLES_S)
    sweep(backend)

    assert sums(backend) == {"v1": 3, str(digest): 4}
    assert backend.services.activity.pulls.of_tag(backend.signed_in("admin"), NAME, Tag("v1")) == shown
    pull(backend)
    assert (of_tag(backend), of_manifest(backend, digest)) == (4, 5)


def test_the_sums_of_a_tag_are_the_name_s_and_those_of_a_manifest_the_digest_s(backend: Backend) -> None:
    first = push_image(backend, "v1").digest
    pull(backend)
    second = push_image(backend, "v1", "v2").digest
    pull(backend)
    pull(backend, "v2")
    for _ in range(2):
        assert (of_tag(backend, "v1"), of_tag(backend, "v2")) == (2, 1)
        assert (of_manifest(backend, first), of_manifest(backend, second)) == (1, 2)
        advance_clock(backend, SETTLES_S)
        sweep(backend)


def test_only_settled_hours_are_summed(backend: Backend) -> None:
    push_image(backend, "v1")
    backend.clock.ahead_s += HOUR_S - backend.clock() % HOUR_S
    for seconds, expected in ((HOUR_S, None), (SETTLED_S, 1), (HOUR_S, 3)):
        pull(backend)
        advance_clock(backend, seconds)
        count(backend)
        assert sums(backend).get("v1") == expected
    assert of_tag(backend) == 3


def test_the_first_pull_of_an_hour_writes_the_timer_and_no_later_one_moves_it(backend: Backend) -> None:
    push_image(backend, "v1")
    backend.clock.ahead_s += HOUR_S - backend.clock() % HOUR_S
    identifier, hour = repository_of(backend).id, hour_of(backend.clock())
    for seconds in (0, 1800, 1790):
        pull(backend)
        assert timer_due_at(PULLS, keys.hour_target(identifier, hour)) == due_at(identifier, hour)
        advance_clock(backend, seconds)
    assert len(rows_like(backend, "TIMER#pulls#")) == 1
    advance_clock(backend, 20)
    pull(backend)
    assert len(rows_like(backend, "TIMER#pulls#")) == 2

    advance_clock(backend, SETTLES_S)
    sweep(backend)
    assert rows_like(backend, "TIMER#pulls#") == []
    assert sums(backend)["v1"] == 4


def test_an_hourly_log_counts_the_same_pull_once_an_hour(new_backend: Callable[..., Backend]) -> None:
    backend = new_backend()
    push_image(backend, "v1")
    backend.clock.ahead_s += HOUR_S - backend.clock() % HOUR_S
    pull(backend, times=3)
    assert of_tag(backend) == 1

    advance_clock(backend, HOUR_S)
    pull(backend)
    assert of_tag(backend) == 2
    advance_clock(backend, SETTLES_S)
    sweep(backend)
    assert (of_tag(backend), sums(backend)["v1"]) == (2, 2)


def test_a_crash_loses_no_pull_and_counts_none_twice(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PAGE", 4)
    monkeypatch.setattr(service, "MOST_SUMS", 4)
    digests = [push_image(backend, f"v{number}").digest for number in range(4)]
    pulled = 0

    def prepare(_: int) -> Callable[[], object]:
        nonlocal pulled
        for number in range(4):
            pull(backend, Tag(f"v{number}"), 2)
        pulled += 2
        advance_clock(backend, SETTLES_S)
        return lambda: count(backend)

    states = crash_everywhere(backend, prepare)

    assert [of_tag(backend, f"v{number}") for number in range(4)] == [pulled] * 4
    assert sums(backend) == {f"v{number}": pulled for number in range(4)} | {str(digest): pulled for digest in digests}
    assert states >= 3


def test_a_count_is_right_between_any_two_calls_of_the_summing(backend: Backend) -> None:
    """The sums of the manifest, or of both, may also grow between any two calls of the request."""
    digest = push_image(backend, "v1").digest
    by_tag = by_digest = 0

    def check() -> None:
        shown = backend.services.activity.pulls.of_tag(backend.signed_in("admin"), NAME, Tag("v1"))
        assert (shown.of_tag.pulls, shown.of_manifest.pulls) == (by_tag, by_tag + by_digest)
        assert of_manifest(backend, digest) == by_tag + by_digest

    for other, one in ((lambda: count(backend), check), (check, lambda: count(backend))):
        number, was_done = 1, True
        while was_done:
            for is_by_tag in (True, False):
                pull(backend, "v1" if is_by_tag else digest)
                by_tag, by_digest = by_tag + is_by_tag, by_digest + (not is_by_tag)
                advance_clock(backend, SETTLES_S)
                with meanwhile(backend, number, other) as done:
                    one()
                check()
            was_done, number = bool(done), number + 1
        assert number > 4


def test_of_two_summings_at_once_one_conflicts_and_is_retried(backend: Backend) -> None:
    push_image(backend, "v1")
    pull(backend, times=3)
    advance_clock(backend, SETTLES_S)

    with just_before_commit(backend, lambda: count(backend)):
        assert count(backend) is None

    assert sums(backend)["v1"] == of_tag(backend) == 3


def test_many_summings_at_once_count_each_pull_once(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PAGE", 2)
    push_image(backend, "v1")
    pull(backend, times=11)
    advance_clock(backend, SETTLES_S)

    turns = [threading.Thread(target=count, args=[backend]) for _ in range(3)]
    for turn in turns:
        turn.start()
    for turn in turns:
        turn.join()
    count(backend)

    assert sums(backend)["v1"] == of_tag(backend) == 11


def test_a_summing_whose_time_is_up_continues_later(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PAGE", 2)
    push_image(backend, "v1")
    pull(backend, times=5)
    advance_clock(backend, SETTLES_S)
    for expected in (2, 4):
        assert count(backend, has_time=False) is not None
        assert sums(backend)["v1"] == expected
    assert count(backend, has_time=False) is None
    assert sums(backend)["v1"] == 5


def test_a_request_reads_one_page_of_unsummed_pulls_however_many_there_are(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE", 3)
    digest = push_image(backend, "v1").digest
    actor, costs = backend.signed_in("admin"), []
    for _ in range(3):
        backend.calls.take()
        backend.services.activity.pulls.of_tag(actor, NAME, Tag("v1"))
        backend.services.activity.pulls.of_manifest(actor, NAME, digest)
        costs.append(backend.calls.take())
        pull(backend, times=4)

    assert of_tag(backend) == 3
    each = ["GetItem", "GetItem", "BatchGetItem", "BatchGetItem", "Query"]
    assert costs == [each * 2] * 3
    advance_clock(backend, SETTLES_S)
    sweep(backend)
    assert of_tag(backend) == 12


def test_records_without_a_digest_count_for_their_tags(backend: Backend) -> None:
    push_image(backend, "v1")
    actor = token_actor(backend, "admin", "admin/app")
    manifest: Any = ("", "a/b")
    backend.services.activity.usage_log.record_pull(actor, repository_of(backend), Tag("v1"), manifest)

    assert of_tag(backend) == 1


def test_a_manifest_pushed_again_after_collection_starts_from_zero(backend: Backend) -> None:
    manifest = push_manifest(backend, a_manifest(), "v1")
    pull(backend)
    advance_clock(backend, SETTLES_S)
    sweep(backend)
    delete_tag(backend, "v1")
    assert of_manifest(backend, manifest.digest) == 1
    expire_everything(backend)
    with pytest.raises(ResourceUnknown):
        of_manifest(backend, manifest.digest)
    assert sums(backend) == {"v1": 1}

    push_manifest(backend, manifest, "v1")
    assert (of_tag(backend), of_manifest(backend, manifest.digest)) == (1, 0)


def test_a_restored_repository_has_its_counts_and_its_unsummed_pulls(backend: Backend) -> None:
    push_image(backend, "v1")
    pull(backend)
    advance_clock(backend, SETTLES_S)
    sweep(backend)
    pull(backend)
    identifier = repository_of(backend).id
    backend.services.registry.repositories.delete(backend.signed_in("admin"), NAME)
    advance_clock(backend, SETTLES_S)
    sweep(backend)
    backend.services.lifecycle.repository_deletion.restore(backend.signed_in("admin"), identifier)

    assert (of_tag(backend), sums(backend)["v1"]) == (2, 2)


def test_a_deleted_repository_leaves_no_counts_and_a_new_one_of_its_name_inherits_none(backend: Backend) -> None:
    push_image(backend, "v1")
    pull(backend, times=2)
    advance_clock(backend, SETTLES_S)
    sweep(backend)
    pull(backend)
    backend.services.registry.repositories.delete(backend.signed_in("admin"), NAME)
    push_image(backend, "v1")
    assert of_tag(backend) == 0
    pull(backend)

    expire_everything(backend)

    assert sums(backend)["v1"] == of_tag(backend) == 1
    assert {row["pk"] for row in rows_like(backend, "PULLS#")} == {f"PULLS#R#{repository_of(backend).id}"}
    assert rows_like(backend, "TIMER#pulls#") == []


@pytest.mark.parametrize("is_purge_within", [True, False])
def test_a_summing_during_the_purge_of_a_repository_leaves_nothing(backend: Backend, is_purge_within: bool) -> None:
    number, was_done = 1, True
    while was_done:
        push_image(backend, "v1")
        identifier = repository_of(backend).id
        pull(backend)
        backend.services.registry.repositories.delete(backend.signed_in("admin"), NAME)
        advance_clock(backend, 15 * 86400)
        due, purge = Due(PULLS, keys.hour_target(identifier, 0), 0), Due("purge_repository", identifier, 0)
        works = [
            partial(backend.services.activity.pulls.work, due),
            partial(backend.services.lifecycle.repository_deletion.work, purge),
        ]
        around, within = works if is_purge_within else reversed(works)
        with meanwhile(backend, number, partial(within, lambda: True)) as done:
            around(lambda: True)
        # If the other one has not run in between, it runs now.
        works[1](lambda: True)
        assert rows_like(backend, f"PULLS#R#{identifier}") == []
        was_done, number = bool(done), number + 1
    assert number > 3


@pytest.mark.parametrize("what", ["v2", "x" * 3000, "ü", "sha256:" + "0" * 64, "sha256:short"])
def test_a_tag_or_manifest_that_does_not_exist_has_no_pulls(backend: Backend, what: str) -> None:
    push_image(backend, "v1")
    for ask in (of_tag, of_manifest):
        with pytest.raises(ResourceUnknown):
            ask(backend, what)


def test_a_deleted_tag_has_no_pulls_and_is_restored_with_its_counts(backend: Backend) -> None:
    digest = push_image(backend, "v1").digest
    pull(backend)
    delete_tag(backend, "v1")
    with pytest.raises(ResourceUnknown):
        of_tag(backend)
    assert of_manifest(backend, digest) == 1

    TagActions(backend).restore("v1", str(digest))
    assert of_tag(backend) == 1


def asked(backend: Backend, actor: Actor, name: RepositoryName = NAME) -> list[type[Exception] | None]:
    """Returns the error of both requests, None if they succeed."""
    found: list[type[Exception] | None] = []
    digest = backend.services.stores.tags.get(repository_of(backend).id, "v1").digest
    pulls = backend.services.activity.pulls
    for ask in (lambda: pulls.of_tag(actor, name, Tag("v1")), lambda: pulls.of_manifest(actor, name, digest)):
        try:
            ask()
        except (Denied, NameUnknown, Unauthenticated) as error:
            found.append(type(error))
        else:
            found.append(None)
    return found


@pytest.mark.parametrize("visibility", Visibility)
def test_an_own_role_is_needed_even_on_a_public_repository(backend: Backend, visibility: Visibility) -> None:
    """As in Quay, pulls are not public."""
    push_image(backend, "v1")
    backend.user("bob")
    backend.user("carol")
    an_actor_with_role(backend, "bob", Role.READ)
    backend.services.registry.repositories.change_visibility(backend.signed_in("admin"), NAME, visibility)

    assert asked(backend, backend.signed_in("admin")) == asked(backend, backend.signed_in("bob")) == [None, None]
    for actor in (backend.signed_in("carol"), replace(backend.signed_in("admin"), scopes=frozenset())):
        assert asked(backend, actor) == [Denied] * 2
    assert asked(backend, ANONYMOUS) == [Unauthenticated] * 2


@pytest.mark.parametrize("is_full", [True, False])
def test_superusers_with_full_access_may_and_others_may_not(new_backend: Callable[..., Backend], is_full: bool) -> None:
    backend, name = new_backend(superusers_full_access=is_full), RepositoryName.parse("bob/app")
    backend.user("bob")
    push_image(backend, "v1", repository="bob/app")
    backend.services.registry.repositories.change_visibility(backend.signed_in("bob"), name, Visibility.PUBLIC)

    with nullcontext() if is_full else pytest.raises(Denied):
        backend.services.activity.pulls.of_tag(backend.signed_in("admin"), name, Tag("v1"))


def test_a_missing_repository_is_denied_to_others_and_unknown_to_its_owner(backend: Backend) -> None:
    push_image(backend, "v1")
    backend.user("carol")
    nowhere = RepositoryName.parse("admin/nowhere")

    assert asked(backend, backend.signed_in("admin"), nowhere) == [NameUnknown, NameUnknown]
    assert asked(backend, backend.signed_in("carol"), nowhere) == [Denied, Denied]


def test_a_timer_for_another_target_is_an_error(backend: Backend) -> None:
    with pytest.raises(ValueError, match="is not an hour of a repository"):
        backend.services.activity.pulls.work(Due(PULLS, "R#one", 0), lambda: True)
