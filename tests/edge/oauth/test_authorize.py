"""OAuth on the wire: the question, its answers, and a code that becomes a token, once."""

import base64
import hashlib
import re
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
    """An application with a user who may let it in."""

    def __init__(self, app_client: AppClient) -> None:
        an_organization(app_client.backend)
        made = app_client.backend.services.identity.applications.create(
            app_client.backend.signed_in("admin"),
            "acme",
            ApplicationFields("bot <b>", BACK, description="Builds & pushes."),
        )
        self.id, self.secret, self.app_client = made.client_id, made.secret or "", app_client
        self.user = ApiClient(app_client).sign_in("admin")

    def question(self, **more: Any) -> dict[str, str]:
        asked = {"client_id": self.id, "redirect_uri": BACK, "scope": "repo:read", "response_type": "code"}
        return {name: value for name, value in (asked | more).items() if value}

    def asked(self, api_client: ApiClient | None = None, **more: Any) -> Answer:
        return (api_client or self.user).get("//oauth/authorize?" + urlencode(self.question(**more)))

    def answered(self, action: str = "authorizeapp", **more: str) -> Answer:
        form = {**self.question(**more), "_csrf_token": self.user.csrf}
        return post(self.user, f"//oauth/{action}", form)

    def code(self, **more: str) -> str:
        return told(self.answered(**more))["code"]

    def exchange(self, code: str, **more: str) -> Answer:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "client_id": self.id}
        secret = {"client_secret": self.secret}
        return post(ApiClient(self.app_client), "//oauth/access_token", {**form, **secret, **more})


def post(api_client: ApiClient, path: str, form: dict[str, str]) -> Answer:
    content = urlencode({name: value for name, value in form.items() if value}).encode()
    return api_client.post(path, content, Content_Type="application/x-www-form-urlencoded")


def told(answer: Answer) -> dict[str, str]:
    """What a redirect carries, behind `?` or `#`."""
    assert answer.status == 302, answer.body
    parts = urlsplit(answer.headers["location"])
    return {name: values[0] for name, values in parse_qs(parts.query or parts.fragment).items()}


@pytest.fixture
def bot(app_client: AppClient) -> Bot:
    return Bot(app_client)


def test_a_user_reads_what_an_application_wants_and_nothing_of_it_is_html(bot: Bot) -> None:
    page = bot.asked()
    text = page.body.decode()

    assert page.status == 200
    assert "bot &lt;b&gt; asks for your permission" in text
    assert "View all visible repositories" in text
    assert "<b>" not in text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"


def test_a_dangerous_scope_is_shown_as_one(bot: Bot) -> None:
    assert b"class=dangerous" in bot.asked(scope="repo:read org:admin").body
    assert b"class=dangerous" not in bot.asked().body


def test_a_stranger_is_asked_to_sign_in_and_comes_back_to_the_question(bot: Bot) -> None:
    stranger = ApiClient(bot.app_client)
    page = bot.asked(stranger, state="s1")
    assert page.status == 401
    csrf = re.search(r'name="_csrf_token" value="([^"]+)"', page.body.decode())
    assert csrf is not None

    form = {**bot.question(state="s1"), "_csrf_token": csrf[1], "username": "admin", "password": "password"}
    back = post(stranger, "//oauth/signin", form)

    assert back.status == 303
    assert stranger.get("/" + back.headers["location"]).status == 200


def test_a_wrong_password_on_the_way_is_told_on_the_page(bot: Bot) -> None:
    stranger = ApiClient(bot.app_client)
    bot.asked(stranger)
    form = {**bot.question(), "_csrf_token": stranger.csrf, "username": "admin", "password": "wrong"}

    refused = post(stranger, "//oauth/signin", form)

    assert refused.status == 401
    assert b"Invalid Username or Password" in refused.body


def test_how_long_to_wait_after_it_is_told_on_the_page(bot: Bot) -> None:
    stranger = ApiClient(bot.app_client)
    bot.asked(stranger)
    form = {**bot.question(), "_csrf_token": stranger.csrf, "username": "admin", "password": "wrong"}
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


def test_the_state_comes_back_with_the_code(bot: Bot) -> None:
    assert told(bot.answered(state="s 1&x"))["state"] == "s 1&x"


def test_a_token_at_once_comes_in_the_fragment(bot: Bot) -> None:
    answer = bot.answered(response_type="token")

    assert urlsplit(answer.headers["location"]).fragment
    assert not urlsplit(answer.headers["location"]).query
    assert told(answer)["access_token"].startswith("cbo_")
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_the_registrys_own_page_is_a_place_to_go_for_every_application(bot: Bot) -> None:
    local = f"{bot.app_client.backend.settings.url}/oauth/localapp"

    answer = bot.answered(response_type="token", redirect_uri=local)

    assert answer.headers["location"].startswith(local + "#")
    assert b"shown this once" in bot.user.get("//oauth/localapp").body


def test_a_no_is_told_to_the_application(bot: Bot) -> None:
    assert told(bot.answered("denyapp"))["error"] == "access_denied"


def test_a_code_is_used_once_and_its_second_use_ends_the_token(bot: Bot) -> None:
    code = bot.code()
    token = bot.exchange(code).json()["access_token"]
    assert bot.app_client.backend.services.identity.authentication.by_bearer(token) is not None

    again = bot.exchange(code)

    assert (again.status, again.json()["error"]) == (400, "invalid_grant")
    assert bot.app_client.backend.services.identity.authentication.by_bearer(token) is None


def test_a_code_ends_after_a_minute(bot: Bot) -> None:
    code = bot.code()
    bot.app_client.backend.clock.ahead_s = 61

    assert bot.exchange(code).json()["error"] == "invalid_grant"


def test_a_code_with_a_challenge_wants_its_verifier(bot: Bot) -> None:
    challenged: dict[str, Any] = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}

    assert bot.exchange(bot.code(**challenged)).json()["error"] == "invalid_request"
    assert bot.exchange(bot.code(**challenged), code_verifier="w" * 50).json()["error"] == "invalid_grant"
    assert bot.exchange(bot.code(**challenged), code_verifier=VERIFIER).status == 200
    assert bot.exchange(bot.code(), code_verifier=VERIFIER).json()["error"] == "invalid_request"


def test_a_plain_challenge_is_refused(bot: Bot) -> None:
    answer = bot.asked(code_challenge=VERIFIER, code_challenge_method="plain")

    assert told(answer)["error"] == "invalid_request"


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
def test_an_exchange_that_is_not_the_codes_is_refused(bot: Bot, more: dict[str, str], error: str) -> None:
    answer = bot.exchange(**{"code": bot.code(), **more})

    assert answer.status in (400, 401)
    assert answer.json()["error"] == error


@pytest.mark.parametrize("address", [BACK + "/more", BACK + "?x=1", "https://evil.example.com", "", BACK.upper()])
def test_a_redirect_that_was_not_registered_leads_nowhere(bot: Bot, address: str) -> None:
    answer = bot.asked(redirect_uri=address)

    assert answer.status in (400, 401)
    assert "location" not in answer.headers


def test_an_unknown_scope_is_told_to_the_application(bot: Bot) -> None:
    assert told(bot.asked(scope="repo:fly"))["error"] == "invalid_scope"


def test_an_answer_without_the_csrf_token_is_refused(bot: Bot) -> None:
    bot.asked()
    bot.user.csrf = "x"

    assert bot.answered().status == 403


def test_who_does_not_administer_the_organization_lets_nothing_in(bot: Bot) -> None:
    bot.app_client.backend.user("bob")
    bob = ApiClient(bot.app_client).sign_in("bob")

    assert bot.asked(bob).status == 403


def test_an_unknown_application_is_not_found(bot: Bot) -> None:
    assert bot.asked(client_id="none").status == 404


def test_what_is_missing_is_named(bot: Bot) -> None:
    answer = bot.asked(scope="")

    assert (answer.status, answer.json()["error"]) == (400, "Required param: scope")


def test_a_question_can_be_read_by_a_program(bot: Bot) -> None:
    asked = bot.asked(format="json", scope="repo:read org:admin").json()

    assert asked["has_dangerous_scopes"] is True
    assert [scope["scope"] for scope in asked["scopes"]] == ["org:admin", "repo:read"]
    assert asked["application"]["name"] == "bot <b>"


def test_the_same_question_again_is_answered_at_once_only_with_a_challenge_and_nothing_dangerous(bot: Bot) -> None:
    challenged: dict[str, Any] = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    bot.exchange(bot.code(scope="repo:write"))

    assert "code" in told(bot.asked(**challenged))
    assert bot.asked().status == 200
    assert bot.asked(response_type="token").status == 200
    assert bot.asked(scope="repo:admin", **challenged).status == 200
