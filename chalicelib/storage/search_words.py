"""Words by which repositories, users and organizations are found, as they are kept: written with what they name."""

from collections.abc import Collection, Iterator
from enum import StrEnum

from pynamodb.attributes import UnicodeAttribute

from chalicelib.domain.search_words import words_of
from chalicelib.storage import keys
from chalicelib.storage.attributes import EnumText
from chalicelib.storage.table import Row, Transaction, query


class SearchKind(StrEnum):
    """What a word leads to."""

    REPOSITORY = "repository"
    USER = "user"
    ORGANIZATION = "organization"


class SearchWordRow(Row):
    """One word of a name: of what kind, with its id, and the name itself, a repository's without its namespace."""

    kind = EnumText(SearchKind)
    id = UnicodeAttribute()
    namespace_id = UnicodeAttribute()
    name = UnicodeAttribute()


def put_words(transaction: Transaction, kind: SearchKind, name: str, identifier: str, namespace_id: str) -> None:
    """Lets something be found by the words of its name; a namespace's own id is `namespace_id` too."""
    shown = {"kind": kind, "id": identifier, "namespace_id": namespace_id, "name": name}
    for word in words_of(name):
        transaction.put(SearchWordRow.under(_key(word, identifier), **shown))


def delete_words(transaction: Transaction, name: str, identifier: str, *, keep: Collection[str] = ()) -> None:
    """Lets it be found no longer, but by words that are to be kept."""
    for word in words_of(name):
        if word not in keep:
            transaction.delete(SearchWordRow.under(_key(word, identifier)))


def move_words(transaction: Transaction, kind: SearchKind, names: tuple[str, str], identifier: str) -> None:
    """Lets an account be found by the words of its second name, and no longer by those that only its first has."""
    former, name = names
    put_words(transaction, kind, name, identifier, identifier)
    delete_words(transaction, former, identifier, keep=words_of(name))


class SearchWordStore:
    """Words in the table."""

    def beginning(self, word: str, limit: int) -> Iterator[SearchWordRow]:
        """What is found by words that begin so, in their order; at most so many."""
        return query(SearchWordRow, keys.word(word[:2], word), limit=limit)


def _key(word: str, identifier: str) -> keys.Key:
    return keys.word(word[:2], word, identifier)
