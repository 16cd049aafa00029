"""Stores tags and their lives."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.domain.digests import Digest
from chalicelib.domain.signature_tags import is_signature_tag_of
from chalicelib.domain.tag_changes import TagState
from chalicelib.domain.tags import is_alive
from chalicelib.domain.timers import EXPIRY
from chalicelib.storage import keys
from chalicelib.storage.attributes import DigestText, Integer, OptionalInteger, OptionalText
from chalicelib.storage.table import Batch, Row, Transaction, absent, get, newest, query, query_backwards, remove_all
from chalicelib.storage.timers import TimerRow, timer

# In seconds. It is longer than any window of the Time Machine.
HISTORY_S = 90 * 86400


class TagRow(Row):
    """A live tag, with all that a pull reads. `expires_at` is the TTL attribute."""

    name = UnicodeAttribute()
    digest = DigestText()
    media_type = UnicodeAttribute()
    size = Integer()
    # Bytes of an image's layers; None if the manifest is not an image.
    layers_size = OptionalInteger()
    life = UnicodeAttribute()
    started_at = Integer()
    reversion = Integer(default=0)
    immutable = Integer(default=0)
    # The warning about its expiry label that its push returned.
    warning = OptionalText()
    expires_at = OptionalInteger()
    view = UnicodeAttribute()
    view_at = UnicodeAttribute()

    def is_alive(self, now: float) -> bool:
        """Whether the tag has not ended."""
        return is_alive(self.expires_at, now)

    @property
    def state(self) -> TagState:
        """The tag as a value of the domain."""
        return TagState(self.digest, self.started_at, self.expires_at, bool(self.immutable))


class LifeRow(Row):
    """One life of a tag: the manifest that it pointed to, from start to end."""

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
    # `cut` is 1 if somebody ended the life; `told` is 1 once its expiry is in the usage log.
    cut = Integer(default=0)
    told = Integer(default=0)
    expires_at = OptionalInteger()
    view = UnicodeAttribute()
    view_at = UnicodeAttribute()

    @property
    def is_cut(self) -> bool:
        """Whether somebody ended the life, so that it did not expire."""
        return self.cut == 1

    @property
    def is_expiry_recorded(self) -> bool:
        """Whether its expiry is in the usage log."""
        return self.told == 1


class TagStore:
    """The tags in the table. `history_s` is how long an ended life is kept, in seconds."""

    def __init__(self, history_s: int = HISTORY_S) -> None:
        self._history_s = history_s

    def get(self, repository_id: str, name: str) -> TagRow | None:
        """Returns a tag's row, even if it has expired."""
        return get(TagRow, keys.tag(repository_id, name))

    def get_all(self, repository_id: str, names: Iterable[str]) -> dict[str, TagRow]:
        """Returns the tags that exist, by name, even if they have expired."""
        batch = Batch()
        reads = {name: batch.add(TagRow, keys.tag(repository_id, name)) for name in names}
        if reads:
            batch.read()
        return {name: read.row for name, read in reads.items() if read.row}

    def walk(self, repository_id: str, after: str, page: int) -> Iterator[TagRow]:
        """Yields tags after `after`, in the order of their bytes, even if expired, reading `page` at a time."""
        past = keys.tag(repository_id, after)[1] if after else ""
        return query(TagRow, keys.tag(repository_id, ""), after=past, page=page)

    def make_immutable(self, transaction: Transaction, row: TagRow, repository_id: str) -> None:
        """Makes a tag immutable if it is as it was read and does not expire."""
        is_same = unchanged(row) & TagRow.expires_at.does_not_exist()
        transaction.update(TagRow.under(row.key), TagRow.immutable.set(1), condition=is_same)
        life = LifeRow.under(keys.life(repository_id, row.name, row.life))
        transaction.update(life, LifeRow.immutable.set(1), condition=LifeRow.pk.exists())

    def life(self, repository_id: str, name: str, life: str) -> LifeRow | None:
        """Returns one life of a tag."""
        return get(LifeRow, keys.life(repository_id, name, life))

    def mark_expiry_recorded(self, transaction: Transaction, row: LifeRow) -> None:
        """Marks the expiry of a life as recorded, if its end is as it was read."""
        transaction.update(row, LifeRow.told.set(1), condition=LifeRow.ended_at == row.ended_at)

    def list(self, repository_id: str, after: str, limit: int, now: float) -> Iterator[str]:
        """Yields the names of live tags after `after`, in the order of their bytes, reading `limit` at a time."""
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
        """Yields live tags in the order of their bytes, at most `limit`."""
        rows = (row for row in query(TagRow, keys.tag(repository_id, ""), page=limit) if row.is_alive(now))
        return islice(rows, limit)

    def begin(self, transaction: Transaction, row: TagRow, stored: TagRow | None, repository_id: str) -> None:
        """Writes a tag, its life and its expiry timer, if the tag is as it was read."""
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
        """Ends a tag's life now, unless it has expired."""
        if row.is_alive(now):
            life = LifeRow.under(keys.life(repository_id, row.name, row.life))
            keep_until = LifeRow.expires_at.set(now + self._history_s)
            transaction.update(life, LifeRow.ended_at.set(now), LifeRow.cut.set(1), keep_until)

    def remove_life(self, transaction: Transaction, row: TagRow, repository_id: str) -> None:
        """Removes the life of a tag that the transaction removes."""
        transaction.delete(LifeRow.under(keys.life(repository_id, row.name, row.life)))

    def remove_ended_lives(self, repository_id: str, name: str, digest: Digest, now: int) -> None:
        """Removes the lives of a tag on a manifest that have ended."""
        ended = [
            row for row in self.lives(repository_id, name) if row.digest == digest and not is_alive(row.ended_at, now)
        ]
        remove_all(row.key for row in ended)

    def change(self, transaction: Transaction, row: TagRow, repository_id: str) -> None:
        """Writes a changed end or immutability of a tag, if its life is the one that was read; moves its timer."""
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
        """Yields tags whose lives began before the life `before`, the latest first. The index lags."""
        return newest(TagRow, keys.view_alive(repository_id), before, page)

    def newest_lives(self, repository_id: str, before: str, page: int) -> Iterator[LifeRow]:
        """Yields the lives of all tags before the life `before`, the latest first. The index lags."""
        return newest(LifeRow, keys.view_lives(repository_id), before, page)

    def lives(self, repository_id: str, name: str, before: str = "") -> Iterator[LifeRow]:
        """Yields the lives of one tag before the life `before`, all if it is empty, the latest first."""
        upto = keys.life(repository_id, name, before)[1] if before else ""
        rows = query_backwards(LifeRow, keys.life(repository_id, name, ""), upto=upto)
        return (row for row in rows if row.sk != upto)

    def last_life(self, repository_id: str, name: str) -> LifeRow | None:
        """Returns the latest life of a tag, ended or not."""
        return next(query_backwards(LifeRow, keys.life(repository_id, name, ""), limit=1), None)

    def signature_lives(self, repository_id: str, subject: Digest) -> Sequence[LifeRow]:
        """Returns the lives of a manifest's signature tags."""
        rows = query(LifeRow, keys.signature_lives(repository_id, subject))
        return [row for row in rows if is_signature_tag_of(subject, row.name, row.digest)]

    def remove(self, transaction: Transaction, row: TagRow) -> None:
        """Removes a tag if it is as it was read."""
        transaction.delete(row, unchanged(row))


def read_image(image: Mapping[str, Any]) -> tuple[str, TagRow] | None:
    """Reads a tag and its repository's id from an image in the table's stream; None if it is not a tag."""
    partition, key = image["pk"]["S"], image["sk"]["S"]
    if not keys.is_tag((partition, key)):
        return None
    return keys.repository_id(partition), TagRow.from_raw_data(dict(image))


def tag_row(repository_id: str, name: str, life: str) -> TagRow:
    """Creates a tag's row with its keys; the caller sets the rest."""
    return TagRow.under(
        keys.tag(repository_id, name), name=name, life=life, view=keys.view_alive(repository_id), view_at=life
    )


def unchanged(stored: TagRow | None) -> Condition:
    """Returns the condition that a tag is as it was read."""
    return absent() if stored is None else TagRow.life == stored.life
