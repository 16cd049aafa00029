"""Tests that changes are recorded in their transaction, and pulls once an hour or each, without failing them."""

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.events import PULL, Event
from chalicelib.domain.ids import is_ulid, ulid
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import Role
from chalicelib.domain.pulls import HOUR_S
from chalicelib.services.activity.usage_log import LARGEST_BATCH, PullLog, RecentlySeen, hour_key
from chalicelib.storage.activity.usage_log import UsageLogStore
from tests.support.backends import Backend
from tests.support.builders import a_manifest, a_repository, an_actor_with_role, push_image, push_manifest, token_actor
from tests.support.crashes import Crash, crash_before
from tests.support.rows import events, repository_of, rows_like

NAME = RepositoryName.parse("admin/app")


class Kept(UsageLogStore):
    """Keeps the batches it is given, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(1)
        self.batches: list[list[Event]] = []
        self.hours: list[tuple[str, int]] = []
        self.error = error
        self.written = threading.Event()

    def write_pulls(self, pulls: list[Event], hours: Iterable[tuple[str, int]] = ()) -> None:
        if self.error:
            raise self.error
        self.batches.append(list(pulls))
        self.hours += hours
        self.written.set()


def a_pull(
    at: float = 3600.0 * 100, performer: str = "admin", address: str = "10.0.0.1", repository: str = "r"
) -> Event:
    return Event(ulid(at), at, PULL, "n", repository, performer, address)


def pull(backend: Backend, reference: str = "v1", name: str = "admin") -> None:
    backend.services.registry.manifests.pull(token_actor(backend, name, "admin/app"), NAME, Tag(reference))


def test_changes_are_recorded_in_order_with_their_performer(backend: Backend) -> None:
    manifest = push_image(backend, "v1", "v2")
    actor = token_actor(backend, "admin", "admin/app")
    backend.services.registry.tags.delete_granted(actor, NAME, Tag("v1"))
    backend.services.registry.manifests.delete(actor, NAME, manifest.digest)
    found = events(backend)[1:]

    assert [row["kind"] for row in found] == [
        "create_repo", "push_repo", "delete_tag", "delete_tag", "delete_manifest",
    ]  # fmt: skip
    assert {row["performer"] for row in found} == {"admin"}
    assert {row["repository_id"] for row in found} == {repository_of(backend).id}
    assert json.loads(found[1]["metadata"]) == {
        "repository": "admin/app",
        "tags": ["v1", "v2"],
        "manifest_digest": str(manifest.digest),
        "mediaType": manifest.media_type,
    }
    assert {json.loads(row["metadata"])["tag"] for row in found if row["kind"] == "delete_tag"} == {"v1", "v2"}


def test_a_push_and_a_pull_are_recorded_with_media_type_and_client(backend: Backend) -> None:
    actor = replace(token_actor(backend, "admin", "admin/app"), agent="docker/29.0")
    manifest = a_manifest()
    backend.services.registry.manifests.push(actor, NAME, manifest, [Tag("v1")])
    backend.services.registry.manifests.pull(actor, NAME, Tag("v1"))

    for kind in ("push_repo", "pull_repo"):
        (row,) = events(backend, kind)
        told = json.loads(row["metadata"])
        assert (told["mediaType"], told["user-agent"]) == (manifest.media_type, "docker/29.0")


def test_a_change_and_its_record_are_one_write(backend: Backend) -> None:
    """A crash before any call of a push leaves neither or both."""
    a_repository(backend)
    for number in range(1, 4):
        manifest = a_manifest()
        with pytest.raises(Crash), crash_before(backend, number):
            push_manifest(backend, manifest, "v1")
        assert events(backend, "push_repo") == []
        assert rows_like(backend, "R#", "TAG#") == []
    push_manifest(backend, a_manifest(), "v1")

    assert len(events(backend, "push_repo")) == len(rows_like(backend, "R#", "TAG#")) == 1


def test_a_pull_is_recorded_once_an_hour(backend: Backend) -> None:
    push_image(backend, "v1", "v2")
    for _ in range(3):
        pull(backend)
    assert len(events(backend, PULL)) == 1

    pull(backend, "v2")
    backend.user("bob")
    an_actor_with_role(backend, "bob", Role.READ)
    pull(backend, name="bob")
    assert len(events(backend, PULL)) == 3

    backend.clock.ahead_s = HOUR_S
    pull(backend)
    assert len(events(backend, PULL)) == 4
    assert [json.loads(row["metadata"])["reference"] for row in events(backend, PULL)].count("v1") == 3


def test_a_pull_by_tag_is_recorded_with_the_digest(backend: Backend) -> None:
    digest = push_image(backend, "v1").digest
    actor = token_actor(backend, "admin", "admin/app")
    told = []
    for reference in (Tag("v1"), digest):
        backend.services.registry.manifests.pull(actor, NAME, reference)
        told.append([json.loads(row["metadata"]).get("manifest_digest") for row in events(backend, PULL)])

    assert told[0] == [str(digest)]
    assert sorted(told[1], key=str) == [None, str(digest)]


def test_every_pull_is_recorded_if_the_setting_says_so(new_backend: Callable[..., Backend]) -> None:
    backend = new_backend(pull_log="all")
    push_image(backend, "v1")
    for _ in range(3):
        pull(backend)

    assert len(events(backend, PULL)) == 3


def test_a_head_is_no_pull(backend: Backend) -> None:
    push_image(backend, "v1")
    backend.services.registry.manifests.find(token_actor(backend, "admin", "admin/app"), NAME, Tag("v1"))

    assert events(backend, PULL) == []


def test_actor_address_repository_reference_and_hour_distinguish_pulls() -> None:
    store = Kept()
    log = PullLog(store, hourly=True, batch_s=0)
    others = [
        a_pull(),
        a_pull(performer="bob"),
        a_pull(address="10.0.0.2"),
        a_pull(repository="s"),
        a_pull(3600.0 * 101),
    ]
    for event in (*others, *others):
        log.add(event, "v1")
    log.add(a_pull(), "v2")
    log.add(a_pull(3600.0 * 100 + 3599), "v1")

    written = [event.id for batch in store.batches for event in batch]
    assert len(written) == len(set(written)) == 6


def test_only_the_first_pull_of_a_repository_and_hour_writes_their_timer() -> None:
    store = Kept()
    log = PullLog(store, hourly=False, batch_s=0)
    for repository, hour in (("r", 100), ("r", 100), ("s", 100), ("r", 101), ("s", 100)):
        log.add(a_pull(3600.0 * hour + 5, repository=repository), "v1")

    assert store.hours == [("r", 360000), ("s", 360000), ("r", 363600)]
    assert len(store.batches) == 5


def test_a_timer_that_could_not_be_written_is_written_with_the_next_pull() -> None:
    store = Kept(OSError())
    log = PullLog(store, hourly=False, batch_s=0)
    log.add(a_pull(), "v1")
    store.error = None
    log.add(a_pull(), "v1")

    assert store.hours == [("r", 360000)]


def test_a_process_remembers_a_limited_number_of_pulls() -> None:
    met = RecentlySeen(2)

    assert [met.add(what) for what in ("a", "a", "b", "c", "a")] == [True, False, True, True, True]
    assert [what in met for what in "abc"] == [True, False, True]


def test_two_processes_write_one_hour_s_pull_under_one_key(backend: Backend) -> None:
    for seconds in (1, 3000):
        log = PullLog(UsageLogStore(10**9), hourly=True, batch_s=0)
        log.add(a_pull(3600.0 * 100 + seconds), "v1")
    (row,) = events(backend, PULL)

    assert is_ulid(row["sk"])


def test_keys_of_hours_have_the_form_of_ulids_and_sort_by_hour() -> None:
    first, second = hour_key(3600.0 * 100, "a" * 64), hour_key(3600.0 * 101, "0" * 64)

    assert is_ulid(first)
    assert first < second
    assert first != hour_key(3600.0 * 100, "b" * 64)


@pytest.mark.parametrize("error", [Unavailable("the table does not answer"), RuntimeError("throttled"), OSError()])
@pytest.mark.parametrize("hourly", [True, False])
def test_a_store_that_fails_never_fails_a_pull(error: Exception, hourly: bool) -> None:
    log = PullLog(Kept(error), hourly=hourly, batch_s=0)

    log.add(a_pull(), "v1")


def test_pulls_are_batched_and_written_after_the_response(new_backend: Callable[..., Backend]) -> None:
    backend = new_backend(pull_log="all", pull_batch_s=60)
    push_image(backend, "v1")
    pull(backend)
    backend.calls.take()
    for _ in range(30):
        pull(backend)
    assert "BatchWriteItem" not in backend.calls.take()
    assert events(backend, PULL) == []

    backend.services.activity.usage_log.flush()

    assert len(events(backend, PULL)) == 31
    backend.services.activity.usage_log.flush()
    assert len(events(backend, PULL)) == 31


def test_waiting_pulls_are_written_by_the_thread() -> None:
    store = Kept()
    log = PullLog(store, hourly=False, batch_s=0.02)
    log.add(a_pull(), "v1")

    assert store.written.wait(5)
    time.sleep(0.05)
    assert [len(batch) for batch in store.batches if batch] == [1]


def test_many_pulls_are_written_in_bounded_batches() -> None:
    store = Kept()
    log = PullLog(store, hourly=False, batch_s=60)
    for _ in range(2 * LARGEST_BATCH + 1):
        log.add(a_pull(), "v1")
    log.flush()

    assert [len(batch) for batch in store.batches] == [LARGEST_BATCH, LARGEST_BATCH, 1]
    assert len({event.id for batch in store.batches for event in batch}) == 2 * LARGEST_BATCH + 1
