"""The usage log, read: who may, page by page, counted, exported."""

import time
from collections import Counter
from collections.abc import Callable

import pytest

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.errors import Denied, FieldInvalid, ResourceUnknown, Unauthenticated, Unavailable
from chalicelib.domain.events import PULL, PUSH, Event
from chalicelib.domain.ids import ulid
from chalicelib.domain.log_cursors import DAY_S, day_start
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, Actor, Role
from chalicelib.domain.usage_log import UsageLogQuery
from chalicelib.services.activity import usage_log_reader
from chalicelib.services.activity.usage_log import hour_key
from chalicelib.services.activity.usage_log_reader import PAGE, LogOwner, LogPage
from chalicelib.storage.activity.usage_log import UsageLogStore
from chalicelib.storage.table import Transaction
from tests.support.backends import House
from tests.support.builders import a_granted, a_push, a_repository, an_organization
from tests.support.rows import rows_like

APP = LogOwner(repository=RepositoryName.parse("admin/app"))
ACME, MINE, EVERYBODY = LogOwner(organization="acme"), LogOwner(), LogOwner(everybody=True)
STORE = UsageLogStore(10**9)


def asked(house: House, days: int = 1, performer: str = "", kind: str = "") -> UsageLogQuery:
    """The last days, with today."""
    return UsageLogQuery(day(house, days), day(house, 0), performer, kind)


def day(house: House, ago: int) -> str:
    """A day as it is written in a query."""
    return time.strftime("%m/%d/%Y", time.gmtime(house.clock() - ago * DAY_S))


def an_event(at: float, kind: str = PULL, performer: str = "admin", namespace: str = "n", key: str = "") -> Event:
    return Event(key or ulid(at), at, kind, namespace, None, performer, "10.0.0.1", {"reference": "v1"})


def record(*happened: Event) -> None:
    for event in happened:
        transaction = Transaction()
        STORE.record(transaction, event)
        transaction.commit()


def pages(house: House, actor: Actor, whose: LogOwner, what: UsageLogQuery) -> list[LogPage]:
    """All pages of a log."""
    found = [house.services.logs.page(actor, whose, what)]
    while found[-1].following:
        found.append(house.services.logs.page(actor, whose, what, found[-1].following))
    return found


def test_what_happened_to_a_repository_is_told_newest_first_with_who_did_it(house: House) -> None:
    a_push(house, "v1")
    actor, name = house.owner()
    house.services.manifests.pull(actor, name, "v1")
    found = house.services.logs.page(house.signed_in("admin"), APP, asked(house))

    assert sorted(entry.kind for entry in found.entries) == ["create_repo", "pull_repo", "push_repo"]
    assert {entry.performer for entry in found.entries} == {"admin"}
    assert {entry.metadata["repo"] for entry in found.entries} == {"app"}
    assert [entry.metadata["tag"] for entry in found.entries if entry.kind != "create_repo"] == ["v1", "v1"]
    assert found.following is None


def test_a_namespace_s_log_has_that_of_its_repositories_and_no_other(house: House) -> None:
    acme = an_organization(house)
    a_push(house, "v1")
    record(an_event(house.clock(), "org_create_team", namespace=acme))
    mine = house.services.logs.page(house.signed_in("admin"), MINE, asked(house))
    theirs = house.services.logs.page(house.signed_in("admin"), ACME, asked(house))

    assert {entry.kind for entry in mine.entries} == {"user_create", "create_repo", "push_repo"}
    assert [entry.kind for entry in theirs.entries] == ["org_create_team"]


def test_everybody_s_log_names_the_namespaces(house: House) -> None:
    acme, bob = an_organization(house), house.user("bob")
    record(an_event(house.clock(), namespace=acme), an_event(house.clock(), namespace="gone"))
    found = house.services.logs.page(house.signed_in("admin"), EVERYBODY, asked(house))

    names = {entry.namespace for entry in found.entries}
    assert {("acme", AccountKind.ORGANIZATION), (bob.name, AccountKind.USER), None} <= names
    assert [entry.at for entry in found.entries] == sorted((entry.at for entry in found.entries), reverse=True)


@pytest.mark.parametrize("whose", [ACME, EVERYBODY], ids=["organization", "everybody"])
def test_pages_follow_each_other_without_gap_or_repeat_however_many_happened_at_once(
    house: House, whose: LogOwner
) -> None:
    acme, now = an_organization(house), int(house.clock())
    pulls = [an_event(now, namespace=acme) for _ in range(45)]
    STORE.write_pulls([*pulls, *pulls])
    changes = [an_event(now, PUSH, namespace=acme) for _ in range(8)]
    record(*changes)
    found = pages(house, house.signed_in("admin"), whose, asked(house))

    assert [len(page.entries) for page in found[:-1]] == [PAGE] * (len(found) - 1)
    count = Counter(entry.kind for page in found for entry in page.entries)
    assert (count[PULL], count[PUSH]) == (45, 8)


def test_a_full_last_page_has_no_other_behind_it(house: House) -> None:
    acme = an_organization(house)
    STORE.write_pulls([an_event(house.clock(), namespace=acme) for _ in range(PAGE)])

    assert len(pages(house, house.signed_in("admin"), ACME, asked(house))) == 1


def test_only_the_days_that_were_asked_for_are_told(house: House) -> None:
    acme, now = an_organization(house), house.clock()
    kinds = ["push_repo", "create_tag", "move_tag", "revert_tag", "delete_tag"]
    record(*(an_event(now - days * DAY_S, kind, namespace=acme) for days, kind in enumerate(kinds)))
    found = house.services.logs.page(house.signed_in("admin"), ACME, UsageLogQuery(day(house, 3), day(house, 2)))

    assert [entry.kind for entry in found.entries] == ["move_tag", "revert_tag"]


def test_a_log_is_narrowed_by_performer_and_kind(house: House) -> None:
    acme, now = an_organization(house), house.clock()
    record(
        *(an_event(now, kind, who, acme) for kind in (PUSH, "org_create_team") for who in ("admin", "bob", "acme+ci"))
    )
    actor = house.signed_in("admin")

    (page,) = pages(house, actor, ACME, asked(house, performer="acme+ci"))
    assert {entry.performer for entry in page.entries} == {"acme+ci"}
    (page,) = pages(house, actor, ACME, asked(house, kind=PUSH))
    assert [entry.kind for entry in page.entries] == [PUSH] * 3
    (page,) = pages(house, actor, ACME, asked(house, performer="bob", kind=PUSH))
    assert [(entry.performer, entry.kind) for entry in page.entries] == [("bob", PUSH)]


def test_a_performer_that_there_is_none_of_is_told_but_one_who_is_gone_is_found(house: House) -> None:
    record(an_event(house.clock(), namespace=an_organization(house), performer="left"))
    actor = house.signed_in("admin")

    with pytest.raises(FieldInvalid, match="performer"):
        house.services.logs.page(actor, ACME, asked(house, performer="nobody"))
    assert len(house.services.logs.page(actor, ACME, asked(house, performer="left")).entries) == 1
    house.user("bob")
    assert house.services.logs.page(actor, ACME, asked(house, performer="bob")).entries == []


def test_a_narrowed_page_reads_so_much_and_goes_on_from_there(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_log_reader, "MOST_READ", 10)
    acme = an_organization(house)
    who = ["bob" if number in (3, 17, 24) else "admin" for number in range(25)]
    STORE.write_pulls(
        [an_event(house.clock() - number, performer=one, namespace=acme) for number, one in enumerate(who)]
    )
    found = pages(house, house.signed_in("admin"), ACME, asked(house, performer="bob"))

    assert [len(page.entries) for page in found] == [1, 1, 1]


def test_a_page_is_two_queries_though_there_are_a_month_and_ten_thousand_pulls(house: House) -> None:
    acme, now = an_organization(house), house.clock()
    STORE.write_pulls([an_event(now - number * 250, namespace=acme) for number in range(10_000)])
    actor = house.signed_in("admin")
    house.services.access.administered(actor, "acme")
    house.calls.take()
    house.services.access.administered(actor, "acme")
    rights = house.calls.take()

    first = house.services.logs.page(actor, ACME, asked(house, days=30))
    assert house.calls.take() == [*rights, "Query", "Query"]
    house.services.logs.page(actor, ACME, asked(house, days=30), first.following)
    assert house.calls.take() == [*rights, "Query", "Query"]


def refused(house: House, actor: Actor, whose: LogOwner, kind: type[Exception]) -> None:
    """Listing and counting are refused alike."""
    what = asked(house)
    asking: list[Callable[[], object]] = [
        lambda: house.services.logs.page(actor, whose, what),
        lambda: house.services.logs.counts(actor, whose, what),
    ]
    for ask in asking:
        with pytest.raises(kind):
            ask()


def test_a_log_is_for_those_who_administer_what_it_is_of(house: House) -> None:
    an_organization(house)
    a_repository(house)
    house.user("bob")
    a_granted(house, "bob", Role.WRITE)
    bob = house.signed_in("bob")

    for whose in (APP, ACME, EVERYBODY):
        refused(house, bob, whose, Denied)
        refused(house, ANONYMOUS, whose, Denied if whose is APP else Unauthenticated)
    refused(house, ANONYMOUS, MINE, Unauthenticated)
    refused(house, house.signed_in("admin"), LogOwner(organization="nowhere"), ResourceUnknown)
    a_granted(house, "bob", Role.ADMIN)
    assert house.services.logs.page(bob, APP, asked(house)).entries


def test_a_superuser_reads_no_log_of_others_but_everybody_s(house: House) -> None:
    an_organization(house, owner=house.user("bob").name)

    refused(house, house.signed_in("admin"), ACME, Denied)


def by_kind(house: House, whose: LogOwner, what: UsageLogQuery) -> dict[tuple[str, int], int]:
    found = house.services.logs.counts(house.signed_in("admin"), whose, what)
    return {(count.kind, count.at): count.count for count in found}


def test_days_are_counted_by_kind_and_one_written_twice_counts_once(house: House) -> None:
    acme, now = an_organization(house), house.clock()
    today = int(now) // DAY_S * DAY_S
    pulls = [an_event(now - days * DAY_S, namespace=acme) for days in (0, 2, 2, 2)]
    STORE.write_pulls(pulls)
    STORE.write_pulls(pulls)
    record(an_event(now, PUSH, namespace=acme))
    expected = {(PULL, today): 1, (PULL, today - 2 * DAY_S): 3, (PUSH, today): 1}

    assert by_kind(house, ACME, asked(house, 5)) == expected
    assert by_kind(house, ACME, asked(house, 1)) == {key: n for key, n in expected.items() if key[1] == today}
    assert by_kind(house, ACME, asked(house, 5, kind=PUSH)) == {(PUSH, today): 1}
    assert by_kind(house, EVERYBODY, asked(house, 5)).items() >= expected.items()
    assert rows_like(house, "COUNT#") == []


def test_what_was_counted_once_is_not_read_again_and_stays_exact(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_log_reader, "WORTH_KEEPING", 1)
    acme, now = an_organization(house), house.clock()
    history = [an_event(now - number * 7200, namespace=acme) for number in range(100)]
    STORE.write_pulls(history)
    before = by_kind(house, ACME, asked(house, 9))
    assert sum(before.values()) == 100
    kept = rows_like(house, "COUNT#LOG#N#")
    assert len(kept) > 5

    # What is counted is not read: a record that hides among it would be missed, and no process writes such.
    STORE.write_pulls([an_event(now - 3 * DAY_S, namespace=acme)])
    assert by_kind(house, ACME, asked(house, 9)) == before
    # What comes now, or came late within this hour, is.
    hour = int(now) // 3600 * 3600
    STORE.write_pulls([an_event(now, namespace=acme, key=hour_key(hour, "f" * 64)), an_event(now, namespace=acme)])
    assert sum(by_kind(house, ACME, asked(house, 9)).values()) == 102
    house.clock.ahead_s = 3 * 3600
    assert sum(by_kind(house, ACME, asked(house, 9)).values()) == 102
    assert sum(by_kind(house, ACME, asked(house, 9)).values()) == 102


@pytest.mark.parametrize("most", [1, 7, 30])
def test_a_long_count_goes_on_when_asked_again(house: House, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(usage_log_reader, "MOST_COUNTED", most)
    acme, now = an_organization(house), house.clock()
    old = [an_event(now - DAY_S - number * 7200, namespace=acme) for number in range(50)]
    STORE.write_pulls(old)
    for _ in range(50 // most + 2):
        try:
            found = by_kind(house, ACME, asked(house, 9))
        except Unavailable:
            continue
        assert sum(found.values()) == 50
        break
    else:
        pytest.fail("it never came to an end")


def test_a_narrowed_count_that_is_too_long_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_log_reader, "MOST_COUNTED", 3)
    acme = an_organization(house)
    STORE.write_pulls([an_event(house.clock(), namespace=acme) for _ in range(4)])

    with pytest.raises(FieldInvalid, match="fewer days"):
        by_kind(house, ACME, asked(house, performer="admin"))


def test_more_than_a_month_is_not_counted(house: House) -> None:
    with pytest.raises(FieldInvalid, match="31 days"):
        by_kind(house, MINE, asked(house, 31))


def test_counting_a_quiet_month_is_two_queries_for_each_of_two_runs(house: House) -> None:
    actor = house.signed_in("admin")
    house.calls.take()
    house.services.logs.counts(actor, MINE, asked(house, 30))

    assert house.calls.take() == ["Query"] * 4


def test_days_are_by_our_clock(house: House) -> None:
    house.clock.ahead_s = 400 * DAY_S
    period = house.services.logs.page(house.signed_in("admin"), MINE, UsageLogQuery()).period

    assert period.start <= house.clock() - DAY_S < period.end
    assert period.start == day_start(period.days[0])


def test_activity_is_told_to_whoever_may_read_a_day_at_a_time(house: House) -> None:
    a_push(house, "v1")
    house.user("bob")
    with pytest.raises(Denied):
        house.services.logs.activity(house.signed_in("bob"), APP.repository, 3)
    a_granted(house, "bob", Role.READ)

    (today, count), *before = house.services.logs.activity(house.signed_in("bob"), APP.repository, 3)

    assert count == len(["create_repo", "push_repo", "add_repo_permission"])
    assert [number for _, number in before] == [0, 0]
    house.clock.ahead_s = DAY_S
    assert house.services.logs.activity(house.signed_in("bob"), APP.repository, 3)[1] == (today, count)
