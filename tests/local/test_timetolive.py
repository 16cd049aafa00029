"""DynamoDB's TTL service as the local stack plays it."""

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
from infra.local.stream import Stream, filters
from infra.local.timetolive import FIVE_YEARS_S, MOST, PAGE, TimeToLive
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
    """A function that hears every record."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def __call__(self, event: dict[str, Any], _: object) -> dict[str, Any]:
        self.records += event["Records"]
        return {"batchItemFailures": []}


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def service(backend: Backend, ear: Ear) -> TimeToLive:
    """The service over a backend, with somebody who hears of every row."""
    return over(backend, Stream(ear, [{}], 100))


@pytest.fixture
def dispatching(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> TimeToLive:
    """The service over a backend, with the app's own function behind its filters."""
    monkeypatch.setattr(dispatch, "services", lambda: backend.services)
    return over(backend, Stream(dispatch.dispatch, filters(), 100))


def over(backend: Backend, stream: Stream) -> TimeToLive:
    client: Any = backend.services.stores.table.connection.client
    return TimeToLive(client, backend.settings.table, stream, LATE_S, backend.clock)


def put(backend: Backend, *rows: tuple[str, dict[str, str] | None]) -> None:
    """Rows by their sort keys, with such times."""
    client: Any = backend.services.stores.table.connection.client
    for sk, at in rows:
        item = {"pk": {"S": "R#test"}, "sk": {"S": sk}} | ({"expires_at": at} if at else {})
        client.put_item(TableName=backend.settings.table, Item=item)


def left(backend: Backend) -> list[str]:
    return [row["sk"] for row in rows_like(backend, "R#test")]


def at(seconds: float) -> dict[str, str]:
    return {"N": str(int(seconds))}


def test_what_is_over_for_long_enough_goes_and_all_else_stays(backend: Backend, service: TimeToLive, ear: Ear) -> None:
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

    service.turn()

    assert left(backend) == ["ages ago", "just over", "never", "soon", "text"]
    assert [record["dynamodb"]["Keys"]["sk"]["S"] for record in ear.records] == ["over"]


def test_a_record_has_the_shape_of_the_services_own(backend: Backend, service: TimeToLive, ear: Ear) -> None:
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
    told = first["dynamodb"]
    assert told["Keys"] == {"pk": {"S": "R#test"}, "sk": {"S": "a"}}
    assert told["OldImage"] == told["Keys"] | {"expires_at": at(before - 1000)}
    assert "NewImage" not in told
    assert before <= told["ApproximateCreationDateTime"] <= time.time()
    assert told["SequenceNumber"] < second["dynamodb"]["SequenceNumber"]
    assert first["eventID"] != second["eventID"]


def test_a_row_that_was_renewed_since_it_was_read_stays(backend: Backend, service: TimeToLive, ear: Ear) -> None:
    now = backend.clock()
    put(backend, ("renewed", at(now - 1000)))
    (row,), _ = service._page()
    put(backend, ("renewed", at(now + 1000)))

    assert service._remove(row) is None
    assert left(backend) == ["renewed"]
    assert ear.records == []


def test_a_row_that_somebody_else_removed_is_told_by_nobody(backend: Backend, service: TimeToLive) -> None:
    put(backend, ("gone", at(backend.clock() - 1000)))
    (row,), _ = service._page()

    assert service._remove(row)
    assert service._remove(row) is None


def test_a_turn_looks_at_a_page_and_removes_so_many_and_turns_go_round(
    backend: Backend, service: TimeToLive, ear: Ear
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
    """So many rows that are over."""
    client: Any = backend.services.stores.table.connection.client
    rows = [{"pk": {"S": "R#test"}, "sk": {"S": f"{n:05d}"}, "expires_at": at(over_at)} for n in range(count)]
    for start in range(0, count, 25):
        some = [{"PutRequest": {"Item": row}} for row in rows[start : start + 25]]
        client.batch_write_item(RequestItems={backend.settings.table: some})


def test_nothing_more_is_removed_while_the_function_has_not_taken_what_was(backend: Backend) -> None:
    failing = {"batchItemFailures": [{"itemIdentifier": ""}]}
    service = over(backend, Stream(lambda *_: failing, [{}], 100))
    put(backend, ("first", at(backend.clock() - 1000)))
    service.turn()
    put(backend, ("second", at(backend.clock() - 1000)))

    service.turn()

    assert left(backend) == ["second"]


def test_what_was_removed_before_the_server_failed_is_told(
    backend: Backend, service: TimeToLive, ear: Ear, monkeypatch: pytest.MonkeyPatch
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


def test_a_tag_that_it_removes_has_expired_once_though_its_timer_comes_too(
    backend: Backend, dispatching: TimeToLive
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


def test_a_tag_that_the_timer_ended_on_time_is_gone_before_it_comes(backend: Backend, dispatching: TimeToLive) -> None:
    push_image(backend, "v1", labels=TWO_HOURS)
    advance_clock(backend, LIFE_S + 1)
    dispatching.turn()
    assert events(backend, "tag_expired") == []

    sweep(backend)
    advance_clock(backend, LATE_S)
    dispatching.turn()

    assert len(events(backend, "tag_expired")) == 1


def test_a_tag_that_was_pushed_anew_is_left_alone(backend: Backend, dispatching: TimeToLive) -> None:
    push_image(backend, "v1", labels=TWO_HOURS)
    advance_clock(backend, LIFE_S + LATE_S + 1)
    manifest = push_image(backend, "v1", labels=TWO_HOURS)

    dispatching.turn()

    tag = get(TagRow, keys.tag(repository_of(backend).id, "v1"))
    assert tag is not None
    assert tag.digest == manifest.digest
    invariants.check(backend)


def test_what_is_lost_between_a_removal_and_its_record_the_timer_makes_good(backend: Backend) -> None:
    def dead(*_: object) -> None:
        raise SystemExit

    killed = over(backend, Stream(dead, filters(), 100))
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
    """A stack whose TTL service is as early as can be."""
    started = Stack.start(tmp_path_factory.mktemp("quick") / "data", CLOUDBERTH_TTL_LATE_S="0")
    yield started
    started.stop()


class Told:
    """The admin of a stack, with a repository whose tags live for three seconds."""

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
        """Tags whose end the log tells, a name for each time."""
        found: list[dict[str, Any]] = []
        page: str | None = ""
        while page is not None:
            asked = {"next_page": page} if page else {}
            answer = self.admin.get(f"/api/v1/repository/{self.repository}/logs", params=asked)
            assert answer.status_code == 200, answer.text
            found += answer.json()["logs"]
            page = answer.json().get("next_page")
        return [one["metadata"]["tag"] for one in found if one["kind"] == "tag_expired"]

    def timers(self) -> list[dict[str, Any]]:
        """Timers of ends of tags."""
        rows = self.table.scan(TableName=TABLE)["Items"]
        return [row for row in rows if row.get("kind") == {"S": "expiry"}]


def test_a_tag_that_the_stacks_service_removes_has_expired_once_though_its_timer_comes_too(
    quick: Stack, tmp_path: Path
) -> None:
    told = Told(quick, tmp_path, "once")
    told.push("v1")
    # Whoever takes the timer away and puts it back makes it late, whatever the clock does.
    (timer,) = told.timers()
    told.table.delete_item(TableName=TABLE, Key={name: timer[name] for name in ("pk", "sk")})

    wait_for(lambda: told.expired() == ["v1"], "word of the end")
    told.table.put_item(TableName=TABLE, Item=timer)
    wait_for(lambda: not told.timers(), "the timer's turn")

    assert told.expired() == ["v1"]
    assert "timetolive removed" in (quick.data / "logs" / "clockwork.log").read_text()


@pytest.mark.timeout(180)
def test_no_end_is_lost_though_the_clockwork_is_killed_while_tags_end(quick: Stack, tmp_path: Path) -> None:
    told = Told(quick, tmp_path, "killed")
    names = [f"v{number}" for number in range(20)]
    for name in names:
        told.push(name)
    killed = 0
    for _ in range(4):
        wait_for(partial(is_another, quick, killed), "a clockwork that runs")
        time.sleep(1.5)
        killed = quick.kill("clockwork")

    wait_for(lambda: set(told.expired()) == set(names), "word of every end", 60)
    assert sorted(told.expired()) == sorted(names)


def is_another(stack: Stack, killed: int) -> bool:
    """Whether a clockwork runs that is not the one that was killed."""
    return stack.pids().get("clockwork", killed) != killed
