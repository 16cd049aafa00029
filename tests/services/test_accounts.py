"""Users and robots: made once, recognised by password or token, and all told the same when they are not."""

from collections.abc import Iterator
from unittest import mock

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from chalicelib.domain.accounts import Kind, RobotName
from chalicelib.domain.errors import AccountUnknown, NameInvalid, NameTaken, RegistryError, Unauthenticated
from chalicelib.services.accounts import NOBODY, hash_password, hashed, seal, verify_password
from chalicelib.storage import keys
from chalicelib.storage.accounts import AccountNameRow, AccountRow, RobotRow, TokenRow
from chalicelib.storage.table import get
from tests.crashes import Crash, crash_before
from tests.houses import House, secrets_of
from tests.rows import change, rows_like

BUILDER = RobotName.parse("admin+builder")


@pytest.fixture
def argon2() -> Iterator[mock.Mock]:
    """Counts the checks of passwords: cryptography's own, passed through."""
    counted = mock.Mock(wraps=Argon2id)
    with mock.patch("cryptography.hazmat.primitives.kdf.argon2.Argon2id", counted):
        yield counted.verify_phc_encoded


def test_a_password_is_hashed_with_argon2id_as_owasp_asks() -> None:
    encoded = hash_password("password")

    assert encoded.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert verify_password("password", encoded)
    assert not verify_password("Password", encoded)


def test_two_hashes_of_one_password_differ() -> None:
    assert hash_password("password") != hash_password("password")


@pytest.mark.parametrize("password", ["", "pässwörd", "\x00", "a" * 5000, "🔑"])
def test_any_text_can_be_a_password(password: str) -> None:
    assert verify_password(password, hash_password(password))
    assert not verify_password(password + "x", hash_password(password))


@pytest.mark.parametrize("password", ["", "\x00" * 32, "nobody"])
def test_nobody_has_no_password(password: str) -> None:
    assert NOBODY.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not verify_password(password, NOBODY)


def test_a_user_signs_in_with_the_password_and_with_no_other(house: House) -> None:
    house.user("bob")

    assert house.services.accounts.authenticate("bob", "password").name == "bob"
    with pytest.raises(Unauthenticated):
        house.services.accounts.authenticate("bob", "Password")


def test_neither_password_nor_token_is_kept_in_clear(house: House) -> None:
    house.services.accounts.create_user("bob", "a password of bob's")
    _, secret = house.services.accounts.create_robot(BUILDER)

    kept = repr(rows_like(house))

    assert "a password of bob's" not in kept
    assert secret not in kept


@pytest.mark.parametrize("name", ["nobody", "", "admin+missing", "ADMIN", "admin\x00", "a/b#c"])
def test_an_unknown_user_costs_an_argon2_and_is_told_what_a_wrong_password_is_told(
    house: House, argon2: mock.Mock, name: str
) -> None:
    with pytest.raises(Unauthenticated) as unknown:
        house.services.accounts.authenticate(name, "password")
    assert argon2.call_count == 1

    with pytest.raises(Unauthenticated) as wrong:
        house.services.accounts.authenticate("admin", "wrong")
    assert argon2.call_count == 2
    assert str(unknown.value) == str(wrong.value)


@pytest.mark.parametrize("length", [256, 2100, 100_000])
def test_a_name_longer_than_any_account_is_an_unknown_user(house: House, length: int) -> None:
    with pytest.raises(Unauthenticated):
        house.services.accounts.authenticate("a" * length, "password")


def test_a_disabled_account_costs_the_same_and_is_told_the_same(house: House, argon2: mock.Mock) -> None:
    change(house.user("bob"), enabled=False)

    with pytest.raises(Unauthenticated, match="invalid username or password"):
        house.services.accounts.authenticate("bob", "password")
    assert argon2.call_count == 1


def test_a_robot_has_no_password_and_trying_one_costs_the_same(house: House, argon2: mock.Mock) -> None:
    house.services.accounts.create_robot(BUILDER)

    with pytest.raises(Unauthenticated):
        house.services.accounts.authenticate("admin+builder", "")
    assert argon2.call_count == 1


def test_a_robot_token_costs_no_argon2(house: House, argon2: mock.Mock) -> None:
    _, secret = house.services.accounts.create_robot(BUILDER)

    assert house.services.accounts.authenticate("admin+builder", secret).kind == Kind.ROBOT.value
    assert argon2.call_count == 0


def test_a_robot_token_opens_that_robot_only(house: House) -> None:
    _, secret = house.services.accounts.create_robot(BUILDER)
    house.services.accounts.create_robot(RobotName.parse("admin+other"))

    for name in ("admin+other", "admin", "nobody", "admin+builder2"):
        with pytest.raises(Unauthenticated):
            house.services.accounts.authenticate(name, secret)
    with pytest.raises(Unauthenticated):
        house.services.accounts.authenticate("admin+builder", secret + "x")


def test_a_robot_token_ends_with_its_expiry_with_its_epoch_and_with_the_account(house: House) -> None:
    account, secret = house.services.accounts.create_robot(BUILDER)
    token, row = get(TokenRow, keys.token(hashed(secret))), get(AccountRow, keys.account(account.id))
    refusals = [
        (token, {"expires_at": int(house.clock())}, {"expires_at": None}),
        (token, {"epoch": 1}, {"epoch": 0}),
        (row, {"epoch": 1}, {"epoch": 0}),
        (row, {"enabled": False}, {"enabled": True}),
    ]

    for changed, loss, gain in refusals:
        change(changed, **loss)
        with pytest.raises(Unauthenticated):
            house.services.accounts.authenticate("admin+builder", secret)
        change(changed, **gain)

    assert house.services.accounts.authenticate("admin+builder", secret).id == account.id


def test_a_robot_token_is_recognisable_and_has_256_bits(house: House) -> None:
    _, secret = house.services.accounts.create_robot(BUILDER)

    assert secret.startswith("cbr_")
    assert len(secret) == len("cbr_") + 43


def test_a_sealed_robot_token_opens_with_the_ring_for_its_own_robot_only(house: House) -> None:
    account, secret = house.services.accounts.create_robot(BUILDER)
    row = get(RobotRow, keys.robot(house.account().id, "builder"))
    assert row is not None
    assert row.sealed_token is not None
    key = AESGCM(bytes.fromhex(secrets_of(house)["envelope"][row.key_id]))
    nonce, sealed = row.sealed_token[:12], row.sealed_token[12:]

    assert key.decrypt(nonce, sealed, f"{account.id}/token".encode()).decode() == secret
    for other in (f"{house.account().id}/token", f"{account.id}/other"):
        with pytest.raises(Exception) as refused:
            key.decrypt(nonce, sealed, other.encode())
        assert type(refused.value).__name__ == "InvalidTag"


def test_the_last_key_of_the_ring_seals_and_every_seal_differs() -> None:
    ring = {"old": b"o" * 32, "new": b"n" * 32}

    key_id, first = seal(ring, "a/token", b"secret")
    _, second = seal(ring, "a/token", b"secret")

    assert key_id == "new"
    assert first != second
    assert AESGCM(ring["new"]).decrypt(first[:12], first[12:], b"a/token") == b"secret"


def test_the_first_user_is_a_superuser_and_there_is_no_second_first(house: House) -> None:
    assert house.account().superuser
    assert house.services.accounts.has_first_user()
    with pytest.raises(NameTaken):
        house.services.accounts.create_user("root", "password", first=True)
    with pytest.raises(AccountUnknown):
        house.services.accounts.find("root")
    assert not house.user("bob").superuser


def test_a_name_is_taken_once_and_its_account_stays_as_it_was(house: House) -> None:
    before = house.user("bob").id

    with pytest.raises(NameTaken):
        house.services.accounts.create_user("bob", "other")

    assert house.account("bob").id == before
    assert house.services.accounts.authenticate("bob", "password").id == before


def test_a_deleted_name_is_unknown_and_not_to_be_had(house: House) -> None:
    house.user("bob")
    change(get(AccountNameRow, keys.account_name("bob")), deleted_at=int(house.clock()))

    with pytest.raises(AccountUnknown):
        house.services.accounts.find("bob")
    with pytest.raises(Unauthenticated):
        house.services.accounts.authenticate("bob", "password")
    with pytest.raises(NameTaken):
        house.services.accounts.create_user("bob", "password")


@pytest.mark.parametrize(
    "name", ["", "a", "A", "Bob", "bob_", "-bob", "b..b", "a" * 256, "bob+robot", "bob/app", "bøb"]
)
def test_a_name_outside_the_grammar_is_refused(house: House, name: str) -> None:
    with pytest.raises(NameInvalid):
        house.services.accounts.create_user(name, "password")


def test_a_robot_needs_a_namespace_that_is_there(house: House) -> None:
    with pytest.raises(AccountUnknown):
        house.services.accounts.create_robot(RobotName.parse("nobody+builder"))


def test_a_robot_is_made_once(house: House) -> None:
    _, secret = house.services.accounts.create_robot(BUILDER)

    with pytest.raises(NameTaken):
        house.services.accounts.create_robot(BUILDER)

    assert house.services.accounts.authenticate("admin+builder", secret)


@pytest.mark.parametrize("what", ["user", "robot"])
def test_a_crash_leaves_no_half_of_an_account(house: House, what: str) -> None:
    def create() -> object:
        if what == "user":
            return house.services.accounts.create_user("bob", "password")
        return house.services.accounts.create_robot(BUILDER)

    for number in range(1, 10):
        before = rows_like(house)
        try:
            with crash_before(house, number):
                create()
        except Crash:
            assert rows_like(house) == before
        else:
            break
    with pytest.raises(RegistryError):
        create()
