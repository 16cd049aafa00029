"""Pulls, counted: each once, whoever adds them up and whenever they die, and shown at once."""

import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import pytest

from chalicelib.domain.errors import Denied, NameUnknown, ResourceUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, Actor, Role
from chalicelib.domain.pulls import HOUR_S, SETTLED_S, SPREAD_S, Sum, due_at, hour_of
from chalicelib.domain.repositories import Visibility
from chalicelib.domain.timers import PULLS, Due, Later
from chalicelib.services.activity import pulls as service
from chalicelib.storage import keys
from tests.support.backends import House
from tests.support.builders import a_bare_push, a_granted, a_manifest, a_push, someone
from tests.support.crashes import crash_everywhere, just_before_commit, meanwhile
from tests.support.rows import due_at as timer_due_at
from tests.support.rows import repository_of, rows_like
from tests.support.sweeping import delete_tag, later, outlive, sweep

NAME = RepositoryName.parse("admin/app")
# From a pull on, however late in its hour: all of that hour are to be added up.
SETTLES_S = HOUR_S + SETTLED_S + SPREAD_S + 1


@pytest.fixture
def house(new_house: Callable[..., House]) -> House:
    """One that records each pull."""
    return new_house(pull_log="all")


def pull(house: House, reference: object = "v1", times: int = 1) -> None:
    for _ in range(times):
        house.services.manifests.pull(someone(house, "admin", "admin/app"), NAME, reference)


def of_tag(house: House, tag: str = "v1") -> int:
    return house.services.pulls.of_tag(house.signed_in("admin"), NAME, tag).of_tag.pulls


def of_manifest(house: House, digest: object) -> int:
    return house.services.pulls.of_manifest(house.signed_in("admin"), NAME, str(digest)).pulls


def count(house: House, *, has_time: bool = True) -> Later | None:
    due = Due(PULLS, keys.hour_target(repository_of(house).id, 0), 0)
    return house.services.pulls.work(due, lambda: has_time)


def sums(house: House) -> dict[str, int]:
    """What is in the sums, by tag and digest."""
    return {row["sk"].removeprefix("OF#"): row["pulls"] for row in rows_like(house, "PULLS#", "OF#")}


def test_a_pull_shows_at_once_and_just_as_much_when_it_is_added_up(house: House) -> None:
    digest = a_push(house, "v1").digest
    assert house.services.pulls.of_tag(house.signed_in("admin"), NAME, "v1").of_tag == Sum()
    pull(house, times=3)
    pull(house, digest)
    shown = house.services.pulls.of_tag(house.signed_in("admin"), NAME, "v1")
    assert (shown.digest, shown.of_tag.pulls, shown.of_manifest.pulls) == (digest, 3, 4)
    assert shown.of_tag.last_at == pytest.approx(house.clock(), abs=60)
    assert sums(house) == {}

    later(house, SETTLES_S)
    sweep(house)

    assert sums(house) == {"v1": 3, str(digest): 4}
    assert house.services.pulls.of_tag(house.signed_in("admin"), NAME, "v1") == shown
    pull(house)
    assert (of_tag(house), of_manifest(house, digest)) == (4, 5)


def test_the_sums_of_a_tag_are_the_name_s_and_those_of_a_manifest_the_digest_s(house: House) -> None:
    first = a_push(house, "v1").digest
    pull(house)
    second = a_push(house, "v1", "v2").digest
    pull(house)
    pull(house, "v2")
    for _ in range(2):
        assert (of_tag(house, "v1"), of_tag(house, "v2")) == (2, 1)
        assert (of_manifest(house, first), of_manifest(house, second)) == (1, 2)
        later(house, SETTLES_S)
        sweep(house)


def test_only_hours_that_are_settled_are_added_up(house: House) -> None:
    a_push(house, "v1")
    house.clock.ahead_s += HOUR_S - house.clock() % HOUR_S
    for seconds, expected in ((HOUR_S, None), (SETTLED_S, 1), (HOUR_S, 3)):
        pull(house)
        later(house, seconds)
        count(house)
        assert sums(house).get("v1") == expected
    assert of_tag(house) == 3


def test_one_pull_of_an_hour_brings_the_timer_which_no_later_one_moves(house: House) -> None:
    a_push(house, "v1")
    house.clock.ahead_s += HOUR_S - house.clock() % HOUR_S
    identifier, hour = repository_of(house).id, hour_of(house.clock())
    for seconds in (0, 1800, 1790):
        pull(house)
        assert timer_due_at(PULLS, keys.hour_target(identifier, hour)) == due_at(identifier, hour)
        later(house, seconds)
    assert len(rows_like(house, "TIMER#pulls#")) == 1
    later(house, 20)
    pull(house)
    assert len(rows_like(house, "TIMER#pulls#")) == 2

    later(house, SETTLES_S)
    sweep(house)
    assert rows_like(house, "TIMER#pulls#") == []
    assert sums(house)["v1"] == 4


def test_an_hourly_log_counts_a_puller_once_an_hour(new_house: Callable[..., House]) -> None:
    house = new_house()
    a_push(house, "v1")
    house.clock.ahead_s += HOUR_S - house.clock() % HOUR_S
    pull(house, times=3)
    assert of_tag(house) == 1

    later(house, HOUR_S)
    pull(house)
    assert of_tag(house) == 2
    later(house, SETTLES_S)
    sweep(house)
    assert (of_tag(house), sums(house)["v1"]) == (2, 2)


def test_a_death_before_any_call_loses_no_pull_and_counts_none_twice(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE", 4)
    monkeypatch.setattr(service, "MOST_SUMS", 4)
    digests = [a_push(house, f"v{number}").digest for number in range(4)]
    pulled = 0

    def prepare(_: int) -> Callable[[], object]:
        nonlocal pulled
        for number in range(4):
            pull(house, f"v{number}", 2)
        pulled += 2
        later(house, SETTLES_S)
        return lambda: count(house)

    states = crash_everywhere(house, prepare)

    assert [of_tag(house, f"v{number}") for number in range(4)] == [pulled] * 4
    assert sums(house) == {f"v{number}": pulled for number in range(4)} | {str(digest): pulled for digest in digests}
    assert states >= 3


def test_what_an_answer_tells_is_right_between_any_two_calls_of_who_adds_up(house: House) -> None:
    """And the sums, of the manifest alone or of both, may grow between any two calls of who asks."""
    digest = a_push(house, "v1").digest
    by_tag = by_digest = 0

    def check() -> None:
        shown = house.services.pulls.of_tag(house.signed_in("admin"), NAME, "v1")
        assert (shown.of_tag.pulls, shown.of_manifest.pulls) == (by_tag, by_tag + by_digest)
        assert of_manifest(house, digest) == by_tag + by_digest

    for other, one in ((lambda: count(house), check), (check, lambda: count(house))):
        number, was_done = 1, True
        while was_done:
            for is_by_tag in (True, False):
                pull(house, "v1" if is_by_tag else digest)
                by_tag, by_digest = by_tag + is_by_tag, by_digest + (not is_by_tag)
                later(house, SETTLES_S)
                with meanwhile(house, number, other) as done:
                    one()
                check()
            was_done, number = bool(done), number + 1
        assert number > 4


def test_of_two_who_add_up_at_once_one_is_too_late_and_looks_again(house: House) -> None:
    a_push(house, "v1")
    pull(house, times=3)
    later(house, SETTLES_S)

    with just_before_commit(house, lambda: count(house)):
        assert count(house) is None

    assert sums(house)["v1"] == of_tag(house) == 3


def test_many_who_add_up_at_once_count_each_pull_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PAGE", 2)
    a_push(house, "v1")
    pull(house, times=11)
    later(house, SETTLES_S)

    turns = [threading.Thread(target=count, args=[house]) for _ in range(3)]
    for turn in turns:
        turn.start()
    for turn in turns:
        turn.join()
    count(house)

    assert sums(house)["v1"] == of_tag(house) == 11


def test_whose_time_is_up_goes_on_later_from_where_they_were(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PAGE", 2)
    a_push(house, "v1")
    pull(house, times=5)
    later(house, SETTLES_S)
    for expected in (2, 4):
        assert count(house, has_time=False) is not None
        assert sums(house)["v1"] == expected
    assert count(house, has_time=False) is None
    assert sums(house)["v1"] == 5


def test_an_answer_looks_at_one_page_behind_the_sums_and_costs_the_same_however_many_pulls_there_are(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE", 3)
    digest = a_push(house, "v1").digest
    actor, costs = house.signed_in("admin"), []
    for _ in range(3):
        house.calls.take()
        house.services.pulls.of_tag(actor, NAME, "v1")
        house.services.pulls.of_manifest(actor, NAME, str(digest))
        costs.append(house.calls.take())
        pull(house, times=4)

    assert of_tag(house) == 3
    each = ["GetItem", "GetItem", "BatchGetItem", "BatchGetItem", "Query"]
    assert costs == [each * 2] * 3
    later(house, SETTLES_S)
    sweep(house)
    assert of_tag(house) == 12


def test_records_from_before_digests_were_told_count_for_their_tags(house: House) -> None:
    a_push(house, "v1")
    house.services.usage.pulled(someone(house, "admin", "admin/app"), repository_of(house), "v1", ("", "a/b"))

    assert of_tag(house) == 1


def test_a_manifest_that_the_collector_took_begins_anew(house: House) -> None:
    manifest = a_bare_push(house, a_manifest(), "v1")
    pull(house)
    later(house, SETTLES_S)
    sweep(house)
    delete_tag(house, "v1")
    assert of_manifest(house, manifest.digest) == 1
    outlive(house)
    with pytest.raises(ResourceUnknown):
        of_manifest(house, manifest.digest)
    assert sums(house) == {"v1": 1}

    a_bare_push(house, manifest, "v1")
    assert (of_tag(house), of_manifest(house, manifest.digest)) == (1, 0)


def test_a_repository_that_is_brought_back_has_its_counts_and_what_was_not_added_up_yet(house: House) -> None:
    a_push(house, "v1")
    pull(house)
    later(house, SETTLES_S)
    sweep(house)
    pull(house)
    identifier = repository_of(house).id
    house.services.repositories.delete(house.signed_in("admin"), NAME)
    later(house, SETTLES_S)
    sweep(house)
    house.services.deletions.restore(house.signed_in("admin"), identifier)

    assert (of_tag(house), sums(house)["v1"]) == (2, 2)


def test_of_a_deleted_repository_nothing_stays_and_its_name_s_next_inherits_nothing(house: House) -> None:
    a_push(house, "v1")
    pull(house, times=2)
    later(house, SETTLES_S)
    sweep(house)
    pull(house)
    house.services.repositories.delete(house.signed_in("admin"), NAME)
    a_push(house, "v1")
    assert of_tag(house) == 0
    pull(house)

    outlive(house)

    assert sums(house)["v1"] == of_tag(house) == 1
    assert {row["pk"] for row in rows_like(house, "PULLS#")} == {f"PULLS#R#{repository_of(house).id}"}
    assert rows_like(house, "TIMER#pulls#") == []


@pytest.mark.parametrize("is_purge_within", [True, False])
def test_what_adds_up_while_a_repository_is_taken_apart_leaves_nothing(house: House, is_purge_within: bool) -> None:
    number, was_done = 1, True
    while was_done:
        a_push(house, "v1")
        identifier = repository_of(house).id
        pull(house)
        house.services.repositories.delete(house.signed_in("admin"), NAME)
        later(house, 15 * 86400)
        due, purge = Due(PULLS, keys.hour_target(identifier, 0), 0), Due("purge_repository", identifier, 0)
        works = [partial(house.services.pulls.work, due), partial(house.services.deletions.work, purge)]
        around, within = works if is_purge_within else reversed(works)
        with meanwhile(house, number, partial(within, lambda: True)) as done:
            around(lambda: True)
        # Where the other one no longer came in between, it comes now.
        works[1](lambda: True)
        assert rows_like(house, f"PULLS#R#{identifier}") == []
        was_done, number = bool(done), number + 1
    assert number > 3


@pytest.mark.parametrize("what", ["v2", "x" * 3000, "ü", "sha256:" + "0" * 64, "sha256:short"])
def test_a_tag_or_a_manifest_that_is_not_there_has_no_pulls(house: House, what: str) -> None:
    a_push(house, "v1")
    for ask in (of_tag, of_manifest):
        with pytest.raises(ResourceUnknown):
            ask(house, what)


def test_a_tag_that_has_ended_is_not_there_and_comes_back_with_its_counts(house: House) -> None:
    digest = a_push(house, "v1").digest
    pull(house)
    delete_tag(house, "v1")
    with pytest.raises(ResourceUnknown):
        of_tag(house)
    assert of_manifest(house, digest) == 1

    house.services.time_machine.restore(house.signed_in("admin"), NAME, "v1", str(digest))
    assert of_tag(house) == 1


def asked(house: House, actor: Actor, name: RepositoryName = NAME) -> list[type[Exception] | None]:
    """What refuses the two questions, None where they are answered."""
    found: list[type[Exception] | None] = []
    digest = str(house.services._tags.get(repository_of(house).id, "v1").digest)
    for ask in (
        lambda: house.services.pulls.of_tag(actor, name, "v1"),
        lambda: house.services.pulls.of_manifest(actor, name, digest),
    ):
        try:
            ask()
        except (Denied, NameUnknown) as error:
            found.append(type(error))
        else:
            found.append(None)
    return found


@pytest.mark.parametrize("visibility", Visibility)
def test_a_role_of_one_s_own_is_needed_be_the_repository_public_or_not(house: House, visibility: Visibility) -> None:
    """As in Quay: who pulls what is nobody else's business."""
    a_push(house, "v1")
    house.user("bob")
    house.user("carol")
    a_granted(house, "bob", Role.READ)
    house.services.repositories.change_visibility(house.signed_in("admin"), NAME, visibility)

    assert asked(house, house.signed_in("admin")) == [None, None]
    assert asked(house, house.signed_in("bob")) == [None, None]
    for actor in (house.signed_in("carol"), ANONYMOUS, replace(house.signed_in("admin"), scopes=frozenset())):
        assert asked(house, actor) == [Denied, Denied]


@pytest.mark.parametrize("is_full", [True, False])
def test_superusers_with_full_access_may_and_others_may_not(new_house: Callable[..., House], is_full: bool) -> None:
    house, name = new_house(superusers_full_access=is_full), RepositoryName.parse("bob/app")
    house.user("bob")
    a_push(house, "v1", repository="bob/app")
    house.services.repositories.change_visibility(house.signed_in("bob"), name, Visibility.PUBLIC)

    with nullcontext() if is_full else pytest.raises(Denied):
        house.services.pulls.of_tag(house.signed_in("admin"), name, "v1")


def test_a_repository_that_is_not_there_is_denied_to_strangers_and_unknown_to_its_owner(house: House) -> None:
    a_push(house, "v1")
    house.user("carol")
    nowhere = RepositoryName.parse("admin/nowhere")

    assert asked(house, house.signed_in("admin"), nowhere) == [NameUnknown, NameUnknown]
    assert asked(house, house.signed_in("carol"), nowhere) == [Denied, Denied]


def test_a_timer_for_something_else_is_an_error(house: House) -> None:
    with pytest.raises(ValueError, match="no pulls"):
        house.services.pulls.work(Due(PULLS, "R#one", 0), lambda: True)
