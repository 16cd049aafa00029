"""Tests that exports survive crashes, call their callback, and are removed after a week."""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pytest

from chalicelib.domain.addresses import Permitted
from chalicelib.domain.errors import BlobUploadInvalid, Denied, FieldInvalid, OutgoingFailed, ResourceUnknown
from chalicelib.domain.events import PULL, Event
from chalicelib.domain.ids import ulid
from chalicelib.domain.log_cursors import DAY_S
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.timers import EXPORT, Due
from chalicelib.domain.usage_log import UsageLogQuery
from chalicelib.remote.messages import OutgoingRequest, OutgoingResponse
from chalicelib.remote.outgoing import Outgoing
from chalicelib.services.activity import exports
from chalicelib.services.activity.exports import KEPT_S, MOST_CALLS, MOST_TRIES, Exports
from chalicelib.services.activity.usage_log_reader import LogOwner
from chalicelib.services.lifecycle.timers import Timers, TimerTurn
from chalicelib.services.security.sealing import hashed
from chalicelib.storage import bucket_keys
from chalicelib.storage.activity.exports import ExportStore
from chalicelib.storage.activity.usage_log import UsageLogStore
from chalicelib.storage.timers import TimerStore
from tests.support.backends import Backend
from tests.support.builders import an_organization, push_image
from tests.support.crashes import Crash, crash_before
from tests.support.rows import events, rows_like

APP, ACME, MINE = LogOwner(RepositoryName.parse("admin/app")), LogOwner(organization="acme"), LogOwner()
HOOK = "https://hooks.example.com/logs"
STORE = UsageLogStore(10**9)


class FakeReceiver:
    """A callback that records its requests and fails the first calls."""

    def __init__(self, failures: int = 0) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.calls, self._failures = 0, failures

    def check_url(self, url: str) -> None:
        """Refuses what the guard itself refuses."""
        Outgoing(Permitted()).check_url(url)

    def request(self, request: OutgoingRequest) -> OutgoingResponse:
        """Fails the first calls, alternately by no response and by a 503; keeps what the others send."""
        self.calls += 1
        if self.calls <= self._failures:
            if self.calls % 2:
                return OutgoingResponse(503)
            raise OutgoingFailed("nobody there")
        assert (request.method, request.headers) == ("POST", {"Content-Type": "application/json"})
        self.sent.append((request.url, json.loads(request.content or b"")))
        return OutgoingResponse(204)


class Office:
    """The exports of a backend with a callback and a timer."""

    def __init__(self, backend: Backend, receiver: FakeReceiver | None = None) -> None:
        self.backend, self.receiver = backend, receiver or FakeReceiver()
        services, outgoing = backend.services, cast("Outgoing", self.receiver)
        self.exports = Exports(
            services.stores, services.activity.usage_log_reader, lambda: services.security.envelope, outgoing
        )

    def begin(self, whose: LogOwner = MINE, days: int = 1, **callback: str | None) -> str:
        first, last = (time.gmtime(self.backend.clock() - ago * DAY_S) for ago in (days, 0))
        asked = UsageLogQuery(*(time.strftime("%m/%d/%Y", day) for day in (first, last)))
        return self.exports.begin(self.backend.signed_in("admin"), whose, asked, **callback)

    def turn(self, left_s: Callable[[], float] = lambda: 60.0) -> TimerTurn:
        return Timers(TimerStore(), {EXPORT: self.exports.advance}, self.backend.clock).run(left_s)

    def work(self, turns: int = 30) -> None:
        """Runs the timers for some minutes."""
        for _ in range(turns):
            self.turn()
            self.backend.clock.ahead_s += 60

    def file(self, identifier: str) -> dict[str, Any]:
        """Returns the content of the file at its URL."""
        key = bucket_keys.export(hashed(identifier))
        assert key in self.exports.address(self.backend.signed_in("admin"), identifier)
        found: dict[str, Any] = json.loads(self.backend.services.stores.objects.get(key))
        return found


def pulls(backend: Backend, namespace: str, count: int, text: str = "v1") -> list[str]:
    """Records pulls in a namespace; returns what distinguishes them."""
    now = backend.clock() - 3600
    happened = [
        Event(ulid(now + number / 100), now, PULL, namespace, None, "bob", "10.0.0.1", {"reference": text, "n": number})
        for number in range(count)
    ]
    STORE.write_pulls(happened)
    return [str(number) for number in range(count)]


def told(written: dict[str, Any]) -> list[str]:
    return [str(entry["metadata"]["n"]) for entry in written["logs"] if "n" in entry.get("metadata", {})]


def test_an_export_is_a_file_of_all_records_that_only_its_id_opens(backend: Backend) -> None:
    push_image(backend, "v1")
    office = Office(backend)
    identifier = office.begin(APP)

    office.work(2)

    written = office.file(identifier)
    assert (written["namespace"], written["repository"]) == ("admin", "app")
    kinds = [entry.get("kind") for entry in written["logs"]]
    assert sorted(kinds[:-1]) == ["create_repo", "push_repo"]
    assert written["logs"][-1] == {"terminator": True}
    assert written["logs"][0]["performer"] == {"kind": "user", "name": "admin", "is_robot": False}
    with pytest.raises(ResourceUnknown):
        office.exports.address(backend.signed_in("admin"), hashed(identifier))


def test_the_request_does_not_wait_for_the_file_and_its_id_is_stored_only_sealed(backend: Backend) -> None:
    office, actor = Office(backend), backend.signed_in("admin")
    backend.calls.take()

    identifier = office.exports.begin(actor, MINE, UsageLogQuery(), HOOK)

    assert backend.calls.take() == ["TransactWriteItems"]
    with pytest.raises(ResourceUnknown):
        office.exports.address(backend.signed_in("admin"), identifier)
    office.work(2)
    assert identifier not in str(rows_like(backend))


def test_the_callback_is_called_once_in_quay_s_words_and_recorded(backend: Backend) -> None:
    office, today = Office(backend), time.strftime("%m/%d/%Y", time.gmtime(backend.clock()))
    identifier = office.begin(callback_url=HOOK)

    office.work(3)

    ((url, body),) = office.receiver.sent
    assert url == HOOK
    assert body.items() >= {"export_id": identifier, "namespace": "admin", "status": "success"}.items()
    assert (body["end_time"], set(body)) == (
        today,
        {"export_id", "start_time", "end_time", "namespace", "exported_data_url", "status"},
    )
    assert body["exported_data_url"] == f"http://registry.test/exportedlogs/{identifier}"
    (happened,) = events(backend, "export_logs")
    assert (happened["kind"], happened["performer"]) == ("export_logs_success", "admin")
    assert json.loads(happened["metadata"]) == {"namespace": "admin", "url": HOOK}


def test_a_failed_callback_is_retried_while_the_file_is_available(backend: Backend) -> None:
    office = Office(backend, FakeReceiver(failures=3))
    identifier = office.begin(callback_url=HOOK)

    office.work(1)
    assert office.file(identifier)["namespace"] == "admin"
    office.work(10)

    assert (office.receiver.calls, len(office.receiver.sent)) == (4, 1)


def test_a_callback_that_always_fails_is_given_up_and_recorded(backend: Backend) -> None:
    office = Office(backend, FakeReceiver(failures=1000))
    identifier = office.begin(callback_url=HOOK)

    office.work(60 * 6)

    assert office.receiver.calls == MOST_CALLS
    assert [event["kind"] for event in events(backend, "export_logs")] == ["export_logs_success", "export_logs_failure"]
    assert office.file(identifier)["namespace"] == "admin"


def test_a_file_is_written_part_by_part_over_many_turns_without_gap_or_repeat(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "READ_AT_ONCE", 7)
    # S3 would refuse a part of less than 5 MiB, so the records are large.
    monkeypatch.setattr(exports, "PART_BYTES", 5 * 1024 * 1024)
    acme, office = an_organization(backend), Office(backend)
    expected = pulls(backend, acme, 120, text="x" * 100_000)
    identifier = office.begin(ACME)
    # Each run of the timer has time for one part.
    turns = 0
    while rows_like(backend, "EXPORT#")[0]["state"] == "writing":
        left = iter([60.0] * 12)
        office.turn(partial(next, left, 5.0))
        backend.clock.ahead_s += 61
        turns += 1

    assert told(office.file(identifier)) == expected
    assert turns > 1
    assert len(json.loads(rows_like(backend, "EXPORT#")[0]["parts"])) >= 2


def test_records_after_the_request_are_not_in_the_file(backend: Backend) -> None:
    acme, office = an_organization(backend), Office(backend)
    identifier = office.begin(ACME)
    backend.clock.ahead_s += 10
    later = backend.clock()
    STORE.write_pulls([Event(ulid(later), later, PULL, acme, None, "bob", "", {"n": 1})])

    office.work(2)

    assert told(office.file(identifier)) == []


def test_an_export_that_crashes_anywhere_completes_and_is_recorded_once(backend: Backend) -> None:
    acme = an_organization(backend)
    expected, number = pulls(backend, acme, 5), 0
    while True:
        number += 1
        office = Office(backend)
        before = len(events(backend, "export_logs"))
        identifier = office.begin(ACME, callback_url=HOOK)
        try:
            with crash_before(backend, number):
                office.turn()
                office.turn()
            died = False
        except Crash:
            died = True
        office.work(4)
        assert told(office.file(identifier)) == expected
        assert len(events(backend, "export_logs")) == before + 1
        assert {url for url, _ in office.receiver.sent} == {HOOK}
        if not died:
            break
    assert number > 12


def test_a_request_that_crashes_leaves_nothing(backend: Backend) -> None:
    with pytest.raises(Crash), crash_before(backend, 1):
        Office(backend).begin()

    assert rows_like(backend, "EXPORT#") == rows_like(backend, "TIMER#export") == []


def test_parts_missing_in_the_bucket_are_written_again(backend: Backend) -> None:
    acme, office = an_organization(backend), Office(backend)
    expected = pulls(backend, acme, 5)
    identifier = office.begin(ACME)
    # It crashes after the multipart upload was started and saved.
    with pytest.raises(Crash), crash_before(backend, 12):
        office.turn()
    row = ExportStore().find(hashed(identifier))
    assert row is not None
    if row.multipart_id:
        backend.services.stores.objects.abort_parts(bucket_keys.export(row.target), row.multipart_id)

    office.work(5)

    assert told(office.file(identifier)) == expected


def test_two_processes_at_one_export_end_in_one_complete_file(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, office = an_organization(backend), Office(backend)
    expected = pulls(backend, acme, 5)
    identifier = office.begin(ACME)
    due = next(iter(rows_like(backend, "TIMER#export")))["target"]
    put_part = backend.services.stores.objects.put_part
    turns: list[int] = []

    def overtaken(*arguments: Any) -> str:
        if not turns:
            turns.append(1)
            work(office, due)
        return put_part(*arguments)

    monkeypatch.setattr(backend.services.stores.objects, "put_part", overtaken)
    work(office, due)
    office.work(5)

    assert told(office.file(identifier)) == expected
    assert len(events(backend, "export_logs")) == 1


def work(office: Office, target: str) -> None:
    office.exports.advance(Due(EXPORT, target, 0), lambda: True)


def test_a_file_that_cannot_be_written_is_given_up_recorded_and_announced(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise OSError("no room")

    monkeypatch.setattr(backend.services.stores.objects, "begin_parts", full)
    office = Office(backend)
    identifier = office.begin(APP if rows_like(backend, "R#") else MINE, callback_url=HOOK)

    office.work(60 * 2)

    (happened,) = events(backend, "export_logs")
    assert happened["kind"] == "export_logs_failure"
    ((_, body),) = office.receiver.sent
    assert (body["status"], "exported_data_url" in body) == ("failed", False)
    with pytest.raises(ResourceUnknown):
        office.exports.address(backend.signed_in("admin"), identifier)
    assert MOST_TRIES < 60 * 2


def test_a_file_that_can_never_be_completed_is_given_up(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise BlobUploadInvalid("a part is not the one that was put")

    monkeypatch.setattr(backend.services.stores.objects, "finish_parts", broken)
    office = Office(backend)
    office.begin()

    office.work(60 * 3)

    assert [event["kind"] for event in events(backend, "export_logs")] == ["export_logs_failure"]


def test_after_a_week_the_file_and_its_row_are_removed(backend: Backend) -> None:
    office = Office(backend)
    identifier = office.begin()
    office.work(2)
    assert office.file(identifier)
    backend.clock.ahead_s += KEPT_S
    with pytest.raises(ResourceUnknown):
        office.exports.address(backend.signed_in("admin"), identifier)

    office.work(1)

    assert rows_like(backend, "EXPORT#") == rows_like(backend, "TIMER#export") == []
    assert not backend.services.stores.objects.exists(bucket_keys.export(hashed(identifier)))


@pytest.mark.parametrize("url", ["http://hooks.example.com", "https://10.0.0.1"])
def test_nobody_is_called_at_an_address_that_is_not_public(backend: Backend, url: str) -> None:
    with pytest.raises(FieldInvalid, match="callback_url"):
        Office(backend).begin(callback_url=url)
    assert rows_like(backend, "EXPORT#") == []


def test_an_e_mail_address_is_refused_as_no_mail_is_sent(backend: Backend) -> None:
    with pytest.raises(FieldInvalid, match="callback_email"):
        Office(backend).begin(email="a@example.com")
    assert rows_like(backend, "EXPORT#") == []


def test_an_actor_who_may_not_read_a_log_may_not_export_it(backend: Backend) -> None:
    an_organization(backend)
    backend.user("bob")

    with pytest.raises(Denied):
        Office(backend).exports.begin(backend.signed_in("bob"), ACME, UsageLogQuery())
