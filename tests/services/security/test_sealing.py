"""Tests that a sealed secret opens only for its field and with a known key."""

import base64
from urllib.parse import quote

import pytest
from cryptography.exceptions import InvalidTag

from chalicelib.domain.errors import SettingInvalid
from chalicelib.services.security.sealing import Envelope, PageTokens, SealedEpochs, hashed, random_secret

OLD, NEW = bytes(32), bytes([1]) * 32


def test_a_sealed_secret_opens_for_its_field() -> None:
    key_id, sealed = Envelope({"1": OLD}).seal("a/token", "secret")

    assert Envelope({"1": OLD}).open("a/token", key_id, sealed) == "secret"
    assert b"secret" not in sealed


def test_a_secret_sealed_for_another_field_does_not_open() -> None:
    key_id, sealed = Envelope({"1": OLD}).seal("a/token", "secret")

    with pytest.raises(InvalidTag):
        Envelope({"1": OLD}).open("b/token", key_id, sealed)


def test_the_last_key_seals_and_all_open() -> None:
    ring = Envelope({"1": OLD, "2": NEW})
    before = Envelope({"1": OLD}).seal("a", "before")

    assert ring.seal("a", "secret")[0] == "2"
    assert ring.open("a", *before) == "before"


def test_a_missing_key_is_named_in_the_error() -> None:
    sealed = Envelope({"1": OLD}).seal("a", "secret")

    with pytest.raises(SettingInvalid, match="envelope key 1 is missing"):
        Envelope({"2": NEW}).open("a", *sealed)


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    ring = Envelope({"1": OLD})

    assert ring.seal("a", "secret") != ring.seal("a", "secret")


def test_a_random_secret_has_its_prefix_and_256_bits() -> None:
    made = {random_secret("cbo_") for _ in range(20)}

    assert len(made) == 20
    assert all(secret.startswith("cbo_") and len(secret) == 47 for secret in made)


def test_any_text_has_a_hash() -> None:
    assert hashed("secret") == "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
    assert len(hashed("\ud800")) == 64


def test_a_page_token_opens_for_the_list_it_was_sealed_for() -> None:
    tokens = PageTokens(Envelope({"1": OLD}))
    token = tokens.seal("bob's", "hidden")

    assert tokens.open("bob's", token) == "hidden"
    assert token == quote(token, safe="")
    assert "hidden" not in token
    assert b"hidden" not in base64.urlsafe_b64decode(token + "===")


@pytest.mark.parametrize("token", [None, "", "x", "AAAA", "a.b", "\N{SNOWMAN}", "bm9uZS4="])
def test_an_invalid_page_token_means_the_first_page(token: str | None) -> None:
    tokens = PageTokens(Envelope({"1": OLD}))

    assert tokens.open("bob's", token) == ""
    assert tokens.open("carol's", tokens.seal("bob's", "hidden")) == ""


def test_a_client_key_is_that_of_one_account_in_one_epoch() -> None:
    epochs = SealedEpochs(lambda: Envelope({"1": OLD}))
    key = epochs.seal("bob", 3)

    assert epochs.is_key_of("bob", 3, key)
    assert not epochs.is_key_of("bob", 4, key)
    assert not epochs.is_key_of("carol", 3, key)


def test_a_client_key_is_opened_by_the_whole_ring_and_by_no_other_key() -> None:
    key = SealedEpochs(lambda: Envelope({"1": OLD})).seal("bob", 3)

    assert SealedEpochs(lambda: Envelope({"1": OLD, "2": NEW})).is_key_of("bob", 3, key)
    assert not SealedEpochs(lambda: Envelope({"2": NEW})).is_key_of("bob", 3, key)
    assert not SealedEpochs(lambda: Envelope({"1": NEW})).is_key_of("bob", 3, key)


def test_a_text_without_the_prefix_of_client_keys_is_not_opened() -> None:
    def unread() -> Envelope:
        raise AssertionError("no key is needed")

    assert not SealedEpochs(unread).is_key_of("bob", 3, "password")
    for text in (
        "cbk_",
        "cbk_x",
        "cbk_\N{SNOWMAN}",
        "cbk_" + SealedEpochs(lambda: Envelope({"1": OLD})).seal("bob", 3),
    ):
        assert not SealedEpochs(lambda: Envelope({"1": OLD})).is_key_of("bob", 3, text)
