"""Tags and their lives as they are kept."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.digests import Digest
from chalicelib.domain.signature_tags import is_signature_tag
from chalicelib.domain.tag_changes import TagState
from chalicelib.domain.tags import is_alive
from chalicelib.domain.timers import EXPIRY
from chalicelib.storage import keys
from chalicelib.storage.attributes import DigestText, Integer, OptionalInteger, OptionalText
from chalicelib.storage.table import Batch, Row, Transaction, absent, get, newest, query, query_backwards
from chalicelib.storage.timers import TimerRow, timer

# Longer than any window of the Time Machine.
HISTORY_S = 90 * 86400


class TagRow(Row):
    """A tag that is alive: all that a pull reads. `expires_at` is the TTL attribute."""

    name = UnicodeAttribute()
    digest = DigestText()
    media_type = UnicodeAttribute()
    size = Integer()
    # Bytes of an image's layers; None for what is no image.
    layers_size = OptionalInteger()
    life = UnicodeAttribute()
    started_at = Integer()
    reversion = Integer(default=0)
    immutable = Integer(default=0)
    # What whoever pushed it was told of its label, None for nothing.
    warning = OptionalText()
    expires_at = OptionalInteger()
    view = UnicodeAttribute()
    view_at = UnicodeAttribute()

    def is_alive(self, now: float) -> bool:
        """Whether readers see it."""
        return is_alive(self.expires_at, now)

    @property
    def state(self) -> TagState:
        """What the rules of the domain ask about."""
        return TagState(self.digest, self.started_at, self.expires_at, bool(self.immutable))


class LifeRow(Row):
    """One life of a tag: from when to when it named which manifest."""

    name = UnicodeAttribute()
    digest = DigestText()
    media_type = UnicodeAttribute()
    size = Integer()
    layers_size = OptionalInteger()
    started_at = Integer()
    immutable = Integer(default=0)
    warning = OptionalText()
    ended_at = OptionalInteger()
    reversion = Integer(default=0)
    # 1 where it was ended before its time; 1 where it is recorded that its time was up.
    cut = Integer(default=0)
    told = Integer(default=0)
    expires_at = OptionalInteger()
    view = UnicodeAttribute()
    view_at = UnicodeAttribute()

    @property
    def is_cut(self) -> bool:
        """Whether somebody ended it, and not the clock."""
        return self.cut == 1

    @property
    def is_told(self) -> bool:
        """Whether its end by the clock has been recorded."""
        return self.told == 1


class TagStore:
    """Tags in the table. `history_s` is how long a life that has ended stays to be seen, in seconds."""

    def __init__(self, history_s: int = HISTORY_S) -> None:
        self._history_s = history_s

    def get(self, repository_id: str, name: str) -> TagRow | None:
        """A tag's row, be it past its end or not."""
        return get(TagRow, keys.tag(repository_id, name))

    def get_all(self, repository_id: str, names: Iterable[str]) -> dict[str, TagRow]:
        """Tags by their names, those that are there, be they past their ends or not."""
        batch = Batch()
        reads = {name: batch.add(TagRow, keys.tag(repository_id, name)) for name in names}
        if reads:
            batch.read()
        return {name: read.row for name, read in reads.items() if read.row}

    def walk(self, repository_id: str, after: str, page: int) -> Iterator[TagRow]:
        """Tags past one, in order of their bytes, be they past their ends or not, read `page` at a time."""
        past = keys.tag(repository_id, after)[1] if after else ""
        return query(TagRow, keys.tag(repository_id, ""), after=past, page=page)

    def fix(self, transaction: Transaction, row: TagRow, repository_id: str) -> None:
        """Lets a tag change no more, if it is still the one that was read and has no end."""
        is_same = unchanged(row) & TagRow.expires_at.does_not_exist()
        transaction.update(TagRow.under(row.key), TagRow.immutable.set(1), condition=is_same)
        life = LifeRow.under(keys.life(repository_id, row.name, row.life))
        transaction.update(life, LifeRow.immutable.set(1), condition=LifeRow.pk.exists())

    def life(self, repository_id: str, name: str, life: str) -> LifeRow | None:
        """One life of a tag."""
        return get(LifeRow, keys.life(repository_id, name, life))

    def tell(self, transaction: Transaction, row: LifeRow) -> None:
        """Writes down that a life's end by the clock is recorded, on condition that it still ended so."""
        transaction.update(row, LifeRow.told.set(1), condition=LifeRow.ended_at == row.ended_at)

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

    def alive(self, repository_id: str, limit: int, now: float) -> Iterator[TagRow]:
        """Tags that are alive, in order of their bytes, at most so many."""
        rows = (row for row in query(TagRow, keys.tag(repository_id, ""), page=limit) if row.is_alive(now))
        return islice(rows, limit)

    def begin(self, transaction: Transaction, row: TagRow, stored: TagRow | None, repository_id: str) -> None:
        """Writes a tag with its life and the timer of its end, over the one that was read."""
        if row.expires_at is not None:
            transaction.put(timer(EXPIRY, keys.tag_target(repository_id, row.name, row.life), row.expires_at))
        transaction.put(row, unchanged(stored))
        life = LifeRow.under(
            keys.life(repository_id, row.name, row.life),
            name=row.name,
            digest=row.digest,
            media_type=row.media_type,
            size=row.size,
            layers_size=row.layers_size,
            started_at=row.started_at,
            immutable=row.immutable,
            warning=row.warning,
            reversion=row.reversion,
            ended_at=row.expires_at,
            expires_at=None if row.expires_at is None else row.expires_at + self._history_s,
            view=keys.view_lives(repository_id),
            view_at=row.life,
        )
        transaction.put(life)

    def end(self, transaction: Transaction, row: TagRow, repository_id: str, now: int) -> None:
        """Closes a tag's life, which keeps the end it already had when that lies behind."""
        if row.is_alive(now):
            life = LifeRow.under(keys.life(repository_id, row.name, row.life))
            kept_until = LifeRow.expires_at.set(now + self._history_s)
            transaction.update(life, LifeRow.ended_at.set(now), LifeRow.cut.set(1), kept_until)

    def change(self, transaction: Transaction, row: TagRow, repository_id: str) -> None:
        """Writes another end, or whether a tag may change, over the life that was read; its timer follows the end."""
        transaction.put(row, unchanged(row))
        life = LifeRow.under(keys.life(repository_id, row.name, row.life))
        target = keys.tag_target(repository_id, row.name, row.life)
        actions: list[Action] = [LifeRow.immutable.set(row.immutable)]
        if row.expires_at is None:
            actions += [LifeRow.ended_at.remove(), LifeRow.expires_at.remove()]
            transaction.delete(TimerRow.under(keys.timer(EXPIRY, target)))
        else:
            actions += [LifeRow.ended_at.set(row.expires_at)]
            actions += [LifeRow.expires_at.set(row.expires_at + self._history_s)]
            transaction.put(timer(EXPIRY, target, row.expires_at))
        transaction.update(life, *actions)

    def newest(self, repository_id: str, before: str, page: int) -> Iterator[TagRow]:
        """Tags by the beginning of their lives, the latest first, before a life; from an index, which lags."""
        return newest(TagRow, keys.view_alive(repository_id), before, page)

    def newest_lives(self, repository_id: str, before: str, page: int) -> Iterator[LifeRow]:
        """Lives of all tags, the latest first, before one of them; from an index, which lags."""
        return newest(LifeRow, keys.view_lives(repository_id), before, page)

    def lives(self, repository_id: str, name: str) -> Iterator[LifeRow]:
        """The lives of one tag, the latest first."""
        return query_backwards(LifeRow, keys.life(repository_id, name, ""))

    def last_life(self, repository_id: str, name: str) -> LifeRow | None:
        """The latest life of a tag, be it over or not."""
        return next(query_backwards(LifeRow, keys.life(repository_id, name, ""), limit=1), None)

    def sibling_lives(self, repository_id: str, subject: Digest) -> Sequence[LifeRow]:
        """The lives of tags that hold what was signed or said of a manifest."""
        return [row for row in query(LifeRow, keys.sibling_lives(repository_id, subject)) if is_signature_tag(row.name)]

    def remove(self, transaction: Transaction, row: TagRow) -> None:
        """Takes a tag away, if it is still the one that was read."""
        transaction.delete(row, unchanged(row))


def read_image(image: Mapping[str, Any]) -> tuple[str, TagRow] | None:
    """The id of the repository and the tag of an item as the table's stream tells it; None for what is no tag."""
    partition, key = image["pk"]["S"], image["sk"]["S"]
    if not keys.is_tag((partition, key)):
        return None
    return keys.repository_id(partition), TagRow.from_raw_data(dict(image))


def tag_row(repository_id: str, name: str, life: str) -> TagRow:
    """A tag's row with its keys, of which the rest is to be filled in."""
    return TagRow.under(
        keys.tag(repository_id, name), name=name, life=life, view=keys.view_alive(repository_id), view_at=life
    )


def unchanged(stored: TagRow | None) -> Condition:
    """The condition that a tag is as it was read."""
    return absent() if stored is None else TagRow.life == stored.life
