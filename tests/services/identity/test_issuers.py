"""Tests that keys of issuers are stored for all processes and fetched no more often than needed."""

import base64
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from chalicelib.domain.addresses import Permitted
from chalicelib.domain.errors import OutgoingFailed, OutgoingRefused, WrongCredentials
from chalicelib.remote.messages import OutgoingResponse
from chalicelib.remote.outgoing import Outgoing
from chalicelib.services.identity.issuers import BELIEVED_S, FRESH_S, PAUSE_S, Issuers
from chalicelib.storage.identity.federation import FederationStore
from tests.support.backends import Backend
from tests.support.issuer import DISCOVERY, KEYS, PERMITTED, Issuer, a_key

ONCE = [DISCOVERY, KEYS]


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer().running() as running:
        yield running


@pytest.fixture
def verify(backend: Backend, issuer: Issuer) -> Callable[[str], str]:
    """Verifies a token with the issuer's keys; returns its subject."""
    issuers = Issuers(FederationStore(), Outgoing(Permitted.parse(PERMITTED, "")), backend.clock)

    def verify(token: str) -> str:
        part = token.partition(".")[0]
        header = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        subject: str = issuers.verify(token, header, issuer.url)["sub"]
        return subject

    return verify


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def by_hmac(header: dict[str, str], secret: bytes) -> str:
    """Returns a token signed with the public key as an HMAC secret, which libraries refuse to do."""
    signed = encoded(json.dumps(header).encode()) + "." + encoded(b'{"sub":"job"}')
    return signed + "." + encoded(hmac.digest(secret, signed.encode(), "sha256"))


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_token_is_verified_with_the_keys_of_its_issuer(
    backend: Backend, issuer: Issuer, verify: Callable[..., Any], algorithm: str
) -> None:
    issuer.sign_with(a_key(algorithm))

    assert verify(issuer.token(backend)) == "job"
    assert verify(issuer.token(backend, {"kid": None})) == "job"
    assert issuer.asked == ONCE


def test_keys_are_stored_for_all_processes(backend: Backend, issuer: Issuer, verify: Callable[..., Any]) -> None:
    verify(issuer.token(backend))
    another = Issuers(FederationStore(), Outgoing(Permitted()), backend.clock)

    header = {"alg": "RS256", "kid": a_key().kid}
    assert another.verify(issuer.token(backend), header, issuer.url)["sub"] == "job"


def test_a_signature_by_another_key_is_refused(backend: Backend, issuer: Issuer, verify: Callable[..., Any]) -> None:
    issuer.signs = a_key(number=1)

    with pytest.raises(WrongCredentials):
        verify(issuer.token(backend, {"kid": a_key().kid}))
    with pytest.raises(WrongCredentials):
        verify(issuer.token(backend, {"kid": None}))


def test_only_two_algorithms_are_accepted_whatever_the_keys_are(
    backend: Backend, issuer: Issuer, verify: Callable[..., Any]
) -> None:
    public = RSAKey.import_key(issuer.keys[0]).as_pem(private=False)
    issuer.keys.append({"kty": "oct", "kid": "shared", "k": encoded(b"x" * 32)})
    forged = [
        by_hmac({"alg": "HS256", "kid": a_key().kid}, public),
        by_hmac({"alg": "HS256", "kid": "shared"}, b"x" * 32),
        jwt.encode({"alg": "RS512", "kid": a_key().kid}, {"sub": "job"}, a_key(), algorithms=["RS512"]),
    ]
    none = encoded(b'{"alg":"none"}')
    forged += [f"{none}.{forged[0].split('.')[1]}.", f"{none}.{forged[0].split('.')[1]}.x"]

    for token in forged:
        with pytest.raises(WrongCredentials, match="not signed with RS256 or ES256"):
            verify(token)
    assert issuer.asked == []


def test_a_key_is_used_for_its_own_algorithm_and_for_signing_only(
    backend: Backend, issuer: Issuer, verify: Callable[..., Any]
) -> None:
    good = issuer.keys[0]
    for bad in ({**good, "use": "enc"}, {**good, "alg": "PS256"}, {**good, "kty": "EC"},
                {"kty": "RSA", "kid": good["kid"]}, {**good, "n": "!"}, {**good, "n": 5}):  # fmt: skip
        issuer.keys = [bad, "no key", None]
        backend.clock.ahead_s += BELIEVED_S

        with pytest.raises(WrongCredentials):
            verify(issuer.token(backend))


def test_a_short_key_is_not_accepted(backend: Backend, issuer: Issuer, verify: Callable[..., Any]) -> None:
    issuer.sign_with(RSAKey.generate_key(1024, {"kid": "short"}, private=True))

    with pytest.raises(WrongCredentials):
        verify(issuer.token(backend))


def test_a_key_of_another_curve_is_not_accepted(backend: Backend, issuer: Issuer, verify: Callable[..., Any]) -> None:
    issuer.sign_with(ECKey.generate_key("P-384", {"kid": "long"}, private=True))
    issuer.signs = a_key("ES256")

    with pytest.raises(WrongCredentials):
        verify(issuer.token(backend, {"kid": "long"}))


def test_a_new_key_is_fetched_at_once_and_unknown_ones_once_a_minute(
    backend: Backend, issuer: Issuer, verify: Callable[..., Any]
) -> None:
    verify(issuer.token(backend))
    old = issuer.token(backend)
    backend.clock.ahead_s += PAUSE_S
    issuer.sign_with(a_key(number=1))
    assert verify(issuer.token(backend)) == "job"
    assert issuer.asked == ONCE * 2

    for _ in range(3):
        with pytest.raises(WrongCredentials):
            verify(old)
    assert issuer.asked == ONCE * 2
    backend.clock.ahead_s += PAUSE_S
    with pytest.raises(WrongCredentials):
        verify(old)
    assert issuer.asked == ONCE * 3


def test_old_keys_are_fetched_again_and_used_for_a_while_if_that_fails(
    backend: Backend, issuer: Issuer, verify: Callable[..., Any]
) -> None:
    verify(issuer.token(backend))
    backend.clock.ahead_s += FRESH_S
    verify(issuer.token(backend))
    assert issuer.asked == ONCE * 2

    issuer.pages[KEYS] = (500, b"", {})
    backend.clock.ahead_s += FRESH_S
    assert [verify(issuer.token(backend)) for _ in range(2)] == ["job", "job"]
    backend.clock.ahead_s += BELIEVED_S - FRESH_S
    for _ in range(2):
        with pytest.raises(OutgoingFailed):
            verify(issuer.token(backend))


def test_an_issuer_that_fails_is_called_once_a_minute(
    backend: Backend, issuer: Issuer, verify: Callable[..., Any]
) -> None:
    issuer.pages[DISCOVERY] = (404, b"", {})

    for _ in range(3):
        with pytest.raises(OutgoingFailed):
            verify(issuer.token(backend))
        backend.clock.ahead_s += 10
    assert issuer.asked == [DISCOVERY]


@pytest.mark.parametrize(
    ("about", "page"),
    [
        ({"issuer": "https://other.example"}, None),
        ({"issuer": None}, None),
        ({"jwks_uri": None}, None),
        ({"jwks_uri": "http://10.0.0.1/keys"}, None),
        ({"jwks_uri": "file:///etc/passwd"}, None),
        ({}, (DISCOVERY, 200, b"[]", {})),
        ({}, (DISCOVERY, 200, b"{", {})),
        ({}, (DISCOVERY, 302, b"", {"Location": KEYS})),
        ({}, (KEYS, 302, b"", {"Location": DISCOVERY})),
        ({}, (KEYS, 200, b'{"keys": {}}', {})),
        ({}, (KEYS, 200, b'{"keys": [' + b" " * 70_000 + b"]}", {})),
        ({}, (DISCOVERY, 200, b" " * 70_000 + b"{}", {})),
    ],
)
def test_invalid_documents_are_refused(
    backend: Backend, issuer: Issuer, verify: Callable[..., Any], about: dict[str, Any], page: Any
) -> None:
    issuer.about = about
    if page:
        issuer.pages[page[0]] = page[1:]

    with pytest.raises(OutgoingFailed):
        verify(issuer.token(backend))


def test_many_requests_at_once_call_the_issuer_once(
    backend: Backend, issuer: Issuer, verify: Callable[..., Any]
) -> None:
    found: list[str] = []
    token = issuer.token(backend)
    threads = [threading.Thread(target=lambda: found.append(verify(token))) for _ in range(6)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == ["job"] * 6
    assert issuer.asked == ONCE


def test_an_issuer_that_may_not_be_called_is_refused() -> None:
    issuers = Issuers(FederationStore(), Outgoing(Permitted()))

    issuers.check("https://issuer.example/realm")
    for bad in (
        "http://issuer.example",
        "x",
        "https://u@issuer.example",
        "https://a.example/?x",
        "https://a.example/#x",
    ):
        with pytest.raises(OutgoingRefused):
            issuers.check(bad)


def test_a_request_waits_for_the_keys_as_long_as_a_fetch_may_take(backend: Backend, issuer: Issuer) -> None:
    store, slept = FederationStore(), []
    store.claim(issuer.url, backend.clock(), PAUSE_S)

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            store.keep(issuer.url, json.dumps(issuer.keys), backend.clock())

    issuers = Issuers(store, Nobody(), backend.clock, sleep)
    header = {"alg": "RS256", "kid": a_key().kid}
    assert issuers.verify(issuer.token(backend), header, issuer.url)["sub"] == "job"
    assert len(slept) == 3


class Nobody(Outgoing):
    """An outgoing guard that must not be called."""

    def __init__(self) -> None:
        super().__init__(Permitted())

    def get(self, url: str, **_: object) -> OutgoingResponse:
        """Fails the test."""
        raise AssertionError(url)
