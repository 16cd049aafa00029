"""Tests who may read the usage log, its pages and its counts."""

import time
from collections import Counter
from collections.abc import Callable

import pytest

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.errors import Denied, FieldInvalid, ResourceUnknown, Unauthenticated, Unavailable
from chalicelib.domain.events import PULL, PUSH, Event
from chalicelib.domain.ids import ulid
from chalicelib.domain.log_cursors import DAY_S, day_start
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import ANONYMOUS, Actor, Role
from chalicelib.domain.usage_log import UsageLogQuery
from chalicelib.services.activity import usage_log_reader
from chalicelib.services.activity.usage_log import hour_key
from chalicelib.services.activity.usage_log_reader import PAGE, LogOwner, LogPage
from chalicelib.storage.activity.usage_log import UsageLogStore
from chalicelib.storage.table import Transaction
from tests.support.backends import Backend
from tests.support.builders import a_repository, an_actor_with_role, an_organization, push_image
from tests.support.rows import rows_like

APP = LogOwner(repository=RepositoryName.parse("admin/app"))
ACME, MINE, EVERYBODY = LogOwner(organization="acme"), LogOwner(), LogOwner(everybody=True)
STORE = UsageLogStore(10**9)


def asked(backend: Backend, days: int = 1, performer: str = "", kind: str = "") -> UsageLogQuery:
    """Returns the query of the last days including today."""
    return UsageLogQuery(day(backend, days), day(backend, 0), performer, kind)


def day(backend: Backend, ago: int) -> str:
    """Returns a day in the form of a query."""
    return time.strftime("%m/%d/%Y", time.gmtime(backend.clock() - ago * DAY_S))


def an_event(at: float, kind: str = PULL, performer: str = "admin", namespace: str = "n", key: str = "") -> Event:
    return Event(key or ulid(at), at, kind, namespace, None, performer, "10.0.0.1", {"reference": "v1"})


def record(*happened: Event) -> None:
    for event in happened:
        transaction = Transaction()
        STORE.record(transaction, event)
        transaction.commit()


def pages(backend: Backend, actor: Actor, whose: LogOwner, what: UsageLogQuery) -> list[LogPage]:
    """Returns the entries of all pages of a log."""
    found = [backend.services.activity.usage_log_reader.page(actor, whose, what)]
    while found[-1].following:
        found.append(backend.services.activity.usage_log_reader.page(actor, whose, what, found[-1].following))
    return found


def test_the_log_of_a_repository_is_newest_first_with_performers(backend: Backend) -> None:
    push_image(backend, "v1")
    actor, name = backend.owner()
    backend.services.registry.manifests.pull(actor, name, Tag("v1"))
    found = backend.services.activity.usage_log_reader.page(backend.signed_in("admin"), APP, asked(backend))

    assert sorted(entry.kind for entry in found.entries) == ["create_repo", "pull_repo", "push_repo"]
    assert {entry.performer for entry in found.entries} == {"admin"}
    assert {entry.metadata["repo"] for entry in found.entries} == {"app"}
    assert [entry.metadata["tag"] for entry in found.entries if entry.kind != "create_repo"] == ["v1", "v1"]
    assert found.following is None


def test_a_namespace_s_log_includes_its_repositories_and_no_other_namespace(backend: Backend) -> None:
    acme = an_organization(backend)
    push_image(backend, "v1")
    record(an_event(backend.clock(), "org_create_team", namespace=acme))
    mine = backend.services.activity.usage_log_reader.page(backend.signed_in("admin"), MINE, asked(backend))
    theirs = backend.services.activity.usage_log_reader.page(backend.signed_in("admin"), ACME, asked(backend))

    assert {entry.kind for entry in mine.entries} == {"user_create", "create_repo", "push_repo"}
    assert [entry.kind for entry in theirs.entries] == ["org_create_team"]


def test_everybody_s_log_names_the_namespaces(backend: Backend) -> None:
    acme, bob = an_organization(backend), backend.user("bob")
    record(an_event(backend.clock(), namespace=acme), an_event(backend.clock(), namespace="gone"))
    found = backend.services.activity.usage_log_reader.page(backend.signed_in("admin"), EVERYBODY, asked(backend))

    names = {entry.namespace for entry in found.entries}
    assert {("acme", AccountKind.ORGANIZATION), (bob.name, AccountKind.USER), None} <= names
    assert [entry.at for entry in found.entries] == sorted((entry.at for entry in found.entries), reverse=True)


@pytest.mark.parametrize("whose", [ACME, EVERYBODY], ids=["organization", "everybody"])
def test_pages_follow_each_other_without_gap_or_repeat_however_many_happened_at_once(
    backend: Backend, whose: LogOwner
) -> None:
    acme, now = an_organization(backend), int(backend.clock())
    pulls = [an_event(now, namespace=acme) for _ in range(45)]
    STORE.write_pulls([*pulls, *pulls])
    changes = [an_event(now, PUSH, namespace=acme) for _ in range(8)]
    record(*changes)
    found = pages(backend, backend.signed_in("admin"), whose, asked(backend))

    assert [len(page.entries) for page in found[:-1]] == [PAGE] * (len(found) - 1)
    count = Counter(entry.kind for page in found for entry in page.entries)
    assert (count[PULL], count[PUSH]) == (45, 8)


def test_pages_that_are_read_across_midnight_end_and_do_not_begin_again(backend: Backend) -> None:
    a_repository(backend)
    now = backend.clock()
    record(*(an_event(now - DAY_S - number, namespace=backend.account().id) for number in range(PAGE + 5)))
    first = backend.services.activity.usage_log_reader.page(backend.signed_in("admin"), MINE, asked(backend))
    backend.clock.ahead_s += 2 * DAY_S
    record(an_event(backend.clock(), namespace=backend.account().id))
    second = backend.services.activity.usage_log_reader.page(
        backend.signed_in("admin"), MINE, asked(backend), first.following
    )

    assert first.following is not None
    assert (second.entries, second.following) == ([], None)


def test_a_full_last_page_has_no_next_page(backend: Backend) -> None:
    acme = an_organization(backend)
    STORE.write_pulls([an_event(backend.clock(), namespace=acme) for _ in range(PAGE)])

    assert len(pages(backend, backend.signed_in("admin"), ACME, asked(backend))) == 1


def test_only_records_of_the_requested_days_are_returned(backend: Backend) -> None:
    acme, now = an_organization(backend), backend.clock()
    kinds = ["push_repo", "create_tag", "move_tag", "revert_tag", "delete_tag"]
    record(*(an_event(now - days * DAY_S, kind, namespace=acme) for days, kind in enumerate(kinds)))
    found = backend.services.activity.usage_log_reader.page(
        backend.signed_in("admin"), ACME, UsageLogQuery(day(backend, 3), day(backend, 2))
    )

    assert [entry.kind for entry in found.entries] == ["move_tag", "revert_tag"]


def test_a_log_is_filtered_by_performer_and_kind(backend: Backend) -> None:
    acme, now = an_organization(backend), backend.clock()
    record(
        *(an_event(now, kind, who, acme) for kind in (PUSH, "org_create_team") for who in ("admin", "bob", "acme+ci"))
    )
    actor = backend.signed_in("admin")

    (page,) = pages(backend, actor, ACME, asked(backend, performer="acme+ci"))
    assert {entry.performer for entry in page.entries} == {"acme+ci"}
    (page,) = pages(backend, actor, ACME, asked(backend, kind=PUSH))
    assert [entry.kind for entry in page.entries] == [PUSH] * 3
    (page,) = pages(backend, actor, ACME, asked(backend, performer="bob", kind=PUSH))
    assert [(entry.performer, entry.kind) for entry in page.entries] == [("bob", PUSH)]


def test_an_unknown_performer_is_an_error_but_records_of_a_deleted_one_are_found(backend: Backend) -> None:
    record(an_event(backend.clock(), namespace=an_organization(backend), performer="left"))
    actor = backend.signed_in("admin")

    with pytest.raises(FieldInvalid, match="performer"):
        backend.services.activity.usage_log_reader.page(actor, ACME, asked(backend, performer="nobody"))
    assert (
        len(backend.services.activity.usage_log_reader.page(actor, ACME, asked(backend, performer="left")).entries) == 1
    )
    backend.user("bob")
    assert backend.services.activity.usage_log_reader.page(actor, ACME, asked(backend, performer="bob")).entries == []


def test_a_filtered_page_reads_a_limited_number_of_records_and_continues_from_there(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_log_reader, "MOST_READ", 10)
    acme = an_organization(backend)
    who = ["bob" if number in (3, 17, 24) else "admin" for number in range(25)]
    STORE.write_pulls(
        [an_event(backend.clock() - number, performer=one, namespace=acme) for number, one in enumerate(who)]
    )
    found = pages(backend, backend.signed_in("admin"), ACME, asked(backend, performer="bob"))

    assert [len(page.entries) for page in found] == [1, 1, 1]


def test_a_page_is_two_queries_though_there_are_a_month_and_ten_thousand_pulls(backend: Backend) -> None:
    acme, now = an_organization(backend), backend.clock()
    STORE.write_pulls([an_event(now - number * 250, namespace=acme) for number in range(10_000)])
    actor = backend.signed_in("admin")
    backend.services.security.access.administered(actor, "acme")
    backend.calls.take()
    backend.services.security.access.administered(actor, "acme")
    rights = backend.calls.take()

    first = backend.services.activity.usage_log_reader.page(actor, ACME, asked(backend, days=30))
    assert backend.calls.take() == [*rights, "Query", "Query"]
    backend.services.activity.usage_log_reader.page(actor, ACME, asked(backend, days=30), first.following)
    assert backend.calls.take() == [*rights, "Query", "Query"]


def refused(backend: Backend, actor: Actor, whose: LogOwner, kind: type[Exception]) -> None:
    """Checks that listing and counting are refused with the same error."""
    what = asked(backend)
    asking: list[Callable[[], object]] = [
        lambda: backend.services.activity.usage_log_reader.page(actor, whose, what),
        lambda: backend.services.activity.usage_log_reader.counts(actor, whose, what),
    ]
    for ask in asking:
        with pytest.raises(kind):
            ask()


def test_a_log_is_only_for_admins_of_its_owner(backend: Backend) -> None:
    an_organization(backend)
    a_repository(backend)
    backend.user("bob")
    an_actor_with_role(backend, "bob", Role.WRITE)
    bob = backend.signed_in("bob")

    for whose in (APP, ACME, EVERYBODY):
        refused(backend, bob, whose, Denied)
        refused(backend, ANONYMOUS, whose, Unauthenticated)
    refused(backend, ANONYMOUS, MINE, Unauthenticated)
    refused(backend, backend.signed_in("admin"), LogOwner(organization="nowhere"), ResourceUnknown)
    an_actor_with_role(backend, "bob", Role.ADMIN)
    assert backend.services.activity.usage_log_reader.page(bob, APP, asked(backend)).entries


def test_a_superuser_cannot_read_the_log_of_another_owner(backend: Backend) -> None:
    an_organization(backend, owner=backend.user("bob").name)

    refused(backend, backend.signed_in("admin"), ACME, Denied)


def by_kind(backend: Backend, whose: LogOwner, what: UsageLogQuery) -> dict[tuple[str, int], int]:
    found = backend.services.activity.usage_log_reader.counts(backend.signed_in("admin"), whose, what)
    return {(count.kind, count.at): count.count for count in found}


def test_days_are_counted_by_kind_and_one_written_twice_counts_once(backend: Backend) -> None:
    acme, now = an_organization(backend), backend.clock()
    today = int(now) // DAY_S * DAY_S
    pulls = [an_event(now - days * DAY_S, namespace=acme) for days in (0, 2, 2, 2)]
    STORE.write_pulls(pulls)
    STORE.write_pulls(pulls)
    record(an_event(now, PUSH, namespace=acme))
    expected = {(PULL, today): 1, (PULL, today - 2 * DAY_S): 3, (PUSH, today): 1}

    assert by_kind(backend, ACME, asked(backend, 5)) == expected
    assert by_kind(backend, ACME, asked(backend, 1)) == {key: n for key, n in expected.items() if key[1] == today}
    assert by_kind(backend, ACME, asked(backend, 5, kind=PUSH)) == {(PUSH, today): 1}
    assert by_kind(backend, EVERYBODY, asked(backend, 5)).items() >= expected.items()
    assert rows_like(backend, "COUNT#") == []


def test_counted_records_are_not_read_again_and_counts_stay_exact(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_log_reader, "WORTH_KEEPING", 1)
    acme, now = an_organization(backend), backend.clock()
    history = [an_event(now - number * 7200, namespace=acme) for number in range(100)]
    STORE.write_pulls(history)
    before = by_kind(backend, ACME, asked(backend, 9))
    assert sum(before.values()) == 100
    kept = rows_like(backend, "COUNT#LOG#N#")
    assert len(kept) > 5

    # Counted records are not read again: one added among them later is missed, but no process writes one.
    STORE.write_pulls([an_event(now - 3 * DAY_S, namespace=acme)])
    assert by_kind(backend, ACME, asked(backend, 9)) == before
    # Records of now, or late ones of this hour, are read.
    hour = int(now) // 3600 * 3600
    STORE.write_pulls([an_event(now, namespace=acme, key=hour_key(hour, "f" * 64)), an_event(now, namespace=acme)])
    assert sum(by_kind(backend, ACME, asked(backend, 9)).values()) == 102
    backend.clock.ahead_s = 3 * 3600
    assert sum(by_kind(backend, ACME, asked(backend, 9)).values()) == 102
    assert sum(by_kind(backend, ACME, asked(backend, 9)).values()) == 102


@pytest.mark.parametrize("most", [1, 7, 30])
def test_a_long_count_continues_with_the_next_request(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(usage_log_reader, "MOST_COUNTED", most)
    acme, now = an_organization(backend), backend.clock()
    old = [an_event(now - DAY_S - number * 7200, namespace=acme) for number in range(50)]
    STORE.write_pulls(old)
    for _ in range(50 // most + 2):
        try:
            found = by_kind(backend, ACME, asked(backend, 9))
        except Unavailable:
            continue
        assert sum(found.values()) == 50
        break
    else:
        pytest.fail("it never came to an end")


def test_a_filtered_count_that_is_too_long_is_refused(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_log_reader, "MOST_COUNTED", 3)
    acme = an_organization(backend)
    STORE.write_pulls([an_event(backend.clock(), namespace=acme) for _ in range(4)])

    with pytest.raises(FieldInvalid, match="fewer days"):
        by_kind(backend, ACME, asked(backend, performer="admin"))


def test_more_than_a_month_is_not_counted(backend: Backend) -> None:
    with pytest.raises(FieldInvalid, match="31 days"):
        by_kind(backend, MINE, asked(backend, 31))


def test_counting_a_quiet_month_is_two_queries_for_each_of_two_runs(backend: Backend) -> None:
    actor = backend.signed_in("admin")
    backend.calls.take()
    backend.services.activity.usage_log_reader.counts(actor, MINE, asked(backend, 30))

    assert backend.calls.take() == ["Query"] * 4


def test_days_follow_the_registry_s_clock(backend: Backend) -> None:
    backend.clock.ahead_s = 400 * DAY_S
    period = backend.services.activity.usage_log_reader.page(backend.signed_in("admin"), MINE, UsageLogQuery()).period

    assert period.start <= backend.clock() - DAY_S < period.end
    assert period.start == day_start(period.days[0])


def test_activity_is_shown_by_day_to_readers(backend: Backend) -> None:
    push_image(backend, "v1")
    backend.user("bob")
    with pytest.raises(Denied):
        backend.services.activity.usage_log_reader.activity(backend.signed_in("bob"), APP.repository, 3)
    an_actor_with_role(backend, "bob", Role.READ)

    (today, count), *before = backend.services.activity.usage_log_reader.activity(
        backend.signed_in("bob"), APP.repository, 3
    )

    assert count == len(["create_repo", "push_repo", "add_repo_permission"])
    assert [number for _, number in before] == [0, 0]
    backend.clock.ahead_s = DAY_S
    assert backend.services.activity.usage_log_reader.activity(backend.signed_in("bob"), APP.repository, 3)[1] == (
        today,
        count,
    )
