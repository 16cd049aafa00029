"""OAuth over HTTP: the authorization request, the decision, and the exchange of a code."""

import base64
import hashlib
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from chalicelib.services.identity.applications import ApplicationFields
from tests.support.api_client import ApiClient
from tests.support.app_client import Answer, AppClient
from tests.support.builders import a_repository, an_organization
from tests.support.rows import events

BACK = "https://bot.example.com/back"
VERIFIER = "v" * 50
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class Bot:
    """An application with a user who may give it an authorization."""

    def __init__(self, app_client: AppClient) -> None:
        an_organization(app_client.backend)
        application = app_client.backend.services.identity.applications.create(
            app_client.backend.signed_in("admin"),
            "acme",
            ApplicationFields("bot <b>", BACK, description="Builds & pushes."),
        )
        self.id, self.secret, self.app_client = application.client_id, application.secret or "", app_client
        self.user = ApiClient(app_client).sign_in("admin")

    def query_fields(self, **more: str) -> dict[str, str]:
        query = {"client_id": self.id, "redirect_uri": BACK, "scope": "repo:read", "response_type": "code"}
        return {name: value for name, value in (query | more).items() if value}

    def requested(self, api_client: ApiClient | None = None, **more: str) -> Answer:
        return (api_client or self.user).get("//oauth/authorize?" + urlencode(self.query_fields(**more)))

    def decided(self, action: str = "authorizeapp", **more: str) -> Answer:
        form = {**self.query_fields(**more), "_csrf_token": self.user.csrf}
        return post(self.user, f"//oauth/{action}", form)

    def code(self, **more: str) -> str:
        return redirect_parameters(self.decided(**more))["code"]

    def exchange(self, code: str, **more: str) -> Answer:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "client_id": self.id}
        secret = {"client_secret": self.secret}
        return post(ApiClient(self.app_client), "//oauth/access_token", {**form, **secret, **more})


def post(api_client: ApiClient, path: str, form: dict[str, str]) -> Answer:
    content = urlencode({name: value for name, value in form.items() if value}).encode()
    return api_client.post(path, content, Content_Type="application/x-www-form-urlencoded")


def redirect_parameters(answer: Answer) -> dict[str, str]:
    """Returns the parameters of a redirect, after `?` or `#`."""
    assert answer.status == 302, answer.body
    parts = urlsplit(answer.headers["location"])
    return {name: values[0] for name, values in parse_qs(parts.query or parts.fragment).items()}


@pytest.fixture
def bot(app_client: AppClient) -> Bot:
    return Bot(app_client)


def test_the_consent_page_shows_the_request_and_escapes_it(bot: Bot) -> None:
    page = bot.requested()
    text = page.body.decode()

    assert page.status == 200
    assert "bot &lt;b&gt; asks for your permission" in text
    assert "View all visible repositories" in text
    assert "<b>" not in text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"


def test_a_dangerous_scope_is_marked(bot: Bot) -> None:
    assert b"class=dangerous" in bot.requested(scope="repo:read org:admin").body
    assert b"class=dangerous" not in bot.requested().body


def test_an_anonymous_user_signs_in_and_returns_to_the_authorization_request(bot: Bot) -> None:
    stranger = ApiClient(bot.app_client)
    page = bot.requested(stranger, state="s1")
    assert page.status == 401
    csrf = re.search(r'name="_csrf_token" value="([^"]+)"', page.body.decode())
    assert csrf is not None

    form = {**bot.query_fields(state="s1"), "_csrf_token": csrf[1], "username": "admin", "password": "password"}
    back = post(stranger, "//oauth/signin", form)

    assert back.status == 303
    assert stranger.get("/" + back.headers["location"]).status == 200


def test_a_wrong_password_is_reported_on_the_sign_in_page(bot: Bot) -> None:
    stranger = ApiClient(bot.app_client)
    bot.requested(stranger)
    form = {**bot.query_fields(), "_csrf_token": stranger.csrf, "username": "admin", "password": "wrong"}

    refused = post(stranger, "//oauth/signin", form)

    assert refused.status == 401
    assert b"Invalid Username or Password" in refused.body


def test_the_sign_in_page_says_how_long_to_wait(bot: Bot) -> None:
    stranger = ApiClient(bot.app_client)
    bot.requested(stranger)
    form = {**bot.query_fields(), "_csrf_token": stranger.csrf, "username": "admin", "password": "wrong"}
    post(stranger, "//oauth/signin", form)

    refused = post(stranger, "//oauth/signin", {**form, "password": "password"})

    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert b"Too many attempts: try again in 1 second" in refused.body


def test_a_code_becomes_a_token_that_acts_as_the_user(bot: Bot) -> None:
    a_repository(bot.app_client.backend)

    answer = bot.exchange(bot.code(state="s1"))

    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    given = answer.json()
    assert (given["token_type"], given["scope"], given["refresh_token"]) == ("Bearer", "repo:read", None)
    script = ApiClient(bot.app_client, given["access_token"])
    assert script.get("/user").status in (401, 403)
    assert bot.app_client.backend.services.identity.authentication.by_bearer(given["access_token"]).scopes == {
        "repo:read"
    }
    assert len(events(bot.app_client.backend, "create_oauth_api_token")) == 1


def test_the_state_is_returned_with_the_code(bot: Bot) -> None:
    assert redirect_parameters(bot.decided(state="s 1&x"))["state"] == "s 1&x"


def test_a_token_of_the_implicit_flow_is_in_the_fragment(bot: Bot) -> None:
    answer = bot.decided(response_type="token")

    assert urlsplit(answer.headers["location"]).fragment
    assert not urlsplit(answer.headers["location"]).query
    assert redirect_parameters(answer)["access_token"].startswith("cbo_")
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_every_application_may_redirect_to_the_registry_s_own_page(bot: Bot) -> None:
    local = f"{bot.app_client.backend.settings.url}/oauth/localapp"

    answer = bot.decided(response_type="token", redirect_uri=local)

    assert answer.headers["location"].startswith(local + "#")
    assert b"shown this once" in bot.user.get("//oauth/localapp").body


def test_a_refusal_is_reported_to_the_application(bot: Bot) -> None:
    assert redirect_parameters(bot.decided("denyapp"))["error"] == "access_denied"


def test_the_second_use_of_a_code_revokes_the_token(bot: Bot) -> None:
    code = bot.code()
    token = bot.exchange(code).json()["access_token"]
    assert bot.app_client.backend.services.identity.authentication.by_bearer(token) is not None

    again = bot.exchange(code)

    assert (again.status, again.json()["error"]) == (400, "invalid_grant")
    assert bot.app_client.backend.services.identity.authentication.by_bearer(token) is None


def test_a_code_expires_after_a_minute(bot: Bot) -> None:
    code = bot.code()
    bot.app_client.backend.clock.ahead_s = 61

    assert bot.exchange(code).json()["error"] == "invalid_grant"


def test_a_code_with_a_challenge_needs_its_verifier(bot: Bot) -> None:
    challenged: Any = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}

    assert bot.exchange(bot.code(**challenged)).json()["error"] == "invalid_request"
    assert bot.exchange(bot.code(**challenged), code_verifier="w" * 50).json()["error"] == "invalid_grant"
    assert bot.exchange(bot.code(**challenged), code_verifier=VERIFIER).status == 200
    assert bot.exchange(bot.code(), code_verifier=VERIFIER).json()["error"] == "invalid_request"


def test_a_plain_challenge_is_refused(bot: Bot) -> None:
    answer = bot.requested(code_challenge=VERIFIER, code_challenge_method="plain")

    assert redirect_parameters(answer)["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_secret": ""}, "invalid_client"),
        ({"client_id": "other"}, "invalid_client"),
        ({"redirect_uri": BACK + "/"}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"code": "cbc_other"}, "invalid_grant"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_an_exchange_that_does_not_match_the_code_is_refused(bot: Bot, more: dict[str, str], error: str) -> None:
    answer = bot.exchange(**{"code": bot.code(), **more})

    assert answer.status in (400, 401)
    assert answer.json()["error"] == error


@pytest.mark.parametrize("address", [BACK + "/more", BACK + "?x=1", "https://evil.example.com", "", BACK.upper()])
def test_an_unregistered_redirect_uri_is_refused_without_a_redirect(bot: Bot, address: str) -> None:
    answer = bot.requested(redirect_uri=address)

    assert answer.status in (400, 401)
    assert "location" not in answer.headers


def test_an_unknown_scope_is_reported_to_the_application(bot: Bot) -> None:
    assert redirect_parameters(bot.requested(scope="repo:fly"))["error"] == "invalid_scope"


def test_a_decision_without_the_csrf_token_is_refused(bot: Bot) -> None:
    bot.requested()
    bot.user.csrf = "x"

    assert bot.decided().status == 403


def test_a_user_who_does_not_administer_the_organization_is_refused(bot: Bot) -> None:
    bot.app_client.backend.user("bob")
    bob = ApiClient(bot.app_client).sign_in("bob")

    assert bot.requested(bob).status == 403


def test_an_unknown_application_is_not_found(bot: Bot) -> None:
    assert bot.requested(client_id="none").status == 404


def test_a_missing_parameter_is_named(bot: Bot) -> None:
    answer = bot.requested(scope="")

    assert (answer.status, answer.json()) == (400, {"error": "Required param: scope"})


def test_an_authorization_request_can_be_read_as_json(bot: Bot) -> None:
    requested = bot.requested(format="json", scope="repo:read org:admin").json()

    assert requested["has_dangerous_scopes"] is True
    assert [scope["scope"] for scope in requested["scopes"]] == ["org:admin", "repo:read"]
    assert requested["application"]["name"] == "bot <b>"


def test_a_repeated_request_skips_consent_only_with_a_challenge_and_no_dangerous_scope(bot: Bot) -> None:
    challenged: Any = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    bot.exchange(bot.code(scope="repo:write"))

    assert "code" in redirect_parameters(bot.requested(**challenged))
    assert bot.requested().status == 200
    assert bot.requested(response_type="token").status == 200
    assert bot.requested(scope="repo:admin", **challenged).status == 200


BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def browsed(bot: Bot, api_client: ApiClient | None = None, **more: str) -> Answer:
    """Returns what a browser gets for an authorization request."""
    return (api_client or bot.user).get("//oauth/authorize?" + urlencode(bot.query_fields(**more)), **BROWSER)


def test_the_consent_page_says_who_is_signed_in_and_leads_to_another_account(bot: Bot) -> None:
    bot.app_client.backend.user("bob")
    text = bot.requested(state="s1").body.decode()
    assert "Signed in as <strong>admin</strong>" in text
    other = re.search(r'<a href="([^"]+)">Use another account</a>', text)
    assert other is not None

    page = bot.user.get("/" + unescape(other[1]))
    csrf = re.search(r'name="_csrf_token" value="([^"]+)"', page.body.decode())
    assert csrf is not None
    form = {**bot.query_fields(state="s1"), "_csrf_token": csrf[1], "username": "bob", "password": "password"}
    back = post(bot.user, "//oauth/signin", form)

    assert page.status == 200
    assert (back.status, "state=s1" in back.headers["location"], "prompt" in back.headers["location"]) == (
        303, True, False,
    )  # fmt: skip
    assert bot.user.get("/user").json()["username"] == "bob"


def test_allow_and_cancel_are_side_by_side_and_always_in_view(bot: Bot) -> None:
    text = bot.requested(scope="repo:read repo:write repo:admin org:admin user:admin").body.decode()
    choice = text.partition('<div class="choice">')[2].partition("</div>")[0]

    assert choice.count("<form") == 2
    assert choice.index(">Allow<") < choice.index(">Cancel<")
    assert ".choice{display:flex;gap:.5rem;position:sticky;bottom:0;" in text


@pytest.mark.parametrize("is_known", [True, False], ids=["signed in", "a stranger"])
@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        ({"client_id": "none<b>"}, 404, "There is no application none&lt;b&gt;."),
        ({"redirect_uri": "https://evil.example.com/"}, 400, "redirect"),
        ({"scope": ""}, 400, "Required param: scope"),
    ],
)
def test_a_browser_gets_a_page_for_a_request_that_leads_nowhere(
    bot: Bot, is_known: bool, more: dict[str, str], status: int, words: str
) -> None:
    page = browsed(bot, bot.user if is_known else ApiClient(bot.app_client), **more)

    assert (page.status, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert words.lower() in page.body.decode().lower()
    assert b'type="password"' not in page.body


def test_a_browser_of_somebody_who_may_not_allow_it_gets_a_page_that_offers_another_account(bot: Bot) -> None:
    bot.app_client.backend.user("bob")
    page = browsed(bot, ApiClient(bot.app_client).sign_in("bob"))

    assert page.status == 403
    assert b"Signed in as <strong>bob</strong>" in page.body
    assert b"Use another account" in page.body


def test_a_browser_gets_a_page_for_a_decision_that_is_refused(bot: Bot) -> None:
    content = urlencode({**bot.query_fields(), "_csrf_token": "wrong"}).encode()
    types = {"Content_Type": "application/x-www-form-urlencoded", **BROWSER}
    refused = [bot.user.post(f"//oauth/{action}", content, **types) for action in ("authorizeapp", "denyapp", "signin")]

    assert [page.status for page in refused] == [403, 403, 403]
    assert all(b"start again" in page.body for page in refused)


def test_forms_may_lead_to_the_application_and_nowhere_else(bot: Bot) -> None:
    for page in (bot.requested(), bot.requested(ApiClient(bot.app_client))):
        assert "form-action 'self' https://bot.example.com;" in page.headers["content-security-policy"]


def test_the_registry_s_own_page_shows_an_error_in_its_address(bot: Bot) -> None:
    local = f"{bot.app_client.backend.settings.url}/oauth/localapp"
    refused = bot.requested(scope="repo:fly", response_type="token", redirect_uri=local)

    assert redirect_parameters(refused)["error"] == "invalid_scope"
    assert b"said.get('error_description')" in bot.user.get("//oauth/localapp").body
