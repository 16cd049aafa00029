"""Exports: a file by slices, whole whoever dies, told to whom it was made for, and gone after a week."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.addresses import Permitted
from chalicelib.domain.errors import Denied, FieldInvalid, OutgoingFailed, ResourceUnknown
from chalicelib.domain.events import PULL, Event
from chalicelib.domain.ids import ulid
from chalicelib.domain.log_cursors import DAY_S
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.timers import EXPORT
from chalicelib.domain.usage_log import UsageLogQuery
from chalicelib.remote.outgoing import Answer, Outgoing
from chalicelib.services.activity import exports
from chalicelib.services.activity.exports import KEPT_S, MOST_CALLS, MOST_TRIES, Exports
from chalicelib.services.activity.usage_log_reader import LogOwner
from chalicelib.services.lifecycle.timers import Timers, TimerTurn
from chalicelib.services.security.sealing import Envelope, hashed
from chalicelib.storage import bucket_keys
from chalicelib.storage.activity.exports import ExportStore
from chalicelib.storage.activity.usage_log import UsageLogStore
from chalicelib.storage.timers import TimerStore
from tests.support.backends import House
from tests.support.builders import a_push, an_organization
from tests.support.crashes import Crash, crash_before
from tests.support.rows import events, rows_like

APP, ACME, MINE = LogOwner(RepositoryName.parse("admin/app")), LogOwner(organization="acme"), LogOwner()
HOOK = "https://hooks.example.com/logs"
STORE = UsageLogStore(10**9)


class Outside:
    """Somebody to call: what was sent, and how often the first calls fail."""

    def __init__(self, failures: int = 0) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.calls, self._failures = 0, failures

    def check(self, url: str) -> None:
        """What the guard itself says."""
        Outgoing(Permitted()).check(url)

    def ask(self, method: str, url: str, headers: object, content: bytes, *, timeout_s: float) -> Answer:
        """An answer of nobody, or of somebody."""
        self.calls += 1
        if self.calls <= self._failures:
            if self.calls % 2:
                return Answer(503)
            raise OutgoingFailed("nobody there")
        assert (method, headers) == ("POST", {"Content-Type": "application/json"})
        self.sent.append((url, json.loads(content)))
        return Answer(204)


class Office:
    """The exports of a house, with somebody outside, and a clock that does their work."""

    def __init__(self, house: House, outside: Outside | None = None) -> None:
        chosen, self.house, self.outside = house.services.settings, house, outside or Outside()
        self.exports = Exports(
            house.services.logs,
            STORE,
            ExportStore(),
            house.services.objects,
            lambda: Envelope(house.services.secrets.envelope),
            self.outside,
            chosen.url,
            chosen.presign_s,
            house.clock,
        )

    def begin(self, whose: LogOwner = MINE, days: int = 1, **callback: str | None) -> str:
        first, last = (time.gmtime(self.house.clock() - ago * DAY_S) for ago in (days, 0))
        asked = UsageLogQuery(*(time.strftime("%m/%d/%Y", day) for day in (first, last)))
        return self.exports.begin(self.house.signed_in("admin"), whose, asked, **callback)

    def turn(self, left_s: Callable[[], float] = lambda: 60.0) -> TimerTurn:
        return Timers(TimerStore(), {EXPORT: self.exports.go_on}, self.house.clock).run(left_s)

    def work(self, turns: int = 30) -> None:
        """Turns of the clock, a minute each."""
        for _ in range(turns):
            self.turn()
            self.house.clock.ahead_s += 60

    def file(self, identifier: str) -> dict[str, Any]:
        """What the file says, for whoever is given its address."""
        key = bucket_keys.export(hashed(identifier))
        assert key in self.exports.address(self.house.signed_in("admin"), identifier)
        found: dict[str, Any] = json.loads(self.house.services.objects.get(key))
        return found


def pulls(house: House, namespace: str, count: int, text: str = "v1") -> list[str]:
    """Records pulls of a namespace; gives what tells them apart."""
    now = house.clock() - 3600
    happened = [
        Event(ulid(now + number / 100), now, PULL, namespace, None, "bob", "10.0.0.1", {"reference": text, "n": number})
        for number in range(count)
    ]
    STORE.write_pulls(happened)
    return [str(number) for number in range(count)]


def told(written: dict[str, Any]) -> list[str]:
    return [str(entry["metadata"]["n"]) for entry in written["logs"] if "n" in entry.get("metadata", {})]


def test_an_export_is_a_file_of_all_records_that_only_its_id_opens(house: House) -> None:
    a_push(house, "v1")
    office = Office(house)
    identifier = office.begin(APP)

    office.work(2)

    written = office.file(identifier)
    assert (written["namespace"], written["repository"]) == ("admin", "app")
    kinds = [entry.get("kind") for entry in written["logs"]]
    assert sorted(kinds[:-1]) == ["create_repo", "push_repo"]
    assert written["logs"][-1] == {"terminator": True}
    assert written["logs"][0]["performer"] == {"kind": "user", "name": "admin", "is_robot": False}
    with pytest.raises(ResourceUnknown):
        office.exports.address(house.signed_in("admin"), hashed(identifier))


def test_the_answer_waits_for_nothing_and_what_opens_the_file_is_kept_nowhere_in_plain(house: House) -> None:
    office, actor = Office(house), house.signed_in("admin")
    house.calls.take()

    identifier = office.exports.begin(actor, MINE, UsageLogQuery(), HOOK)

    assert house.calls.take() == ["TransactWriteItems"]
    with pytest.raises(ResourceUnknown):
        office.exports.address(house.signed_in("admin"), identifier)
    office.work(2)
    assert identifier not in str(rows_like(house))


def test_who_was_named_is_called_once_in_quay_s_words_and_it_is_recorded(house: House) -> None:
    office, today = Office(house), time.strftime("%m/%d/%Y", time.gmtime(house.clock()))
    identifier = office.begin(callback_url=HOOK)

    office.work(3)

    ((url, body),) = office.outside.sent
    assert url == HOOK
    assert body.items() >= {"export_id": identifier, "namespace": "admin", "status": "success"}.items()
    assert (body["end_time"], set(body)) == (
        today,
        {"export_id", "start_time", "end_time", "namespace", "exported_data_url", "status"},
    )
    assert body["exported_data_url"] == f"http://registry.test/exportedlogs/{identifier}"
    (happened,) = events(house, "export_logs")
    assert (happened["kind"], happened["performer"]) == ("export_logs_success", "admin")
    assert json.loads(happened["metadata"]) == {"namespace": "admin", "url": HOOK}


def test_a_callback_that_fails_is_tried_again_and_its_file_is_there_meanwhile(house: House) -> None:
    office = Office(house, Outside(failures=3))
    identifier = office.begin(callback_url=HOOK)

    office.work(1)
    assert office.file(identifier)["namespace"] == "admin"
    office.work(10)

    assert (office.outside.calls, len(office.outside.sent)) == (4, 1)


def test_a_callback_that_nobody_ever_takes_is_given_up_and_recorded(house: House) -> None:
    office = Office(house, Outside(failures=1000))
    identifier = office.begin(callback_url=HOOK)

    office.work(60 * 6)

    assert office.outside.calls == MOST_CALLS
    assert [event["kind"] for event in events(house, "export_logs")] == ["export_logs_success", "export_logs_failure"]
    assert office.file(identifier)["namespace"] == "admin"


def test_a_file_is_written_part_by_part_over_many_turns_without_gap_or_repeat(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "READ_AT_ONCE", 7)
    # A part of less than 5 MiB would be refused by S3: so the records are large.
    monkeypatch.setattr(exports, "PART_BYTES", 5 * 1024 * 1024)
    acme, office = an_organization(house), Office(house)
    expected = pulls(house, acme, 120, text="x" * 100_000)
    identifier = office.begin(ACME)
    # After its claim a turn has time for one part.
    turns = 0
    while rows_like(house, "EXPORT#")[0]["state"] == "writing":
        left = iter([60.0] * 12)
        office.turn(lambda left=left: next(left, 5.0))
        house.clock.ahead_s += 61
        turns += 1

    assert told(office.file(identifier)) == expected
    assert turns > 1
    assert len(json.loads(rows_like(house, "EXPORT#")[0]["parts"])) >= 2


def test_what_happens_after_the_asking_is_not_in_the_file(house: House) -> None:
    acme, office = an_organization(house), Office(house)
    identifier = office.begin(ACME)
    house.clock.ahead_s += 10
    later = house.clock()
    STORE.write_pulls([Event(ulid(later), later, PULL, acme, None, "bob", "", {"n": 1})])

    office.work(2)

    assert told(office.file(identifier)) == []


def test_an_export_that_dies_anywhere_ends_whole_and_is_told_of_once_in_the_log(house: House) -> None:
    acme = an_organization(house)
    expected, number = pulls(house, acme, 5), 0
    while True:
        number += 1
        office = Office(house)
        before = len(events(house, "export_logs"))
        identifier = office.begin(ACME, callback_url=HOOK)
        try:
            with crash_before(house, number):
                office.turn()
                office.turn()
            died = False
        except Crash:
            died = True
        office.work(4)
        assert told(office.file(identifier)) == expected
        assert len(events(house, "export_logs")) == before + 1
        assert {url for url, _ in office.outside.sent} == {HOOK}
        if not died:
            break
    assert number > 12


def test_an_asking_that_dies_leaves_nothing(house: House) -> None:
    with pytest.raises(Crash), crash_before(house, 1):
        Office(house).begin()

    assert rows_like(house, "EXPORT#") == rows_like(house, "TIMER#export") == []


def test_parts_that_the_bucket_forgot_are_written_again(house: House) -> None:
    acme, office = an_organization(house), Office(house)
    expected = pulls(house, acme, 5)
    identifier = office.begin(ACME)
    # It dies before its second part of work: the multipart upload is begun and noted.
    with pytest.raises(Crash), crash_before(house, 12):
        office.turn()
    row = ExportStore().find(hashed(identifier))
    assert row is not None
    if row.multipart_id:
        house.services.objects.abort_parts(bucket_keys.export(row.target), row.multipart_id)

    office.work(5)

    assert told(office.file(identifier)) == expected


def test_two_turns_at_one_export_end_in_one_whole_file(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    acme, office = an_organization(house), Office(house)
    expected = pulls(house, acme, 5)
    identifier = office.begin(ACME)
    due = next(iter(rows_like(house, "TIMER#export")))["target"]
    put_part, turns = house.services.objects.put_part, []

    def overtaken(*arguments: Any) -> str:
        if not turns:
            turns.append(1)
            work(office, due)
        return put_part(*arguments)

    monkeypatch.setattr(house.services.objects, "put_part", overtaken)
    work(office, due)
    office.work(5)

    assert told(office.file(identifier)) == expected
    assert len(events(house, "export_logs")) == 1


def work(office: Office, target: str) -> None:
    office.exports.go_on(exports.Due(EXPORT, target, 0), lambda: True)


def test_a_file_that_cannot_be_written_is_given_up_recorded_and_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise OSError("no room")

    monkeypatch.setattr(house.services.objects, "begin_parts", full)
    office = Office(house)
    identifier = office.begin(APP if rows_like(house, "R#") else MINE, callback_url=HOOK)

    office.work(60 * 2)

    (happened,) = events(house, "export_logs")
    assert happened["kind"] == "export_logs_failure"
    ((_, body),) = office.outside.sent
    assert (body["status"], "exported_data_url" in body) == ("failed", False)
    with pytest.raises(ResourceUnknown):
        office.exports.address(house.signed_in("admin"), identifier)
    assert MOST_TRIES < 60 * 2


def test_a_file_that_never_holds_together_is_given_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise exports.BlobUploadInvalid("a part is not the one that was put")

    monkeypatch.setattr(house.services.objects, "finish_parts", broken)
    office = Office(house)
    office.begin()

    office.work(60 * 3)

    assert [event["kind"] for event in events(house, "export_logs")] == ["export_logs_failure"]


def test_after_a_week_the_file_is_gone_and_so_is_all_that_was_kept_for_it(house: House) -> None:
    office = Office(house)
    identifier = office.begin()
    office.work(2)
    assert office.file(identifier)
    house.clock.ahead_s += KEPT_S
    with pytest.raises(ResourceUnknown):
        office.exports.address(house.signed_in("admin"), identifier)

    office.work(1)

    assert rows_like(house, "EXPORT#") == rows_like(house, "TIMER#export") == []
    assert not house.services.objects.exists(bucket_keys.export(hashed(identifier)))


@pytest.mark.parametrize("url", ["http://hooks.example.com", "https://10.0.0.1"])
def test_nobody_is_called_at_an_address_that_is_not_public(house: House, url: str) -> None:
    with pytest.raises(FieldInvalid, match="callback_url"):
        Office(house).begin(callback_url=url)
    assert rows_like(house, "EXPORT#") == []


def test_an_e_mail_is_refused_by_name_since_none_is_sent_from_here(house: House) -> None:
    with pytest.raises(FieldInvalid, match="callback_email"):
        Office(house).begin(email="a@example.com")
    assert rows_like(house, "EXPORT#") == []


def test_who_may_not_read_a_log_may_not_export_it(house: House) -> None:
    an_organization(house)
    house.user("bob")

    with pytest.raises(Denied):
        Office(house).exports.begin(house.signed_in("bob"), ACME, UsageLogQuery())
