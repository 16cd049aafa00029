"""Stores stars: repositories that a user has marked."""

from pynamodb.attributes import UnicodeAttribute

from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer
from chalicelib.storage.table import Row


class StarRow(Row):
    """A repository that a user has starred."""

    repository_id = UnicodeAttribute()
    namespace_id = UnicodeAttribute()
    starred_at = Integer()


def star_row(account_id: str, namespace_id: str, repository_id: str, now: int = 0) -> StarRow:
    """Creates the star of a user for a repository."""
    key = keys.star(account_id, repository_id)
    return StarRow.under(key, repository_id=repository_id, namespace_id=namespace_id, starred_at=now)
