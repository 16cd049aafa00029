"""Users over the API: the signed-in user, and what others see of a user."""

from collections.abc import Callable

import pytest

from chalicelib.services.security.throttles import Throttles
from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import an_oauth_token, an_organization


def test_an_anonymous_caller_is_asked_to_sign_in(stranger: ApiClient) -> None:
    answer = stranger.get("/user/")

    assert answer.status == 401
    assert answer.json()["session_required"] is False
    assert answer.json()["error_type"] == "invalid_token"
    assert answer.json()["detail"] == "Requires authentication"


def test_a_user_sees_themselves_with_and_without_a_slash(visit: Callable[[str], ApiClient]) -> None:
    bob = visit("bob")

    seen = bob.get("/user").json()
    assert seen == bob.get("/user/").json()
    assert (seen["username"], seen["anonymous"], seen["organizations"]) == ("bob", False, [])
    assert "super_user" not in seen


def test_the_first_user_is_shown_as_a_superuser(admin: ApiClient) -> None:
    assert admin.get("/user").json()["super_user"] is True


def test_a_missing_email_address_is_shown_as_an_empty_one(admin: ApiClient) -> None:
    assert admin.get("/user").json()["email"] == ""


def test_signing_up_signs_in(stranger: ApiClient) -> None:
    sign_up = stranger.post("/user/", {"username": "carol", "password": "password-1", "email": "carol@example.com"})

    assert sign_up.status == 200
    assert sign_up.json()["email"] == "carol@example.com"
    assert stranger.get("/user").json()["username"] == "carol"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"password": "password-1"}, "username"),
        ({"username": "admin", "password": "password-1"}, "The username already exists"),
        ({"username": "carol", "password": "short"}, "password"),
        ({"username": "A B", "password": "password-1"}, "A B"),
        ({"username": "carol", "password": "password-1", "email": "no mail"}, "email"),
        ({"username": 5, "password": "password-1"}, "username"),
        ([1, 2], "object"),
    ],
)
def test_an_invalid_sign_up_is_refused_by_its_field(stranger: ApiClient, body: object, why: str) -> None:
    answer = stranger.post("/user/", body)

    assert answer.status == 400
    assert why in answer.json()["detail"]
    assert answer.json()["error_type"] == "invalid_request"


@pytest.mark.parametrize(("sign_up", "features"), [("invited", (True, True)), ("closed", (False, False))])
def test_nobody_signs_up_unless_sign_up_is_open(
    new_app_client: Callable[..., AppClient], sign_up: str, features: tuple[bool, bool]
) -> None:
    client = ApiClient(new_app_client(sign_up=sign_up))
    refused = client.post("/user/", {"username": "carol", "password": "password-1"})

    assert (refused.status, "ask a superuser" in refused.json()["detail"]) == (400, True)
    shown = client.get("//config").json()["features"]
    assert (shown["USER_CREATION"], shown["INVITE_ONLY_USER_CREATION"]) == features
    admin = client.sign_in("admin")
    assert admin.post("/superuser/users/", {"username": "carol", "email": "carol@example.com"}).status == 200


def test_a_sign_up_is_counted_with_the_address_that_it_comes_from(
    stranger: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    monkeypatch.setattr(Throttles, "count_sign_up", lambda _, address: counted.append(address))

    stranger.post("/user/", {"username": "carol", "password": "password-1"})

    assert counted == ["127.0.0.9"]


@pytest.mark.parametrize("name", ["library", "v2", "api", "user", "organization", "superuser", "docs"])
def test_only_a_superuser_gives_a_reserved_name(
    stranger: ApiClient, admin: ApiClient, visit: Callable[[str], ApiClient], name: str
) -> None:
    for refused in (
        stranger.post("/user/", {"username": name, "password": "password-1"}),
        visit("bob").post("/organization/", {"name": name}),
    ):
        assert (refused.status, refused.json()["detail"]) == (400, "Username is not available")
    assert admin.post("/organization/", {"name": name}).status == 201


def test_a_change_without_the_csrf_token_is_refused(visit: Callable[[str], ApiClient]) -> None:
    bob = visit("bob")

    answer = bob.put("/user/", {"company": "Acme"}, X_CSRF_Token="other")

    assert answer.status == 403
    assert answer.json()["error"] == "CSRF token was invalid or missing."


def test_a_new_password_ends_every_other_session(visit: Callable[[str], ApiClient]) -> None:
    here, there = visit("bob"), visit("bob")

    assert here.put("/user/", {"password": "password-2"}).status == 200

    assert here.get("/user").status == 200
    assert there.get("/user").status == 401
    assert there.post("/signin", {"username": "bob", "password": "password-2"}).status == 200


def test_a_user_s_name_cannot_be_changed(visit: Callable[[str], ApiClient]) -> None:
    answer = visit("bob").put("/user/", {"username": "renamed"})

    assert (answer.status, answer.json()["username"]) == (200, "bob")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"email": "non sense"}, "email"),
        ({"tag_expiration_s": 12345}, "Invalid tag expiration option"),
        ({"tag_expiration_s": "soon"}, "tag_expiration_s"),
        ({"company": "x" * 256}, "company"),
        ({"invoice_email_address": "nonsense"}, "Invalid email address"),
    ],
)
def test_an_invalid_change_is_refused_by_its_field(admin: ApiClient, change: dict[str, object], why: str) -> None:
    answer = admin.put("/user/", change)

    assert answer.status == 400
    assert why in answer.json().get("detail", answer.json().get("message"))


def test_an_unknown_user_is_not_found_in_the_shape_of_quay_s_framework(stranger: ApiClient) -> None:
    answer = stranger.get("/users/nobody")

    assert (answer.status, answer.json()) == (404, {"message": "Not Found"})


def test_any_text_is_accepted_as_an_email_address(admin: ApiClient) -> None:
    assert admin.put("/user/", {"email": "nonsense"}).json()["email"] == "nonsense"


def test_changed_details_are_stored(admin: ApiClient) -> None:
    changes = {"company": "Acme", "family_name": "A", "given_name": "B", "location": "Here", "invoice_email": True}

    assert admin.put("/user/", changes).json().items() >= changes.items()
    assert admin.get("/user/").json().items() >= changes.items()


def test_a_user_deletes_themselves_and_is_anonymous_then(visit: Callable[[str], ApiClient]) -> None:
    bob = visit("bob")

    assert bob.delete("/user/").status == 204
    assert bob.get("/user/").status == 401
    assert bob.post("/signin", {"username": "bob", "password": "password"}).status == 403
    again = bob.post("/user/", {"username": "bob", "password": "password-1"})
    assert (again.status, again.json()["detail"]) == (400, "Username is not available")


def test_the_only_owner_of_organizations_cannot_be_deleted(visit: Callable[[str], ApiClient]) -> None:
    bob = visit("bob")
    an_organization(bob.backend, "acme", "bob")

    refused = bob.delete("/user/")
    assert (refused.status, "acme" in refused.json()["detail"]) == (400, True)
    assert "organizations" not in refused.json()


def test_a_deletion_needs_a_session_with_a_fresh_password(admin: ApiClient, visit: Callable[[str], ApiClient]) -> None:
    bob = visit("bob")
    token = an_oauth_token(bob.backend, "bob")

    assert ApiClient(bob.app_client, token).delete("/user/").status == 403
    assert ApiClient(bob.app_client, token).put("/user/", {"password": "password-2"}).status == 403
    assert ApiClient(bob.app_client, token).put("/user/", {"company": "Acme"}).status == 200
    assert ApiClient(bob.app_client).delete("/user/").status == 401
    assert admin.delete("/user/").json()["detail"] == "Cannot delete a superuser"
    bob.backend.clock.ahead_s = bob.backend.settings.fresh_s + 1
    assert bob.delete("/user/").json()["error_type"] == "fresh_login_required"


def test_a_recovery_mail_is_refused(stranger: ApiClient) -> None:
    assert stranger.post("/recovery", {"email": "bob@example.com"}).status == 405


@pytest.mark.parametrize(("organizations", "batches"), [(45, 1), (50, 2)])
def test_a_user_with_many_organizations_costs_four_calls_or_five(
    admin: ApiClient, organizations: int, batches: int
) -> None:
    """A batch holds a hundred keys: two of each organization, the user's namespace and its eight counters."""
    for number in range(organizations):
        an_organization(admin.backend, f"org{number:02}")
    script = ApiClient(admin.app_client, an_oauth_token(admin.backend, "admin", "user:read"))
    script.get("/user/")
    rest = ["Query", *["BatchGetItem"] * batches]
    for api_client, recognised in ((admin, ["BatchGetItem"]), (script, ["GetItem", "BatchGetItem"])):
        admin.backend.calls.take()

        assert len(api_client.get("/user/").json()["organizations"]) == organizations
        assert admin.backend.calls.take() == recognised + rest
