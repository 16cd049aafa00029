"""Tests that ES256 tokens are compatible with another library, and that anything else is refused."""

import base64
import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from chalicelib.services.security.es256 import Key, read

MADE = ECKey.generate_key("P-256", {"use": "sig"}, private=True, auto_kid=True)
KEY = Key.of(MADE.as_dict(private=True))
RING = {KEY.kid: KEY}
CLAIMS = {"sub": "me", "name": "zoë"}


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def a_token(header: dict[str, Any] | None = None, key: Key = KEY) -> str:
    return key.sign({"typ": "access", **(header or {})}, CLAIMS)


def test_another_library_reads_what_we_sign() -> None:
    for _ in range(100):  # numbers with leading zeros among them
        found = jwt.decode(a_token(), MADE, algorithms=["ES256"])
        assert (found.claims, found.header) == (CLAIMS, {"alg": "ES256", "kid": MADE.kid, "typ": "access"})


def test_we_read_what_another_library_signs() -> None:
    for _ in range(100):
        text = jwt.encode({"alg": "ES256", "kid": MADE.kid}, CLAIMS, MADE, algorithms=["ES256"])
        assert read(text, RING) == ({"typ": "JWT", "alg": "ES256", "kid": MADE.kid}, CLAIMS)


def test_the_key_is_the_one_that_the_token_names() -> None:
    other = ECKey.generate_key("P-256", private=True, auto_kid=True)
    keys = RING | {str(other.kid): Key.of(other.as_dict(private=True))}

    assert read(a_token(), keys)[1] == CLAIMS
    with pytest.raises(ValueError, match="does not match the key"):
        read(a_token({"kid": other.kid}), keys)
    kids: tuple[object, ...] = ("another", None, ["a"], {})
    for kid in kids:
        with pytest.raises(ValueError, match="no key of this registry"):
            read(a_token({"kid": kid}), keys)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_no_bit_of_a_token_may_change(part: int) -> None:
    parts = a_token().split(".")
    content = base64.urlsafe_b64decode(parts[part] + "==")

    for place in range(len(content)):
        changed = bytes([*content[:place], content[place] ^ 1, *content[place + 1 :]])
        with pytest.raises(ValueError):
            read(".".join([*parts[:part], encoded(changed), *parts[part + 1 :]]), RING)


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "HS256"}, {"alg": None}, {"crit": ["exp"]}])
def test_only_es256_is_accepted(header: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not signed with ES256"):
        read(a_token(header), RING)


def test_a_public_key_is_not_accepted_as_an_hmac_secret() -> None:
    public = OctKey.import_key(json.dumps(MADE.as_dict(private=False)))
    forged = jwt.encode({"alg": "HS256", "kid": MADE.kid}, CLAIMS, public, algorithms=["HS256"])

    with pytest.raises(ValueError, match="not signed with ES256"):
        read(forged, RING)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "..",
        "a.b.c",
        "é.é.é",
        f"{encoded(b'[]')}.e30.AA",
        f"{encoded(b'1')}.e30.AA",
        f"{encoded(b'[' * 100_000)}.e30.AA",
        f"{encoded(bytes([255]))}.e30.AA",
    ],
)
def test_text_that_is_not_a_token_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read(text, RING)


def test_the_signature_is_checked_over_the_text_as_sent() -> None:
    header, claims, signature = a_token().split(".")

    for other in (
        f"{header}.{claims}.{signature}==",
        f"{header}.{claims}.{signature}\n",
        f"{header}. {claims}.{signature}",
        f"{header}.{claims}.",
        f"{header}.{claims}.{encoded(bytes(64))}",
        f"{header}.{claims}.{signature}AA",
        f"{header}.{claims}.x.{signature}",
        f"{header}.{signature}",
    ):
        with pytest.raises(ValueError):
            read(other, RING)


def test_only_a_private_key_on_p_256_is_accepted() -> None:
    whole = MADE.as_dict(private=True)

    for wrong, why in (
        ({"kty": "RSA"}, "P-256"),
        ({"crv": "P-384"}, "P-256"),
        ({"x": whole["y"], "y": whole["x"]}, "curve"),
        ({"d": "AA"}, "."),
    ):
        with pytest.raises(ValueError, match=why):
            Key.of({**whole, **wrong})
    for name in ("d", "x", "kid"):
        with pytest.raises(ValueError, match=f"lacks '{name}'"):
            Key.of({key: value for key, value in whole.items() if key != name})
