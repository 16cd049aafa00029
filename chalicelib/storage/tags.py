"""Tags and their lives as they are kept."""

from collections.abc import Iterator

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition

from chalicelib.domain.digests import Digest
from chalicelib.domain.tags import end_of, is_alive
from chalicelib.domain.timers import EXPIRY
from chalicelib.storage import keys
from chalicelib.storage.attributes import DigestText, Integer, OptionalInteger, OptionalText
from chalicelib.storage.table import Row, Transaction, absent, get, query
from chalicelib.storage.timers import timer


class TagRow(Row):
    """A tag that is alive: all that a pull reads. `expires_at` is the TTL attribute."""

    name = UnicodeAttribute()
    digest = DigestText()
    media_type = UnicodeAttribute()
    size = Integer()
    life = UnicodeAttribute()
    started_at = Integer()
    expires_at = OptionalInteger()
    due = OptionalText()
    due_at = OptionalInteger()
    view = UnicodeAttribute()
    view_at = UnicodeAttribute()

    def is_alive(self, now: float) -> bool:
        """Whether readers see it."""
        return is_alive(self.expires_at, now)


class LifeRow(Row):
    """One life of a tag: from when to when it named which manifest."""

    name = UnicodeAttribute()
    digest = DigestText()
    media_type = UnicodeAttribute()
    size = Integer()
    started_at = Integer()
    ended_at = OptionalInteger()
    reversion = Integer(default=0)
    view = UnicodeAttribute()
    view_at = UnicodeAttribute()


class TagStore:
    """Tags in the table."""

    def get(self, repository_id: str, name: str) -> TagRow | None:
        """A tag's row, be it past its end or not."""
        return get(TagRow, keys.tag(repository_id, name))

    def list(self, repository_id: str, after: str, limit: int, now: float) -> Iterator[str]:
        """Names of live tags past `after`, in order of their bytes. `limit` is how many a page of reading holds."""
        past = keys.tag(repository_id, after)[1] if after else ""
        while True:
            read = 0
            for row in query(TagRow, keys.tag(repository_id, ""), after=past, limit=limit):
                read += 1
                past = row.sk
                if row.is_alive(now):
                    yield row.name
            if read < limit:
                return

    def begin(self, transaction: Transaction, row: TagRow, stored: TagRow | None, repository_id: str) -> None:
        """Writes a tag with its life and the timer of its end, over the one that was read."""
        if row.expires_at is not None:
            target = keys.tag_target(repository_id, row.name)
            row.due, row.due_at = keys.due(EXPIRY, target), row.expires_at
            transaction.put(timer(EXPIRY, target, row.expires_at))
        transaction.put(row, unchanged(stored))
        life = LifeRow.under(
            keys.life(repository_id, row.name, row.life),
            name=row.name,
            digest=row.digest,
            media_type=row.media_type,
            size=row.size,
            started_at=row.started_at,
            ended_at=row.expires_at,
            view=keys.view_lives(repository_id),
            view_at=row.life,
        )
        transaction.put(life)

    def end(self, transaction: Transaction, row: TagRow, repository_id: str, now: int) -> None:
        """Closes a tag's life, no later than the end it already had."""
        life = LifeRow.under(keys.life(repository_id, row.name, row.life))
        transaction.update(life, LifeRow.ended_at.set(min(now, end_of(row.expires_at))))

    def remove(self, transaction: Transaction, row: TagRow) -> None:
        """Takes a tag away, if it is still the one that was read."""
        transaction.delete(row, unchanged(row))


def tag_row(repository_id: str, name: str, life: str) -> TagRow:
    """A tag's row with its keys, of which the rest is to be filled in."""
    return TagRow.under(
        keys.tag(repository_id, name), name=name, life=life, view=keys.view_alive(repository_id), view_at=life
    )


def unchanged(stored: TagRow | None) -> Condition:
    """The condition that a tag is as it was read."""
    return absent() if stored is None else TagRow.life == stored.life


def same(stored: TagRow | None, digest: Digest, expires_at: int | None, now: float) -> bool:
    """Whether a push changes nothing about a tag."""
    return stored is not None and stored.is_alive(now) and stored.digest == digest and stored.expires_at == expires_at
