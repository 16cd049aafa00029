"""Storage of applications, their tokens and codes."""

from typing import Any

import pytest

from chalicelib.storage import keys
from chalicelib.storage.identity.applications import ApplicationRow, ApplicationStore, CodeRow
from chalicelib.storage.identity.tokens import TokenKind, TokenRow, TokenStore
from chalicelib.storage.table import Transaction, WriteConflict
from tests.support.backends import Backend

STORE = ApplicationStore(TokenStore())


def add(client_id: str = "C1", name: str = "bot") -> ApplicationRow:
    row = ApplicationRow.under(keys.application("org", client_id), client_id=client_id, namespace_id="org", name=name)
    transaction = Transaction()
    STORE.add(transaction, row, "acme")
    transaction.commit()
    return row


def a_token(uuid: str = "uuid") -> TokenRow:
    token = TokenRow.under(
        keys.token(f"hash-{uuid}"), kind=TokenKind.OAUTH, owner_id="o", uuid=uuid, epoch=0, sha256=f"hash-{uuid}",
        client_id="C1", namespace_id="org",
    )  # fmt: skip
    transaction = Transaction()
    STORE.add_token(transaction, token)
    transaction.commit()
    return token


def commit(change: Any) -> None:
    transaction = Transaction()
    change(transaction)
    transaction.commit()


def test_an_application_is_found_by_its_organization_and_by_its_client_id(backend: Backend) -> None:
    add()

    assert [row.name for row in STORE.of_organization("org")] == ["bot"]
    assert STORE.clients(["C1", "C2"])["C1"].organization == "acme"
    assert STORE.get("org", "") is None
    with pytest.raises(WriteConflict):
        add()


def test_of_two_changes_of_one_version_the_second_is_a_write_conflict(backend: Backend) -> None:
    add()
    first, second = STORE.get("org", "C1"), STORE.get("org", "C1")
    assert first is not None
    assert second is not None
    first.name = "robot"
    commit(lambda transaction: STORE.change(transaction, first))

    with pytest.raises(WriteConflict):
        commit(lambda transaction: STORE.change(transaction, second))
    assert STORE.clients(["C1"])["C1"].name == "robot"


def test_a_removed_application_is_not_found(backend: Backend) -> None:
    row = add()
    commit(lambda transaction: STORE.remove(transaction, row))

    assert STORE.of_organization("org") == []
    assert STORE.clients(["C1"]) == {}
    with pytest.raises(WriteConflict):
        commit(lambda transaction: STORE.remove(transaction, row))


def test_a_token_is_listed_by_its_user_and_its_organization_and_revoked_from_either(backend: Backend) -> None:
    for uuid in ("u1", "u2"):
        a_token(uuid)
    mine, theirs = STORE.tokens_of_user("o")[0], STORE.token("org", "C1", "u2")
    assert theirs is not None
    assert STORE.token("org", "C1", "") is None

    for row in (mine, theirs):
        commit(lambda transaction, row=row: STORE.revoke(transaction, row))

    assert STORE.tokens_of_user("o") == []
    assert STORE.tokens("org", "C1") == []
    assert TokenStore().find("hash-u1") is None
    with pytest.raises(WriteConflict):
        commit(lambda transaction: STORE.revoke(transaction, mine))


def test_a_code_is_used_once(backend: Backend) -> None:
    code = CodeRow.under(
        keys.code("hash"),
        client_id="C1",
        user_id="o",
        epoch=0,
        scopes="repo:read",
        redirect_uri="https://a",
        expires_at=9,
    )
    transaction = Transaction()
    STORE.add_code(transaction, code)
    transaction.commit()

    commit(lambda transaction: STORE.use_code(transaction, code, "uuid"))

    stored = STORE.code("hash")
    assert stored is not None
    assert (stored.token_uuid, stored.get_scope(), stored.get_redirect_uri()) == ("uuid", "repo:read", "https://a")
    with pytest.raises(WriteConflict):
        commit(lambda transaction: STORE.use_code(transaction, code, "other"))
