"""Tests that the registry's own tokens are each for one use and one registry."""

from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from chalicelib.domain.errors import Unauthenticated
from chalicelib.services.security.signing import LEEWAY_S, Signing
from tests.support.backends import Clock

CLOCK = Clock()
KEY = ECKey.generate_key("P-256", {"use": "sig"}, private=True, auto_kid=True).as_dict(private=True)
OTHER = ECKey.generate_key("P-256", {"use": "sig"}, private=True, auto_kid=True).as_dict(private=True)


def signing(*keys: dict[str, Any], issuer: str = "http://registry.test", audience: str = "registry.test") -> Signing:
    return Signing(keys or (KEY,), issuer, audience, CLOCK)


def test_a_token_is_accepted_for_its_use_and_no_other() -> None:
    token = signing().sign("access", {"sub": "me"}, CLOCK(), 60)

    claims = signing().verify("access", token)
    assert (claims["sub"], claims["exp"] - claims["iat"]) == ("me", 60)
    for use in ("federated", "", "ACCESS"):
        with pytest.raises(Unauthenticated, match="another use"):
            signing().verify(use, token)


def test_a_token_of_another_registry_is_refused() -> None:
    token = signing().sign("access", {}, CLOCK(), 60)

    for other in (signing(issuer="http://other.test"), signing(audience="other.test"), signing(OTHER)):
        with pytest.raises(Unauthenticated):
            other.verify("access", token)
    assert signing(OTHER, KEY).verify("access", token)


def test_a_token_is_accepted_only_in_its_lifetime() -> None:
    late, early = (signing().sign("access", {}, CLOCK() + off, 60) for off in (-61, LEEWAY_S + 5))

    with pytest.raises(Unauthenticated, match="expired"):
        signing().verify("access", late)
    with pytest.raises(Unauthenticated, match="not valid yet"):
        signing().verify("access", early)


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "..", "\u00e9.\u00e9.\u00e9"])
def test_text_that_is_not_a_token_is_refused(text: str) -> None:
    with pytest.raises(Unauthenticated, match="not one of ours"):
        signing().verify("access", text)


def test_a_token_without_a_signature_is_refused() -> None:
    token = signing().sign("access", {}, CLOCK(), 60)
    header, claims, _ = token.split(".")

    for forged in (
        f"{header}.{claims}.",
        jwt.encode({"alg": "HS256"}, {}, OctKey.import_key("secret" * 8), algorithms=["HS256"]),
    ):
        with pytest.raises(Unauthenticated):
            signing().verify("access", forged)
