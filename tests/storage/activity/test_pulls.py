"""Storage of counted pulls: sums change only together with their cursor."""

import pytest

from chalicelib.domain.pulls import Sum
from chalicelib.domain.states import RepositoryState
from chalicelib.storage import keys
from chalicelib.storage.activity.pulls import PullStore
from chalicelib.storage.registry.repositories import RepositoryRow
from chalicelib.storage.table import WriteConflict, get
from tests.support.backends import Backend
from tests.support.builders import a_repository
from tests.support.rows import change, rows_like

STORE = PullStore()
FIRST, SECOND = "0" * 25 + "1", "0" * 25 + "2"


def sums(identifier: str, *references: str) -> dict[str, Sum]:
    return {reference: row.sum for reference, row in STORE.sums(identifier, references).items()}


def test_sums_change_together_with_the_cursor(backend: Backend) -> None:
    identifier = a_repository(backend).id
    assert STORE.upto(identifier) == ""

    STORE.add(identifier, ("", FIRST), {"v1": Sum(2, 20), "sha256:a": Sum(1, 10)})
    STORE.add(identifier, (FIRST, SECOND), {"v1": Sum(1, 15)})

    assert STORE.upto(identifier) == SECOND
    assert sums(identifier, "v1", "sha256:a", "v2") == {"v1": Sum(3, 20), "sha256:a": Sum(1, 10)}
    assert {reference: row.upto for reference, row in STORE.sums(identifier, ["v1", "sha256:a"]).items()} == {
        "v1": SECOND,
        "sha256:a": FIRST,
    }


@pytest.mark.parametrize("before", ["", SECOND])
def test_nothing_is_added_with_an_outdated_cursor(backend: Backend, before: str) -> None:
    identifier = a_repository(backend).id
    STORE.add(identifier, ("", FIRST), {"v1": Sum(1, 1)})

    with pytest.raises(WriteConflict):
        STORE.add(identifier, (before, SECOND + "Z"), {"v1": Sum(1, 1), "v2": Sum(1, 1)})

    assert STORE.upto(identifier) == FIRST
    assert sums(identifier, "v1", "v2") == {"v1": Sum(1, 1)}


def test_nothing_is_added_to_a_repository_that_is_being_purged_or_gone(backend: Backend) -> None:
    identifier = a_repository(backend).id
    change(get(RepositoryRow, keys.repository(identifier)), state=RepositoryState.PURGING)

    for reference in (identifier, "nowhere"):
        assert STORE.upto(reference) is None
        with pytest.raises(WriteConflict):
            STORE.add(reference, ("", FIRST), {"v1": Sum(1, 1)})
    assert rows_like(backend, "PULLS#") == []


def test_counted_pulls_do_not_expire(backend: Backend) -> None:
    identifier = a_repository(backend).id
    STORE.add(identifier, ("", FIRST), {"v1": Sum(1, 1)})

    assert [(row["sk"], "expires_at" in row) for row in rows_like(backend, "PULLS#")] == [
        ("OF#v1", False),
        ("UPTO", False),
    ]
