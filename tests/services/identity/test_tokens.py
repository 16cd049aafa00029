"""Access tokens: what they carry, and which ones nobody believes."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from chalicelib.domain.errors import Denied, ScopeInvalid, Unauthenticated
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import DELETE, PULL, PUSH, Role, Source
from chalicelib.services.identity.tokens import Tokens
from chalicelib.services.security.signing import LEEWAY_S, Signing
from tests.support.backends import House, secrets_of
from tests.support.builders import a_granted, a_repository

ALL = "repository:admin/app:pull,push"


def signed(house: House, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
    """A token signed with the house's own key, like one of ours but for what is given; None leaves a claim out."""
    key = ECKey.import_key(secrets_of(house)["signing"][0])
    now = int(house.clock())
    account = house.account()
    document = {
        "iss": house.settings.url,
        "aud": house.settings.service,
        "sub": account.id,
        "name": account.name,
        "kind": "user",
        "epoch": 0,
        "iat": now,
        "nbf": now,
        "exp": now + 300,
        "access": [],
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


def test_a_token_says_who_asks_and_what_for(house: House) -> None:
    repository = a_repository(house)

    actor = house.services.tokens.believe(house.token("admin", "admin/app", actions="pull"))

    grant = actor.grants["admin/app"]
    assert (actor.account_id, actor.name, actor.kind, actor.epoch) == (house.account().id, "admin", "user", 0)
    assert (grant.actions, grant.repository_id, grant.namespace_id) == (
        frozenset({PULL}),
        repository.id,
        repository.namespace_id,
    )
    assert grant.source is Source.OWNER


def test_our_own_claims_signed_by_our_own_key_are_believed(house: House) -> None:
    assert house.services.tokens.believe(signed(house)).name == "admin"


def test_a_token_carries_issuer_audience_and_times_from_settings(house: House) -> None:
    issued = house.services.tokens.issue(("admin", "password"), "registry.test", [])

    claims = claims_of(issued.token)

    assert (claims["iss"], claims["aud"]) == ("http://registry.test", "registry.test")
    assert claims["exp"] - claims["iat"] == issued.expires_in == house.settings.token_s == 300
    assert claims["nbf"] == claims["iat"] == int(issued.issued_at)


def test_an_anonymous_token_names_nobody(house: House) -> None:
    actor = house.services.tokens.believe(house.token("", "admin/app"))

    assert actor.is_anonymous
    assert not actor.grants["admin/app"].actions


def test_two_scopes_are_two_grants(house: House) -> None:
    for name in ("admin/app", "admin/base"):
        a_repository(house, name)
    scopes = ["repository:admin/app:pull,push", "repository:admin/base:pull"]

    for asked in (scopes, [" ".join(scopes)]):
        actor = house.services.tokens.believe(house.services.tokens.issue(("admin", "password"), None, asked).token)

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
def test_two_scopes_of_one_repository_are_added_together(house: House, scopes: list[str]) -> None:
    a_repository(house)

    actor = house.services.tokens.believe(house.services.tokens.issue(("admin", "password"), None, scopes).token)

    assert actor.grants["admin/app"].actions == {PULL, PUSH}


def test_a_scope_that_is_not_wholly_granted_is_granted_in_part(house: House) -> None:
    a_repository(house)
    house.user("bob")
    a_granted(house, "bob", Role.READ)

    assert house.actor("bob", "admin/app", actions="pull,push,delete").grants["admin/app"].actions == {PULL}


def test_a_star_asks_for_all_that_one_has(house: House) -> None:
    a_repository(house)
    house.user("bob")
    a_granted(house, "bob", Role.WRITE)

    assert house.actor("bob", "admin/app", actions="*").grants["admin/app"].actions == {PULL, PUSH, DELETE}


def test_a_scope_without_actions_grants_none(house: House) -> None:
    a_repository(house)

    token = house.services.tokens.issue(("admin", "password"), None, ["repository:admin/app:"]).token

    assert house.services.tokens.believe(token).grants["admin/app"].actions == frozenset()


@pytest.mark.parametrize("scope", ["repository:Not/A:Name:pull", "repository:" + "a" * 300 + ":pull", "other:x:pull"])
def test_a_scope_that_can_name_nothing_of_ours_grants_nothing(house: House, scope: str) -> None:
    token = house.services.tokens.issue(("admin", "password"), None, [scope]).token

    assert not house.services.tokens.believe(token).grants


@pytest.mark.parametrize("scope", ["nonsense", "repository:admin/app", "repository:admin/app:PULL", ":::"])
def test_an_unreadable_scope_is_refused(house: House, scope: str) -> None:
    with pytest.raises(ScopeInvalid, match="repository:NAMESPACE/NAME"):
        house.services.tokens.issue(("admin", "password"), None, [scope])


def test_more_than_a_hundred_scopes_are_refused(house: House) -> None:
    with pytest.raises(ScopeInvalid, match="100"):
        house.services.tokens.issue(None, None, [f"repository:admin/a{number}:pull" for number in range(101)])


@pytest.mark.parametrize("service", ["elsewhere.test", "http://registry.test"])
def test_a_foreign_service_is_refused(house: House, service: str) -> None:
    with pytest.raises(ScopeInvalid, match=r"registry\.test"):
        house.services.tokens.issue(None, service, [])


def test_wrong_credentials_give_no_token_not_even_an_anonymous_one(house: House) -> None:
    with pytest.raises(Unauthenticated):
        house.services.tokens.issue(("admin", "wrong"), None, [ALL])


def test_a_token_is_good_until_its_last_second_and_no_longer(house: House) -> None:
    token = house.token("admin", "admin/app")
    expires_at = claims_of(token)["exp"]
    house.clock.ahead_s = expires_at - 1 - house.clock()

    assert house.services.tokens.believe(token).name == "admin"

    house.clock.ahead_s += 2
    with pytest.raises(Unauthenticated) as refused:
        house.services.tokens.believe(token)
    assert refused.value.why == "invalid_token"


def test_a_token_that_had_expired_before_it_was_first_seen_is_refused(house: House) -> None:
    with pytest.raises(Unauthenticated, match="expired"):
        house.services.tokens.believe(signed(house, exp=int(house.clock()) - 1))


def test_a_token_of_the_future_is_refused_beyond_what_clocks_differ(house: House) -> None:
    now = int(house.clock())

    assert house.services.tokens.believe(signed(house, nbf=now + LEEWAY_S - 5)).name == "admin"
    with pytest.raises(Unauthenticated, match="not valid yet"):
        house.services.tokens.believe(signed(house, nbf=now + LEEWAY_S + 5))


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
def test_a_token_for_another_registry_is_refused(house: House, claims: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated, match="another use or registry"):
        house.services.tokens.believe(signed(house, **claims))


@pytest.mark.parametrize("kind", ["JWT", "federated", "upload", "page", "", "Access"])
def test_a_token_of_another_kind_is_refused(house: House, kind: str) -> None:
    with pytest.raises(Unauthenticated, match="another use"):
        house.services.tokens.believe(signed(house, {"typ": kind}))


def tampered(house: House) -> str:
    """Our signature under claims that somebody changed."""
    header, _, signature = house.token("admin", "admin/app").split(".")
    claims = claims_of(house.token("admin", "admin/app")) | {"name": "root"}
    return f"{header}.{encoded(claims)}.{signature}"


def by_a_stranger(house: House) -> str:
    """All right but for the key, which names itself as ours."""
    kid = ECKey.import_key(secrets_of(house)["signing"][0]).kid
    key = ECKey.generate_key("P-256")
    return jwt.encode(
        {"alg": "ES256", "typ": "access", "kid": kid}, claims_of(signed(house)), key, algorithms=["ES256"]
    )


def by_a_key_in_its_own_header(house: House) -> str:
    key = ECKey.generate_key("P-256", auto_kid=True)
    header = {"alg": "ES256", "typ": "access", "kid": key.kid, "jwk": key.as_dict(private=False)}
    return jwt.encode(header, claims_of(signed(house)), key, algorithms=["ES256"])


def without_signature(house: House) -> str:
    return f"{encoded({'alg': 'none', 'typ': 'access'})}.{encoded(claims_of(signed(house)))}."


def with_our_public_key_as_a_secret(house: House) -> str:
    public = ECKey.import_key(secrets_of(house)["signing"][0]).as_pem(private=False)
    text = f"{encoded({'alg': 'HS256', 'typ': 'access'})}.{encoded(claims_of(signed(house)))}"
    signature = hmac.new(public, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


FORGERIES = (tampered, by_a_stranger, by_a_key_in_its_own_header, without_signature, with_our_public_key_as_a_secret)


@pytest.mark.parametrize("forge", FORGERIES)
def test_a_forged_token_is_refused(house: House, forge: Callable[[House], str]) -> None:
    with pytest.raises(Unauthenticated) as refused:
        house.services.tokens.believe(forge(house))

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
def test_what_is_no_token_is_refused_in_one_way(house: House, text: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        house.services.tokens.believe(text)

    assert refused.value.why == "invalid_token"


def test_a_token_of_a_retired_key_is_believed_while_the_key_is_in_the_ring(house: House) -> None:
    old = secrets_of(house)["signing"][0]
    new = ECKey.generate_key("P-256", {"use": "sig"}, private=True, auto_kid=True).as_dict(private=True)
    token = house.token("admin", "admin/app")
    services, settings = house.services, house.settings

    def ring(*keys: Mapping[str, Any]) -> Tokens:
        signing = Signing(keys, settings.url, settings.service, house.clock)
        return Tokens(services.doors, services.access, signing, settings.token_s, house.clock)

    assert ring(new, old).believe(token).name == "admin"
    assert ring(old, new).believe(ring(new, old).issue(None, None, []).token).is_anonymous
    with pytest.raises(Unauthenticated):
        ring(new).believe(token)


def test_a_token_is_remembered_but_never_beyond_its_end(house: House) -> None:
    token = house.token("admin")
    house.services.tokens.believe(token)
    house.clock.ahead_s = house.settings.token_s + 1

    for _ in range(2):
        with pytest.raises(Unauthenticated):
            house.services.tokens.believe(token)


def test_a_disabled_account_gets_no_token(house: House) -> None:
    row = house.user("bob")
    row.enabled = False
    row.save()

    with pytest.raises(Unauthenticated, match="Invalid Username or Password"):
        house.token("bob", "bob/app")


def test_a_token_that_grants_nothing_is_no_token_for_a_push(house: House) -> None:
    a_repository(house)
    house.user("bob")

    with pytest.raises((Denied, Unauthenticated)):
        house.services.uploads.begin(house.actor("bob", "admin/app"), RepositoryName.parse("admin/app"))
