"""Stores which tag a puller has looked up last, by the digest that it named then."""

import hashlib

from pynamodb.attributes import UnicodeAttribute

from chalicelib.domain.pulls import LOOKUP_S, Puller
from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer, OptionalInteger
from chalicelib.storage.table import Row, get


class LookupRow(Row):
    """The last lookup of a tag that named a digest, by one puller. `at` is in seconds."""

    tag = UnicodeAttribute()
    at = Integer()
    expires_at = OptionalInteger()


class LookupStore:
    """The lookups in the table. A later one takes the place of an earlier one."""

    def put(self, puller: Puller, digest: str, tag: str, at: int) -> None:
        """Writes a lookup, which TTL removes when no pull can belong to it any more."""
        LookupRow.under(_key(puller, digest), tag=tag, at=at, expires_at=at + LOOKUP_S).save()

    def get(self, puller: Puller, digest: str) -> LookupRow | None:
        """Returns the last lookup, however old."""
        return get(LookupRow, _key(puller, digest))


def _key(puller: Puller, digest: str) -> keys.Key:
    words = "\0".join((puller.name, puller.address, digest))
    return keys.lookup(puller.repository_id, hashlib.sha256(words.encode()).hexdigest()[:32])
