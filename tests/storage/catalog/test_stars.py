"""Storage of stars: one row for each user and repository."""

from chalicelib.storage import keys
from chalicelib.storage.catalog.stars import StarRow, star_row
from chalicelib.storage.table import get, put_new
from tests.support.backends import Backend


def test_a_star_is_stored_once_with_the_ids_of_its_repository(backend: Backend) -> None:
    assert put_new(star_row("bob", "n", "r", 7))
    assert not put_new(star_row("bob", "n", "r", 8))

    row = get(StarRow, keys.star("bob", "r"))
    assert row is not None
    assert (row.repository_id, row.namespace_id, row.starred_at) == ("r", "n", 7)
