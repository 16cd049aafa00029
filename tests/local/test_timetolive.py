"""The local stack plays DynamoDB's TTL service."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session

from chalicelib.edge.jobs import dispatch
from chalicelib.storage import keys
from chalicelib.storage.registry.tags import TagRow
from chalicelib.storage.table import get
from infra.local import ports
from infra.local.environment import REGION, TABLE
from infra.local.servers import credentials, endpoints
from infra.local.stream import TableStream, filters
from infra.local.timetolive import FIVE_YEARS_S, MOST, PAGE, TimeToLiveService
from tests.clients.callers import Person
from tests.clients.images import Layout, an_image
from tests.clients.registry import Registry
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import push_image
from tests.support.rows import events, repository_of, rows_like
from tests.support.stack import Stack, wait_for
from tests.support.sweeping import advance_clock, sweep

LATE_S, LIFE_S = 60, 7200
TWO_HOURS = {"quay.expires-after": "2h"}


class Ear:
    """A function that records every stream record."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def __call__(self, event: dict[str, Any], _: object) -> dict[str, Any]:
        self.records += event["Records"]
        return {"batchItemFailures": []}


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def service(backend: Backend, ear: Ear) -> TimeToLiveService:
    """Makes the service of a registry, with a function that gets every record."""
    return over(backend, TableStream(ear, [{}], 100))


@pytest.fixture
def dispatching(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> TimeToLiveService:
    """Makes the service of a registry, with the app's own function behind its filters."""
    monkeypatch.setattr(dispatch, "services", lambda: backend.services)
    return over(backend, TableStream(dispatch.dispatch, filters(), 100))


def over(backend: Backend, stream: TableStream) -> TimeToLiveService:
    client: Any = backend.services.stores.table.connection.client
    return TimeToLiveService(client, backend.settings.table, stream, LATE_S, backend.clock)


def put(backend: Backend, *rows: tuple[str, dict[str, str] | None]) -> None:
    """Writes rows with these sort keys and times."""
    client: Any = backend.services.stores.table.connection.client
    for sk, at in rows:
        item = {"pk": {"S": "R#test"}, "sk": {"S": sk}} | ({"expires_at": at} if at else {})
        client.put_item(TableName=backend.settings.table, Item=item)


def left(backend: Backend) -> list[str]:
    return [row["sk"] for row in rows_like(backend, "R#test")]


def at(seconds: float) -> dict[str, str]:
    return {"N": str(int(seconds))}


def test_rows_that_expired_long_enough_ago_are_removed_and_all_others_stay(
    backend: Backend, service: TimeToLiveService, ear: Ear
) -> None:
    now = backend.clock()
    put(
        backend,
        ("over", at(now - LATE_S - 1)),
        ("just over", at(now - LATE_S + 30)),
        ("soon", at(now + 1)),
        ("never", None),
        ("text", {"S": str(int(now - 1000))}),
        ("ages ago", at(now - FIVE_YEARS_S - 1000)),
    )

    assert [service.turn(), service.turn()] == [False, True]

    assert left(backend) == ["ages ago", "just over", "never", "soon", "text"]
    assert [record["dynamodb"]["Keys"]["sk"]["S"] for record in ear.records] == ["over"]


def test_a_record_has_the_fields_of_the_real_services_records(
    backend: Backend, service: TimeToLiveService, ear: Ear
) -> None:
    before = int(backend.clock())
    put(backend, ("a", at(before - 1000)), ("b", at(before - 1000)))

    service.turn()

    first, second = ear.records
    assert set(first) == {
        "eventID", "eventName", "eventVersion", "eventSource", "eventSourceARN", "awsRegion", "dynamodb",
        "userIdentity",
    }  # fmt: skip
    assert (first["eventName"], first["eventSource"]) == ("REMOVE", "aws:dynamodb")
    assert first["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    assert f":table/{backend.settings.table}/stream/" in first["eventSourceARN"]
    change = first["dynamodb"]
    assert change["Keys"] == {"pk": {"S": "R#test"}, "sk": {"S": "a"}}
    assert change["OldImage"] == change["Keys"] | {"expires_at": at(before - 1000)}
    assert "NewImage" not in change
    assert before <= change["ApproximateCreationDateTime"] <= time.time()
    assert change["SequenceNumber"] < second["dynamodb"]["SequenceNumber"]
    assert first["eventID"] != second["eventID"]


def test_a_row_whose_time_changed_since_it_was_read_stays(
    backend: Backend, service: TimeToLiveService, ear: Ear
) -> None:
    now = backend.clock()
    put(backend, ("renewed", at(now - 1000)))
    (row,), _ = service._page()
    put(backend, ("renewed", at(now + 1000)))

    assert service._remove(row) is None
    assert left(backend) == ["renewed"]
    assert ear.records == []


def test_a_row_that_somebody_else_removed_gets_no_record(backend: Backend, service: TimeToLiveService) -> None:
    put(backend, ("gone", at(backend.clock() - 1000)))
    (row,), _ = service._page()

    assert service._remove(row)
    assert service._remove(row) is None


def test_a_call_scans_one_page_and_removes_a_limited_number_and_calls_go_round_the_table(
    backend: Backend, service: TimeToLiveService, ear: Ear
) -> None:
    over_at = backend.clock() - 1000
    fill(backend, PAGE + MOST, over_at)

    service.turn()
    assert len(ear.records) == MOST
    for _ in range(1 + (PAGE + 2 * MOST) // MOST):
        service.turn()
    assert len(ear.records) == PAGE + MOST

    put(backend, ("late", at(over_at)))
    for _ in range(3):
        service.turn()
    assert left(backend) == []


def fill(backend: Backend, count: int, over_at: float) -> None:
    """Writes this many expired rows."""
    client: Any = backend.services.stores.table.connection.client
    rows = [{"pk": {"S": "R#test"}, "sk": {"S": f"{n:05d}"}, "expires_at": at(over_at)} for n in range(count)]
    for start in range(0, count, 25):
        some = [{"PutRequest": {"Item": row}} for row in rows[start : start + 25]]
        client.batch_write_item(RequestItems={backend.settings.table: some})


def test_nothing_more_is_removed_until_the_function_has_processed_the_last_records(backend: Backend) -> None:
    failing = {"batchItemFailures": [{"itemIdentifier": ""}]}
    service = over(backend, TableStream(lambda *_: failing, [{}], 100))
    put(backend, ("first", at(backend.clock() - 1000)))
    service.turn()
    put(backend, ("second", at(backend.clock() - 1000)))

    service.turn()

    assert left(backend) == ["second"]


def test_rows_removed_before_the_server_failed_get_their_records(
    backend: Backend, service: TimeToLiveService, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(backend, ("a", at(backend.clock() - 1000)), ("b", at(backend.clock() - 1000)))
    remove = service._remove

    def remove_one(row: Any) -> Any:
        if row["sk"]["S"] == "b":
            raise ConnectionError
        return remove(row)

    monkeypatch.setattr(service, "_remove", remove_one)
    with pytest.raises(ConnectionError):
        service.turn()
    monkeypatch.undo()
    service.turn()

    assert [record["dynamodb"]["Keys"]["sk"]["S"] for record in ear.records] == ["a"]
    service.turn()
    assert left(backend) == []


def test_a_tag_that_it_removes_expires_only_once_even_if_its_timer_runs_too(
    backend: Backend, dispatching: TimeToLiveService
) -> None:
    push_image(backend, "v1", labels=TWO_HOURS)
    (row,) = rows_like(backend, "R#", "TAG#")
    advance_clock(backend, LIFE_S + LATE_S + 1)

    dispatching.turn()

    assert rows_like(backend, "R#", "TAG#") == []
    (record,) = events(backend, "tag_expired")
    assert record["at"] == row["expires_at"]
    sweep(backend)
    assert len(events(backend, "tag_expired")) == 1
    invariants.check(backend)


def test_a_tag_that_the_timer_ended_is_gone_before_the_service_looks(
    backend: Backend, dispatching: TimeToLiveService
) -> None:
    push_image(backend, "v1", labels=TWO_HOURS)
    advance_clock(backend, LIFE_S + 1)
    dispatching.turn()
    assert events(backend, "tag_expired") == []

    sweep(backend)
    advance_clock(backend, LATE_S)
    dispatching.turn()

    assert len(events(backend, "tag_expired")) == 1


def test_a_tag_that_was_pushed_again_stays(backend: Backend, dispatching: TimeToLiveService) -> None:
    push_image(backend, "v1", labels=TWO_HOURS)
    advance_clock(backend, LIFE_S + LATE_S + 1)
    manifest = push_image(backend, "v1", labels=TWO_HOURS)

    dispatching.turn()

    tag = get(TagRow, keys.tag(repository_of(backend).id, "v1"))
    assert tag is not None
    assert tag.digest == manifest.digest
    invariants.check(backend)


def test_the_timer_does_the_work_if_a_record_is_lost_after_its_removal(backend: Backend) -> None:
    def dead(*_: object) -> None:
        raise SystemExit

    killed = over(backend, TableStream(dead, filters(), 100))
    push_image(backend, "v1", labels=TWO_HOURS)
    advance_clock(backend, LIFE_S + LATE_S + 1)
    with pytest.raises(SystemExit):
        killed.turn()
    assert rows_like(backend, "R#", "TAG#") == []
    assert events(backend, "tag_expired") == []

    sweep(backend)

    assert len(events(backend, "tag_expired")) == 1
    invariants.check(backend)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Starts a stack whose TTL service has no delay."""
    started = Stack.start(tmp_path_factory.mktemp("quick") / "data", CLOUDBERTH_TTL_LATE_S="0")
    yield started
    started.stop()


class ExpiringTags:
    """The admin of a stack, who pushes tags that expire after three seconds."""

    def __init__(self, stack: Stack, directory: Path, name: str) -> None:
        self.stack, self.repository = stack, f"{stack.admin}/{name}"
        self.layout = Layout(directory / "layout")
        self.registry = Registry(stack)
        self.admin = Person(stack, stack.admin, stack.password).sign_in()
        self.image = an_image(self.layout, name, labels={"quay.expires-after": "3s"})
        base = ports.read(stack.data / ports.FILE)
        assert base is not None
        pair = credentials(stack.data)
        self.table: Any = get_session().create_client(
            "dynamodb",
            endpoint_url=endpoints(base).tables,
            region_name=REGION,
            aws_access_key_id=pair.access_key,
            aws_secret_access_key=pair.secret_key,
        )

    def push(self, tag: str) -> None:
        self.registry.push(self.layout, self.image, self.repository, tag)

    def expired(self) -> list[str]:
        """Returns the tags that expired by the usage log, once for each entry."""
        found: list[dict[str, Any]] = []
        page: str | None = ""
        while page is not None:
            parameters = {"next_page": page} if page else {}
            answer = self.admin.get(f"/api/v1/repository/{self.repository}/logs", params=parameters)
            assert answer.status_code == 200, answer.text
            found += answer.json()["logs"]
            page = answer.json().get("next_page")
        return [one["metadata"]["tag"] for one in found if one["kind"] == "tag_expired"]

    def timers(self) -> list[dict[str, Any]]:
        """Returns the timers of tags that expire."""
        rows = self.table.scan(TableName=TABLE)["Items"]
        return [row for row in rows if row.get("kind") == {"S": "expiry"}]


def test_a_tag_that_the_stacks_service_removes_expires_only_once_even_if_its_timer_runs_too(
    quick: Stack, tmp_path: Path
) -> None:
    tags = ExpiringTags(quick, tmp_path, "once")
    tags.push("v1")
    # Removing the timer and writing it again delays it, whatever the clock does.
    (timer,) = tags.timers()
    tags.table.delete_item(TableName=TABLE, Key={name: timer[name] for name in ("pk", "sk")})

    wait_for(lambda: tags.expired() == ["v1"], "word of the end")
    tags.table.put_item(TableName=TABLE, Item=timer)
    wait_for(lambda: not tags.timers(), "the timer's turn")

    assert tags.expired() == ["v1"]
    assert "timetolive removed" in (quick.data / "logs" / "clockwork.log").read_text()


@pytest.mark.timeout(180)
def test_no_expiry_is_lost_if_the_clockwork_is_killed_while_tags_expire(quick: Stack, tmp_path: Path) -> None:
    tags = ExpiringTags(quick, tmp_path, "killed")
    names = [f"v{number}" for number in range(20)]
    for name in names:
        tags.push(name)
    killed = 0
    for _ in range(4):
        wait_for(partial(is_another, quick, killed), "a clockwork that runs")
        time.sleep(1.5)
        killed = quick.kill("clockwork")

    wait_for(lambda: set(tags.expired()) == set(names), "word of every end", 60)
    assert sorted(tags.expired()) == sorted(names)


def is_another(stack: Stack, killed: int) -> bool:
    """Whether a clockwork runs that is not the one that was killed."""
    return stack.pids().get("clockwork", killed) != killed
