"""Tests the content of access tokens, and which tokens are refused."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from chalicelib.domain.errors import Denied, ScopeInvalid, Unauthenticated
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import DELETE, PULL, PUSH, Role, Source
from chalicelib.services.identity.tokens import LARGEST_TOKEN, Tokens
from chalicelib.services.security.signing import LEEWAY_S, Signing
from tests.support.backends import Backend, secrets_of
from tests.support.builders import a_repository, an_actor_with_role
from tests.support.stack import ROOT

ALL = "repository:admin/app:pull,push"


def signed(backend: Backend, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
    """Returns a token signed with the backend's key, with some claims changed; None leaves a claim out."""
    key = ECKey.import_key(secrets_of(backend)["signing"][0])
    now = int(backend.clock())
    account = backend.account()
    document = {
        "iss": backend.settings.url,
        "aud": backend.settings.service,
        "sub": account.id,
        "name": account.name,
        "kind": "user",
        "epoch": 0,
        "iat": now,
        "nbf": now,
        "exp": now + 300,
        "access": [],
        "credential": {},
    } | claims
    document = {name: value for name, value in document.items() if value is not None}
    return jwt.encode(
        {"alg": "ES256", "typ": "access", "kid": key.kid} | dict(header or {}), document, key, algorithms=["ES256"]
    )


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def claims_of(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def test_a_token_has_its_subject_and_its_grants(backend: Backend) -> None:
    repository = a_repository(backend)

    actor = backend.services.identity.tokens.believe(backend.token("admin", "admin/app", actions="pull"))

    grant = actor.grants["admin/app"]
    assert (actor.account_id, actor.name, actor.kind, actor.epoch) == (backend.account().id, "admin", "user", 0)
    assert (grant.actions, grant.repository_id, grant.namespace_id) == (
        frozenset({PULL}),
        repository.id,
        repository.namespace_id,
    )
    assert grant.source is Source.OWNER


def test_claims_signed_by_our_own_key_are_accepted(backend: Backend) -> None:
    assert backend.services.identity.tokens.believe(signed(backend)).name == "admin"


def test_a_token_carries_issuer_audience_and_times_from_settings(backend: Backend) -> None:
    issued = backend.services.identity.tokens.issue(("admin", "password"), "registry.test", [])

    claims = claims_of(issued.token)

    assert (claims["iss"], claims["aud"]) == ("http://registry.test", "registry.test")
    assert claims["exp"] - claims["iat"] == issued.expires_in == backend.settings.token_s == 300
    assert claims["nbf"] == claims["iat"] == int(issued.issued_at)


def test_an_anonymous_token_names_nobody(backend: Backend) -> None:
    actor = backend.services.identity.tokens.believe(backend.token("", "admin/app"))

    assert actor.is_anonymous
    assert not actor.grants["admin/app"].actions


def test_two_scopes_are_two_grants(backend: Backend) -> None:
    for name in ("admin/app", "admin/base"):
        a_repository(backend, name)
    scopes = ["repository:admin/app:pull,push", "repository:admin/base:pull"]

    for asked in (scopes, [" ".join(scopes)]):
        actor = backend.services.identity.tokens.believe(
            backend.services.identity.tokens.issue(("admin", "password"), None, asked).token
        )

        assert {name: grant.actions for name, grant in actor.grants.items()} == {
            "admin/app": {PULL, PUSH},
            "admin/base": {PULL},
        }


@pytest.mark.parametrize(
    "scopes",
    [
        ["repository:admin/app:pull,push", "repository:admin/app:pull"],
        ["repository:admin/app:pull", "repository:admin/app:pull,push"],
        ["repository:admin/app:pull", "repository:admin/app:push"],
    ],
)
def test_two_scopes_of_one_repository_are_merged(backend: Backend, scopes: list[str]) -> None:
    a_repository(backend)

    actor = backend.services.identity.tokens.believe(
        backend.services.identity.tokens.issue(("admin", "password"), None, scopes).token
    )

    assert actor.grants["admin/app"].actions == {PULL, PUSH}


def test_a_scope_is_granted_in_part_if_the_account_has_only_part_of_it(backend: Backend) -> None:
    a_repository(backend)
    backend.user("bob")
    an_actor_with_role(backend, "bob", Role.READ)

    assert backend.actor("bob", "admin/app", actions="pull,push,delete").grants["admin/app"].actions == {PULL}


def test_a_star_requests_all_actions_that_the_account_has(backend: Backend) -> None:
    a_repository(backend)
    backend.user("bob")
    an_actor_with_role(backend, "bob", Role.WRITE)

    assert backend.actor("bob", "admin/app", actions="*").grants["admin/app"].actions == {PULL, PUSH, DELETE}


def test_a_scope_without_actions_grants_none(backend: Backend) -> None:
    a_repository(backend)

    token = backend.services.identity.tokens.issue(("admin", "password"), None, ["repository:admin/app:"]).token

    assert backend.services.identity.tokens.believe(token).grants["admin/app"].actions == frozenset()


@pytest.mark.parametrize("scope", ["repository:Not/A:Name:pull", "repository:" + "a" * 300 + ":pull", "other:x:pull"])
def test_a_scope_with_an_invalid_name_grants_nothing(backend: Backend, scope: str) -> None:
    token = backend.services.identity.tokens.issue(("admin", "password"), None, [scope]).token

    assert not backend.services.identity.tokens.believe(token).grants


@pytest.mark.parametrize("scope", ["nonsense", "repository:admin/app", "repository:admin/app:PULL", ":::"])
def test_an_invalid_scope_is_refused(backend: Backend, scope: str) -> None:
    with pytest.raises(ScopeInvalid, match="repository:NAMESPACE/NAME"):
        backend.services.identity.tokens.issue(("admin", "password"), None, [scope])


def most_that_fit(backend: Backend, name: str, scopes: list[str]) -> int:
    """Returns how many of the scopes fit into one token of an account."""
    credentials = (name, "password") if name else None
    for number in range(len(scopes), 0, -1):
        try:
            token = backend.services.identity.tokens.issue(credentials, None, scopes[:number]).token
        except ScopeInvalid:
            continue
        assert len(token) <= LARGEST_TOKEN
        return number
    raise AssertionError("not even one fits")


def test_as_many_scopes_fit_into_a_token_as_the_limits_say(backend: Backend) -> None:
    names = [f"admin/application-{number:02d}" for number in range(30)]
    for name in names:
        a_repository(backend, name)
    with_rights = most_that_fit(backend, "admin", [f"repository:{name}:pull,push" for name in names])
    without = most_that_fit(backend, "", [f"repository:admin/application-{number:02d}:pull" for number in range(99)])
    (line,) = [line for line in (ROOT / "docs/limits.md").read_text("utf-8").splitlines() if "An access token" in line]

    assert {"7", str(with_rights), str(without)} <= set(re.findall(r"\d+", line))


def test_scopes_that_do_not_fit_are_refused_before_any_right_is_read(backend: Backend) -> None:
    scopes = [f"repository:admin/application-{number}:pull" for number in range(2000)]
    backend.calls.take()

    with pytest.raises(ScopeInvalid, match=r"a token has at most 7168 bytes, .*ask for fewer repositories"):
        backend.services.identity.tokens.issue(None, None, scopes)
    assert backend.calls.take() == []


def test_one_scope_of_a_long_name_always_fits(backend: Backend) -> None:
    name = "admin/" + "a" * 249
    token = backend.services.identity.tokens.issue(("admin", "password"), None, [f"repository:{name}:*"]).token

    assert backend.services.identity.tokens.believe(token).grants[name].actions


@pytest.mark.parametrize("service", ["elsewhere.test", "http://registry.test"])
def test_another_service_is_refused(backend: Backend, service: str) -> None:
    with pytest.raises(ScopeInvalid, match=r"registry\.test"):
        backend.services.identity.tokens.issue(None, service, [])


def test_wrong_credentials_give_no_token_not_even_an_anonymous_one(backend: Backend) -> None:
    with pytest.raises(Unauthenticated):
        backend.services.identity.tokens.issue(("admin", "wrong"), None, [ALL])


def test_a_token_is_valid_until_its_last_second(backend: Backend) -> None:
    token = backend.token("admin", "admin/app")
    expires_at = claims_of(token)["exp"]
    backend.clock.ahead_s = expires_at - 1 - backend.clock()

    assert backend.services.identity.tokens.believe(token).name == "admin"

    backend.clock.ahead_s += 2
    with pytest.raises(Unauthenticated) as refused:
        backend.services.identity.tokens.believe(token)
    assert refused.value.why == "invalid_token"


def test_a_token_that_had_expired_before_it_was_first_seen_is_refused(backend: Backend) -> None:
    with pytest.raises(Unauthenticated, match="expired"):
        backend.services.identity.tokens.believe(signed(backend, exp=int(backend.clock()) - 1))


def test_a_token_of_the_future_is_refused_beyond_the_leeway(backend: Backend) -> None:
    now = int(backend.clock())

    assert backend.services.identity.tokens.believe(signed(backend, nbf=now + LEEWAY_S - 5)).name == "admin"
    with pytest.raises(Unauthenticated, match="not valid yet"):
        backend.services.identity.tokens.believe(signed(backend, nbf=now + LEEWAY_S + 5))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "elsewhere.test"},
        {"aud": None},
        {"aud": ["elsewhere.test", "registry.test"]},
        {"iss": "http://elsewhere.test"},
        {"iss": None},
    ],
)
def test_a_token_for_another_registry_is_refused(backend: Backend, claims: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated, match="another use or registry"):
        backend.services.identity.tokens.believe(signed(backend, **claims))


@pytest.mark.parametrize("kind", ["JWT", "federated", "upload", "page", "", "Access"])
def test_a_token_of_another_kind_is_refused(backend: Backend, kind: str) -> None:
    with pytest.raises(Unauthenticated, match="another use"):
        backend.services.identity.tokens.believe(signed(backend, {"typ": kind}))


def tampered(backend: Backend) -> str:
    """Returns a token whose claims were changed after signing."""
    header, _, signature = backend.token("admin", "admin/app").split(".")
    claims = claims_of(backend.token("admin", "admin/app")) | {"name": "root"}
    return f"{header}.{encoded(claims)}.{signature}"


def by_a_stranger(backend: Backend) -> str:
    """Returns a valid token signed by another key with the id of ours."""
    kid = ECKey.import_key(secrets_of(backend)["signing"][0]).kid
    key = ECKey.generate_key("P-256")
    return jwt.encode(
        {"alg": "ES256", "typ": "access", "kid": kid}, claims_of(signed(backend)), key, algorithms=["ES256"]
    )


def by_a_key_in_its_own_header(backend: Backend) -> str:
    key = ECKey.generate_key("P-256", auto_kid=True)
    header = {"alg": "ES256", "typ": "access", "kid": key.kid, "jwk": key.as_dict(private=False)}
    return jwt.encode(header, claims_of(signed(backend)), key, algorithms=["ES256"])


def without_signature(backend: Backend) -> str:
    return f"{encoded({'alg': 'none', 'typ': 'access'})}.{encoded(claims_of(signed(backend)))}."


def with_our_public_key_as_a_secret(backend: Backend) -> str:
    public = ECKey.import_key(secrets_of(backend)["signing"][0]).as_pem(private=False)
    text = f"{encoded({'alg': 'HS256', 'typ': 'access'})}.{encoded(claims_of(signed(backend)))}"
    signature = hmac.new(public, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


FORGERIES = (tampered, by_a_stranger, by_a_key_in_its_own_header, without_signature, with_our_public_key_as_a_secret)


@pytest.mark.parametrize("forge", FORGERIES)
def test_a_forged_token_is_refused(backend: Backend, forge: Callable[[Backend], str]) -> None:
    with pytest.raises(Unauthenticated) as refused:
        backend.services.identity.tokens.believe(forge(backend))

    assert refused.value.why == "invalid_token"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "a.b.c.d.e",
        "ключ.b.c",
        "\ud800",
        "\x00",
        "=.=.=",
        f"{encoded([])}.{encoded({})}.AAAA",
        f"{encoded(1)}.{encoded({})}.AAAA",
        f"{encoded(None)}.{encoded({})}.AAAA",
        f"{encoded({'alg': []})}.{encoded({})}.AAAA",
        f"{encoded({'alg': 'ES256'})}.{encoded({})}.AAAA",
        f"{encoded({'alg': 'ES256', 'kid': 'x'})}.{encoded({})}.AAAA",
        f"{encoded({'alg': 'ES256', 'kid': []})}.{encoded({})}.AAAA",
        f"{encoded({'alg': 'ES256', 'crit': ['x'], 'x': 1})}.{encoded({})}.AAAA",
        f"{encoded({'alg': 'ES256', 'b64': False, 'crit': ['b64']})}.{{}}.AAAA",
        "9" * 5000 + ".b.c",
        base64.urlsafe_b64encode(b"[" * 3000).decode() + ".b.c",
        base64.urlsafe_b64encode(b"\xff\xfe").decode() + ".b.c",
        "cbr_secret",
    ],
)
def test_text_that_is_not_a_token_is_refused_with_one_error(backend: Backend, text: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        backend.services.identity.tokens.believe(text)

    assert refused.value.why == "invalid_token"


def test_a_token_of_a_retired_key_is_accepted_while_the_key_is_known(backend: Backend) -> None:
    old = secrets_of(backend)["signing"][0]
    new = ECKey.generate_key("P-256", {"use": "sig"}, private=True, auto_kid=True).as_dict(private=True)
    token = backend.token("admin", "admin/app")
    services, settings = backend.services, backend.settings

    def ring(*keys: Mapping[str, Any]) -> Tokens:
        signing = Signing(keys, settings.url, settings.service, backend.clock)
        return Tokens(services.security.access, services.stores, services.identity.authentication, signing)

    assert ring(new, old).believe(token).name == "admin"
    assert ring(old, new).believe(ring(new, old).issue(None, None, []).token).is_anonymous
    with pytest.raises(Unauthenticated):
        ring(new).believe(token)


def test_a_token_is_cached_but_never_beyond_its_end(backend: Backend) -> None:
    token = backend.token("admin")
    backend.services.identity.tokens.believe(token)
    backend.clock.ahead_s = backend.settings.token_s + 1

    for _ in range(2):
        with pytest.raises(Unauthenticated):
            backend.services.identity.tokens.believe(token)


def test_a_disabled_account_gets_no_token(backend: Backend) -> None:
    row = backend.user("bob")
    row.enabled = False
    row.save()

    with pytest.raises(Unauthenticated, match="Invalid Username or Password"):
        backend.token("bob", "bob/app")


def test_a_token_that_grants_nothing_does_not_allow_a_push(backend: Backend) -> None:
    a_repository(backend)
    backend.user("bob")

    with pytest.raises((Denied, Unauthenticated)):
        backend.services.registry.uploads.begin(backend.actor("bob", "admin/app"), RepositoryName.parse("admin/app"))


def test_a_token_that_names_no_credential_is_refused_since_an_earlier_version_issued_it(backend: Backend) -> None:
    with pytest.raises(Unauthenticated, match="get a new one"):
        backend.services.identity.tokens.believe(signed(backend, credential=None))
