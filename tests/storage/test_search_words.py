"""Storage of search words, which are written and removed with what they name."""

from chalicelib.domain.names import RepositoryName
from chalicelib.domain.repositories import Visibility
from chalicelib.services.registry.repositories import NewRepository
from chalicelib.storage.search_words import SearchKind, SearchWordStore, delete_words, put_words
from chalicelib.storage.table import Transaction
from tests.support.backends import Backend
from tests.support.builders import a_repository
from tests.support.rows import rows_like

STORE = SearchWordStore()


def found(word: str, limit: int = 100) -> list[str]:
    return [row.id for row in STORE.beginning(word, limit)]


def test_a_name_is_found_by_the_beginning_of_each_word_until_it_is_removed(backend: Backend) -> None:
    for name, identifier in (("web-front", "1"), ("web", "2"), ("w", "3")):
        transaction = Transaction()
        put_words(transaction, SearchKind.REPOSITORY, name, identifier, "n")
        transaction.commit()

    assert found("we") == found("web") == ["1", "2"] or found("web") == ["2", "1"]
    assert (found("fron"), found("front"), found("fronts"), found("ront")) == (["1"], ["1"], [], [])
    assert found("w") == ["3"]
    assert len(found("web", 1)) == 1
    (row,) = STORE.beginning("front", 10)
    assert (row.kind, row.name, row.namespace_id) == ("repository", "web-front", "n")

    transaction = Transaction()
    delete_words(transaction, "web-front", "1")
    transaction.commit()
    assert (found("front"), found("web")) == ([], ["2"])


def test_a_repository_s_words_are_written_and_removed_with_it(backend: Backend) -> None:
    repository = a_repository(backend, "admin/deep/name")
    assert found("deep") == found("name") == [repository.id]

    backend.services.registry.repositories.delete(backend.signed_in("admin"), repository.name)
    assert found("deep") == found("name") == []
    again = backend.services.registry.repositories.create(
        backend.signed_in("admin"), NewRepository(RepositoryName("admin", "deep/name"), Visibility.PUBLIC)
    )
    assert found("deep") == [again.id]


def test_users_and_organizations_are_found_until_they_are_deleted(backend: Backend) -> None:
    backend.user("bob")
    backend.services.accounts.organizations.create(backend.signed_in("admin"), "bob-s-place")
    kinds = {row.name: row.kind for row in STORE.beginning("bob", 10)}
    assert kinds == {"bob": "user", "bob-s-place": "organization"}

    backend.services.accounts.organizations.delete(backend.signed_in("admin"), "bob-s-place")

    assert [row["name"] for row in rows_like(backend, "WORD#bo")] == ["bob"]
    assert found("place") == []


def test_a_renamed_organization_is_found_only_by_the_words_of_its_new_name(backend: Backend) -> None:
    backend.services.accounts.organizations.create(backend.signed_in("admin"), "acme-tools")
    backend.services.accounts.renames.rename(backend.signed_in("admin"), "acme-tools", "apex-tools")

    assert (found("acme"), len(found("apex")), len(found("tools"))) == ([], 1, 1)
    assert {row["name"] for row in rows_like(backend, "WORD#to")} == {"apex-tools"}
