"""Tests OAuth's grants in a backend; tests/edge/oauth tests their HTTP messages."""

import pytest

from chalicelib.domain.consents import Consent, ConsentAnswer
from chalicelib.domain.errors import Denied, ResourceUnknown, Unauthenticated
from chalicelib.domain.permissions import ANONYMOUS, Actor
from chalicelib.services.identity.applications import ApplicationFields
from tests.support.backends import Backend
from tests.support.builders import an_organization
from tests.support.crashes import Crash, crash_before
from tests.support.rows import change, rows_like

BACK = "https://bot.example.com/back"


@pytest.fixture
def asked(backend: Backend) -> dict[str, str]:
    an_organization(backend)
    made = backend.services.identity.applications.create(
        backend.signed_in("admin"), "acme", ApplicationFields("bot", BACK)
    )
    backend.secret = made.secret  # type: ignore[attr-defined]
    return {"client_id": made.client_id, "redirect_uri": BACK, "scope": "repo:read", "response_type": "code"}


def code_of(outcome: ConsentAnswer) -> str:
    return outcome.location.partition("code=")[2]


def exchanged(backend: Backend, asked: dict[str, str], code: str) -> ConsentAnswer:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "client_id": asked["client_id"]}
    return backend.services.identity.oauth.exchange({**form, "client_secret": backend.secret}, "")  # type: ignore[attr-defined]


def test_a_consent_names_the_application_and_its_scopes(backend: Backend, asked: dict[str, str]) -> None:
    question = backend.services.identity.oauth.consider(backend.signed_in("admin"), asked)

    assert isinstance(question, Consent)
    assert (question.application.name, question.scopes, question.is_given) == ("bot", ("repo:read",), False)


def test_a_user_who_may_not_authorize_the_application_is_refused(backend: Backend, asked: dict[str, str]) -> None:
    backend.user("bob")

    with pytest.raises(Denied):
        backend.services.identity.oauth.consider(backend.signed_in("bob"), asked)
    with pytest.raises(Unauthenticated):
        backend.services.identity.oauth.decide(ANONYMOUS, asked, allow=True)
    with pytest.raises(ResourceUnknown):
        backend.services.identity.oauth.consider(backend.signed_in("admin"), {**asked, "client_id": "none"})


def test_a_superuser_s_scope_is_left_out_for_others(backend: Backend, asked: dict[str, str]) -> None:
    backend.user("bob")
    an_organization(backend, "bobs", "bob")
    bob = backend.signed_in("bob")
    made = backend.services.identity.applications.create(bob, "bobs", ApplicationFields("bot", BACK))
    backend.secret = made.secret  # type: ignore[attr-defined]
    request = asked | {"client_id": made.client_id, "scope": "repo:read super:user"}

    question = backend.services.identity.oauth.consider(bob, request)
    assert isinstance(question, Consent)
    assert question.scopes == ("repo:read",)
    code = code_of(backend.services.identity.oauth.decide(bob, request, allow=True))
    assert exchanged(backend, request, code).document["scope"] == "repo:read"
    with pytest.raises(Denied):
        backend.services.identity.oauth.consider(bob, request | {"scope": "super:user"})


def test_a_code_and_its_token_are_stored_by_their_hashes(backend: Backend, asked: dict[str, str]) -> None:
    code = code_of(backend.services.identity.oauth.decide(backend.signed_in("admin"), asked, allow=True))
    token = exchanged(backend, asked, code).document["access_token"]

    assert not [row for row in rows_like(backend) if code in str(row) or str(token) in str(row)]


def test_a_new_password_between_code_and_token_ends_the_code(backend: Backend, asked: dict[str, str]) -> None:
    code = code_of(backend.services.identity.oauth.decide(backend.signed_in("admin"), asked, allow=True))
    change(backend.account("admin"), epoch=1)

    assert exchanged(backend, asked, code).document["error"] == "invalid_grant"


def test_the_secret_may_be_sent_with_basic_authentication(backend: Backend, asked: dict[str, str]) -> None:
    import base64

    code = code_of(backend.services.identity.oauth.decide(backend.signed_in("admin"), asked, allow=True))
    words = f"{asked['client_id']}:{backend.secret}"  # type: ignore[attr-defined]
    basic = "Basic " + base64.b64encode(words.encode()).decode()
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}

    assert backend.services.identity.oauth.exchange(form, basic).status == 200


def test_a_crash_during_an_exchange_leaves_a_valid_code_or_a_token(backend: Backend, asked: dict[str, str]) -> None:
    code = code_of(backend.services.identity.oauth.decide(backend.signed_in("admin"), asked, allow=True))
    for number in range(1, 20):
        try:
            with crash_before(backend, number):
                outcome = exchanged(backend, asked, code)
        except Crash:
            assert rows_like(backend, "TOKEN#") == []
        else:
            assert outcome.status == 200
            return
    pytest.fail("it never ended")


def test_a_token_cannot_authorize_an_application(backend: Backend, asked: dict[str, str]) -> None:
    row = backend.account()
    holder = Actor(row.id, row.name, scopes=frozenset({"user:admin", "org:admin"}), has_token=True)

    with pytest.raises(Denied):
        backend.services.identity.oauth.decide(holder, asked, allow=True)
    with pytest.raises(Denied):
        backend.services.identity.oauth.consider(holder, asked)
