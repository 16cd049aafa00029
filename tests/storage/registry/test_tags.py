"""Storage of tags: live rows, lives in the history, and lists of live tags."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.ids import ulid
from chalicelib.storage.registry.tags import HISTORY_S, TagRow, TagStore, tag_row
from chalicelib.storage.table import Transaction, WriteConflict, put_all
from tests.support.backends import Backend
from tests.support.builders import a_manifest, push_image, push_manifest
from tests.support.rows import end_due_at, repository_of, rows_like

STORE = TagStore()
DIGEST = Digest.of(b"manifest")


def a_tag(name: str = "v1", expires_at: int | None = None) -> TagRow:
    row = tag_row("r", name, ulid())
    row.digest, row.media_type, row.size, row.started_at, row.expires_at = DIGEST, "t", 1, 10, expires_at
    return row


def begin(row: TagRow, stored: TagRow | None = None) -> TagRow:
    transaction = Transaction()
    STORE.begin(transaction, row, stored, "r")
    transaction.commit()
    return row


def test_a_tag_is_written_with_its_life(backend: Backend) -> None:
    row = begin(a_tag())
    (life,) = rows_like(backend, "R#r", "LIFE#")

    assert life["sk"] == f"LIFE#v1#{row.life}"
    assert (life["digest"], life["started_at"], life.get("ended_at")) == (str(DIGEST), 10, None)
    assert (life["view"], life["view_at"]) == ("LIFE#R#r", row.life)
    assert rows_like(backend, "TIMER#") == []
    assert STORE.get("r", "v1").digest == DIGEST
    assert STORE.get("r", "v2") is None


def test_an_expiring_tag_is_written_with_a_timer_and_the_end_of_its_life(backend: Backend) -> None:
    begin(a_tag(expires_at=99))
    (life,), (tag,) = rows_like(backend, "R#r", "LIFE#"), rows_like(backend, "R#r", "TAG#")

    assert end_due_at(backend, owner="r") == life["ended_at"] == tag["expires_at"] == 99
    assert life["expires_at"] == 99 + HISTORY_S


def test_a_tag_is_written_only_over_the_one_that_was_read(backend: Backend) -> None:
    first = begin(a_tag())
    second = begin(a_tag(), first)

    for stale in (None, first):
        with pytest.raises(WriteConflict):
            begin(a_tag(), stale)
    assert STORE.get("r", "v1").life == second.life


@pytest.mark.parametrize(("expires_at", "now", "end"), [(None, 50, 50), (99, 50, 50), (99, 120, 99)])
def test_a_life_ends_now_unless_it_expired_before(backend: Backend, expires_at: int | None, now: int, end: int) -> None:
    row = begin(a_tag(expires_at=expires_at))
    transaction = Transaction()
    STORE.end(transaction, row, "r", now)
    STORE.remove(transaction, row)
    transaction.commit()

    assert [life["ended_at"] for life in rows_like(backend, "R#r", "LIFE#")] == [end]
    assert STORE.get("r", "v1") is None


def test_a_tag_that_moved_is_not_removed(backend: Backend) -> None:
    first = begin(a_tag())
    begin(a_tag(), first)
    transaction = Transaction()
    STORE.remove(transaction, first)

    with pytest.raises(WriteConflict):
        transaction.commit()
    assert STORE.get("r", "v1") is not None


def test_live_names_are_listed_in_the_order_of_their_bytes_after_a_name(backend: Backend) -> None:
    names = ["-", "1", "A", "Z", "_", "a", "b.1", "b_1", "z"]
    put_all(a_tag(name) for name in names)
    put_all(a_tag(f"m{number}", expires_at=50) for number in range(7))

    for limit in (1, 3, 100):
        assert list(STORE.list("r", "", limit, now=50)) == sorted(names), limit
        assert list(STORE.list("r", "a", limit, now=50)) == ["b.1", "b_1", "z"]
    assert "m3" in list(STORE.list("r", "", 100, now=49.9))
    assert list(STORE.list("other", "", 100, now=0)) == []


def test_live_tags_are_listed_in_order_up_to_a_limit(backend: Backend) -> None:
    put_all([*(a_tag(name) for name in ("c", "a", "b")), a_tag("dead", 99)])

    assert [row.name for row in STORE.alive("r", 10, 100)] == ["a", "b", "c"]
    assert [row.name for row in STORE.alive("r", 2, 100)] == ["a", "b"]


def test_tags_are_read_with_one_call_and_missing_ones_are_omitted(backend: Backend) -> None:
    push_image(backend, "v1")
    identifier, store = repository_of(backend).id, TagStore()
    backend.calls.take()

    assert list(store.get_all(identifier, ["v1", "v2"])) == ["v1"]
    assert backend.calls.take() == ["BatchGetItem"]
    assert store.get_all(identifier, []) == {}
    assert backend.calls.take() == []


def test_the_lives_of_a_manifest_s_signature_tags_are_found(backend: Backend) -> None:
    image = push_image(backend, "v1").digest
    names = [f"sha256-{image.hex}.sig", f"sha256-{image.hex}.sig", f"sha256-{image.hex}.att", f"sha256-{image.hex}"]
    for name in [*names, f"sha256-{image.hex}.txt", f"sha256-{'0' * 64}.sig"]:
        push_manifest(backend, a_manifest(), name)

    lives = TagStore().signature_lives(repository_of(backend).id, image)
    assert sorted(row.name for row in lives) == sorted(names)


def test_the_last_life_is_the_one_that_began_last(backend: Backend) -> None:
    push_image(backend, "v1")
    last = push_image(backend, "v1", labels={"other": "1"})
    repository = repository_of(backend)

    life = TagStore().last_life(repository.id, "v1")

    assert life is not None
    assert life.digest == last.digest
    assert TagStore().last_life(repository.id, "v9") is None
