"""Users over the API, for superusers."""

from collections.abc import Callable

import pytest

from tests.support.api_client import ApiClient

USERS = "/superuser/users/"


def test_users_are_listed_as_quay_does(admin: ApiClient, visit: Callable[[str], ApiClient]) -> None:
    visit("bob")

    document = admin.get(USERS).json()
    assert [user["name"] for user in document["users"]] == ["admin", "bob"]
    assert "next_page" not in document
    bob = document["users"][1]
    assert bob == admin.get(USERS + "bob").json()
    assert (bob["kind"], bob["username"], bob["email"], bob["verified"], bob["enabled"], bob["super_user"]) == (
        "user", "bob", "", True, True, False,
    )  # fmt: skip
    assert bob["avatar"]["kind"] == "user"


def test_a_list_has_pages_and_can_leave_out_disabled_users(admin: ApiClient, visit: Callable[[str], ApiClient]) -> None:
    visit("bob")
    admin.put(USERS + "bob", {"enabled": False})

    first = admin.get(USERS + "?limit=1").json()
    assert [user["name"] for user in first["users"]] == ["admin"]
    second = admin.get(USERS + f"?limit=1&next_page={first['next_page']}").json()
    assert [user["name"] for user in second["users"]] == ["bob"]
    assert [user["name"] for user in admin.get(USERS + "?disabled=false").json()["users"]] == ["admin"]
    assert list(admin.get(USERS + "?limit=many").json()["message"]) == ["limit"]
    assert admin.get(USERS + "?next_page=" + "z" * 2000).json() == {"users": []}


def test_a_user_is_created_with_a_working_password(admin: ApiClient, stranger: ApiClient) -> None:
    creation = admin.post(USERS, {"username": "made", "email": "made@example.com"})

    assert creation.status == 200
    assert (creation.json()["username"], creation.json()["email"]) == ("made", "made@example.com")
    stranger.sign_in("made", creation.json()["password"])
    assert admin.post(USERS, {"username": "made"}).json()["detail"] == "The username already exists"
    assert admin.post(USERS, {"username": "nomail"}).status == 200


@pytest.mark.parametrize(
    ("body", "why"), [({}, "username"), ({"username": "A B"}, "A B"), ({"username": "x1", "email": "n o"}, "email")]
)
def test_an_invalid_user_is_refused(admin: ApiClient, body: dict[str, str], why: str) -> None:
    answer = admin.post(USERS, body)

    assert answer.status == 400
    assert why in answer.json()["detail"]


def test_a_user_is_changed_and_deleted(admin: ApiClient, visit: Callable[[str], ApiClient]) -> None:
    bob = visit("bob")

    assert admin.put(USERS + "bob", {"email": "bob@example.com"}).json()["email"] == "bob@example.com"
    assert admin.put(USERS + "bob", {"password": "password-2"}).status == 200
    assert bob.get("/user").status == 401
    assert admin.put(USERS + "bob", {"enabled": False}).json()["enabled"] is False
    assert bob.post("/signin", {"username": "bob", "password": "password-2"}).status == 403
    assert [admin.delete(USERS + "bob").status for _ in range(2)] == [204, 404]
    again = admin.post(USERS, {"username": "bob"})
    assert (again.status, again.json()["detail"]) == (400, "Username is not available")


def test_an_invalid_change_is_refused_by_its_field(admin: ApiClient, visit: Callable[[str], ApiClient]) -> None:
    visit("bob")

    assert "enabled" in admin.put(USERS + "bob", {"enabled": "no"}).json()["detail"]
    assert "password" in admin.put(USERS + "bob", {"password": "x"}).json()["detail"]
    assert admin.put(USERS + "nobody", {"enabled": False}).status == 404


def test_superusers_cannot_be_changed(admin: ApiClient) -> None:
    changed, ended = admin.put(USERS + "admin", {"enabled": False}), admin.delete(USERS + "admin")

    assert (changed.status, changed.json()["detail"]) == (400, "Cannot update a superuser")
    assert (ended.status, ended.json()["detail"]) == (400, "Cannot delete a superuser")


def test_a_recovery_mail_is_refused(admin: ApiClient, visit: Callable[[str], ApiClient]) -> None:
    visit("bob")

    assert admin.post("/superusers/users/bob/sendrecovery").status == 405
    assert admin.post("/superusers/users/nobody/sendrecovery").status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", USERS),
        ("POST", USERS),
        ("GET", USERS + "admin"),
        ("PUT", USERS + "admin"),
        ("DELETE", USERS + "admin"),
        ("POST", "/superusers/users/admin/sendrecovery"),
    ],
)
def test_other_callers_are_refused(
    admin: ApiClient, stranger: ApiClient, visit: Callable[[str], ApiClient], method: str, path: str
) -> None:
    body = {"username": "carol", "enabled": True} if method in ("POST", "PUT") else None

    assert stranger.ask(method, path, body).status == 401
    assert visit("bob").ask(method, path, body).status == 403
    admin.backend.clock.ahead_s = admin.backend.settings.fresh_s + 1
    assert admin.ask(method, path, body).json()["error_type"] == "fresh_login_required"


def test_a_superuser_makes_another_and_a_read_only_one(admin: ApiClient, visit: Callable[[str], ApiClient]) -> None:
    for name in ("bob", "carol"):
        visit(name)

    made = admin.put(USERS + "bob/role", {"role": "superuser"})
    assert (made.status, made.json()["super_user"], made.json()["global_readonly_super_user"]) == (200, True, False)
    made = admin.put(USERS + "carol/role", {"role": "global_readonly_superuser"})
    assert (made.status, made.json()["super_user"], made.json()["global_readonly_super_user"]) == (200, False, True)

    bob, carol = visit("bob"), visit("carol")
    assert "super_user" in bob.get("/user").json()
    assert carol.get("/user").json()["global_readonly_super_user"] is True
    assert "super_user" not in carol.get("/user").json()
    assert bob.post(USERS, {"username": "dora"}).status == 200
    assert carol.get(USERS + "dora").json()["name"] == "dora"
    assert carol.delete(USERS + "dora").status == 403
    assert carol.put(USERS + "carol/role", {"role": "superuser"}).status == 403
    assert bob.put(USERS + "carol/role", {"role": "user"}).status == 200
    assert visit("carol").get(USERS).status == 403


@pytest.mark.parametrize("body", [{}, {"role": "owner"}, {"role": None}])
def test_an_unknown_role_is_refused(admin: ApiClient, visit: Callable[[str], ApiClient], body: object) -> None:
    visit("bob")

    assert admin.put(USERS + "bob/role", body).status == 400
