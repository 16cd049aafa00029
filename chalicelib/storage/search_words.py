"""Stores the words by which search finds repositories, users and organizations, in the transactions that name them."""

from collections.abc import Collection, Iterator
from enum import StrEnum

from pynamodb.attributes import UnicodeAttribute

from chalicelib.domain.search_words import words_of
from chalicelib.storage import keys
from chalicelib.storage.attributes import EnumText
from chalicelib.storage.table import Row, Transaction, query


class SearchKind(StrEnum):
    """The kind of thing that search finds by a word."""

    REPOSITORY = "repository"
    USER = "user"
    ORGANIZATION = "organization"


class SearchWordRow(Row):
    """One word of a name, with what the name belongs to. A repository's `name` is without its namespace."""

    kind = EnumText(SearchKind)
    id = UnicodeAttribute()
    namespace_id = UnicodeAttribute()
    name = UnicodeAttribute()


def put_words(transaction: Transaction, kind: SearchKind, name: str, identifier: str, namespace_id: str) -> None:
    """Makes something findable by the words of its name. For a namespace, `namespace_id` is its own id."""
    fields = {"kind": kind, "id": identifier, "namespace_id": namespace_id, "name": name}
    for word in words_of(name):
        transaction.put(SearchWordRow.under(_key(word, identifier), **fields))


def delete_words(transaction: Transaction, name: str, identifier: str, *, keep: Collection[str] = ()) -> None:
    """Removes the words of a name, except those in `keep`."""
    for word in words_of(name):
        if word not in keep:
            transaction.delete(SearchWordRow.under(_key(word, identifier)))


def move_words(transaction: Transaction, kind: SearchKind, names: tuple[str, str], identifier: str) -> None:
    """Replaces the words of an account's former name by those of its new one; `names` are both, in this order."""
    former, name = names
    put_words(transaction, kind, name, identifier, identifier)
    delete_words(transaction, former, identifier, keep=words_of(name))


class SearchWordStore:
    """The words in the table."""

    def beginning(self, word: str, limit: int) -> Iterator[SearchWordRow]:
        """Yields the rows of words that begin with `word`, in order, at most `limit`."""
        return query(SearchWordRow, keys.word(word[:2], word), limit=limit)


def _key(word: str, identifier: str) -> keys.Key:
    return keys.word(word[:2], word, identifier)
