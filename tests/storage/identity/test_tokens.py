"""Storage of random tokens: found by hash, listed by owner, revoked once."""

import pytest

from chalicelib.storage import keys
from chalicelib.storage.identity.tokens import HOUR_S, TokenKind, TokenRow, TokenStore
from chalicelib.storage.table import Transaction, WriteConflict
from tests.support.backends import Backend

STORE = TokenStore()


def add(sha256: str, uuid: str, owner: str = "o") -> None:
    token = TokenRow.under(keys.token(sha256), kind=TokenKind.APP, owner_id=owner, uuid=uuid, epoch=0, sha256=sha256)
    transaction = Transaction()
    STORE.add(transaction, token, keys.account_token(owner, TokenKind.APP, uuid))
    transaction.commit()


def revoke(listed: TokenRow) -> None:
    transaction = Transaction()
    STORE.revoke(transaction, listed)
    transaction.commit()


def test_a_token_is_found_by_its_hash_and_listed_by_its_owner(backend: Backend) -> None:
    add("hash", "uuid")

    token = STORE.find("hash")
    assert token is not None
    assert (token.owner_id, token.uuid) == ("o", "uuid")
    assert [row.sha256 for row in STORE.listed("o", TokenKind.APP)] == ["hash"]
    assert STORE.of_account("o", TokenKind.APP, "uuid") is not None
    assert STORE.of_account("o", TokenKind.APP, "") is None
    assert STORE.listed("other", TokenKind.APP) == []


def test_a_hash_can_be_used_once(backend: Backend) -> None:
    add("hash", "uuid")

    with pytest.raises(WriteConflict):
        add("hash", "other")


def test_a_token_is_revoked_once_and_is_not_found_afterwards(backend: Backend) -> None:
    add("hash", "uuid")
    (listed,) = STORE.listed("o", TokenKind.APP)

    revoke(listed)

    assert STORE.find("hash") is None
    assert STORE.listed("o", TokenKind.APP) == []
    with pytest.raises(WriteConflict):
        revoke(listed)


def test_a_use_is_recorded_once_an_hour(backend: Backend) -> None:
    for moment in (1000.0, 1001.0, 1000.0 + HOUR_S + 1):
        STORE.use("o", "uuid", moment)
        assert STORE.uses("o")["uuid"] == (1000 if moment < 2000 else 1000 + HOUR_S + 1)


def test_last_uses_of_many_tokens_are_read_with_one_call(backend: Backend) -> None:
    STORE.use("o", "uuid", 1000.0)
    backend.calls.take()

    assert STORE.last_uses([("o", "uuid"), ("o", "other")]) == {"uuid": 1000}
    assert STORE.last_uses([]) == {}
    assert backend.calls.take() == ["BatchGetItem"]


def test_the_expiry_of_a_token_can_be_set(backend: Backend) -> None:
    add("hash", "uuid")
    (listed,) = STORE.listed("o", TokenKind.APP)

    transaction = Transaction()
    STORE.expire(transaction, listed, 5000)
    transaction.commit()

    assert [STORE.find("hash").expires_at, STORE.listed("o", TokenKind.APP)[0].expires_at] == [5000, 5000]


def test_all_app_tokens_are_listed_in_the_order_of_their_positions(backend: Backend) -> None:
    for position in ("1", "2", "3"):
        sha256 = f"hash{position}"
        token = TokenRow.under(
            keys.token(sha256), kind=TokenKind.APP, owner_id="o", uuid=position, epoch=0, sha256=sha256
        )
        transaction = Transaction()
        STORE.add_app(transaction, token, position)
        transaction.commit()

    assert [row.uuid for row in STORE.all_apps("", 10)] == ["1", "2", "3"]
    assert [row.uuid for row in STORE.all_apps("1", 1)] == ["2"]
    assert [row.uuid for row in STORE.listed("o", TokenKind.APP)] == ["1", "2", "3"]


def test_an_id_that_is_too_long_is_not_found(backend: Backend) -> None:
    assert STORE.of_account("o", TokenKind.APP, "x" * 3000) is None
