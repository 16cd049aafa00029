"""The usage log over the API."""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import pytest

from chalicelib.domain.events import PULL, Event
from chalicelib.domain.ids import ulid
from chalicelib.storage.activity.usage_log import UsageLogStore
from tests.support.api_client import ApiClient
from tests.support.app_client import AppClient
from tests.support.builders import an_organization, push_image

OWNERS = ("/repository/admin/app", "/organization/acme", "/user", "/superuser")
ROUTES = [f"{owner}/{what}" for owner in OWNERS for what in ("logs", "aggregatelogs")]
EXPORTS = [f"{owner}/exportlogs" for owner in OWNERS[:-1]]


@pytest.fixture(autouse=True)
def _log(app_client: AppClient) -> None:
    acme, now = an_organization(app_client.backend), app_client.backend.clock()
    push_image(app_client.backend, "v1")
    UsageLogStore(10**6).write_pulls(
        [Event(ulid(now), now, PULL, acme, None, "acme+ci", "10.0.0.1", {"reference": "v1"}) for _ in range(45)]
    )


def test_a_record_has_the_shape_of_quay_s(admin: ApiClient) -> None:
    answer = admin.get("/repository/admin/app/logs").json()
    pushed = next(entry for entry in answer["logs"] if entry["kind"] == "push_repo")

    assert set(answer) == {"start_time", "end_time", "logs"}
    assert set(pushed) == {"kind", "metadata", "ip", "datetime", "performer"}
    assert pushed["metadata"].items() >= {"repo": "app", "namespace": "admin", "tag": "v1"}.items()
    assert (pushed["performer"]["name"], pushed["performer"]["kind"], pushed["performer"]["is_robot"]) == (
        "admin", "user", False,
    )  # fmt: skip
    assert pushed["datetime"].endswith("-0000")
    assert abs(parsedate_to_datetime(pushed["datetime"]).timestamp() - time.time()) < 86400


def test_a_page_has_twenty_records_and_links_to_the_next(admin: ApiClient) -> None:
    path, sizes, token = "/organization/acme/logs", [], ""
    while True:
        answer = admin.get(f"{path}?next_page={token}").json()
        sizes.append(len(answer["logs"]))
        token = answer.get("next_page")
        if not token:
            break

    assert sizes == [20, 20, 5]
    assert answer["logs"][0]["performer"]["is_robot"]


def test_an_invalid_page_token_begins_again(admin: ApiClient) -> None:
    path = "/organization/acme/logs"

    assert admin.get(path + "?next_page=%F0%9F%92%A3").json() == admin.get(path).json()


def test_days_are_written_month_first_and_the_last_is_included(admin: ApiClient) -> None:
    answer = admin.get("/user/logs?starttime=02/01/2024&endtime=02/02/2024").json()

    assert answer["start_time"] == "Thu, 01 Feb 2024 00:00:00 -0000"
    assert answer["end_time"] == "Sat, 03 Feb 2024 00:00:00 -0000"
    assert answer["logs"] == []
    assert admin.get("/user/logs?starttime=then").json()["logs"]
    for path in ("/user/logs", "/user/aggregatelogs", "/superuser/logs"):
        reversed_days = admin.get(f"{path}?starttime=02/03/2024&endtime=02/02/2024")
        assert (reversed_days.status, list(reversed_days.json())) == (400, ["message"])


def test_records_are_counted_by_day_and_kind(admin: ApiClient) -> None:
    (count,) = admin.get("/organization/acme/aggregatelogs").json()["aggregated"]

    assert (count["kind"], count["count"]) == ("pull_repo", 45)
    assert count["datetime"].endswith("00:00:00 -0000")
    assert admin.get("/user/aggregatelogs?starttime=01/01/2024&endtime=03/01/2024").status == 400


def test_the_log_of_the_registry_names_each_record_s_namespace(admin: ApiClient) -> None:
    entries = admin.get("/superuser/logs").json()["logs"]

    assert {entry["namespace"]["name"] for entry in entries} <= {"acme", "admin"}
    assert entries[0]["namespace"]["kind"] in ("org", "user")
    assert admin.get("/superuser/aggregatelogs").json()["aggregated"]


def test_the_log_is_filtered_by_performer(admin: ApiClient) -> None:
    assert admin.get("/organization/acme/logs?performer=admin").json()["logs"] == []
    assert len(admin.get("/organization/acme/logs?performer=acme%2Bci&kind=pull_repo").json()["logs"]) == 20


@pytest.mark.parametrize("route", ["logs", "aggregatelogs"])
def test_a_performer_whom_nobody_knows_is_refused(admin: ApiClient, route: str) -> None:
    assert admin.get(f"/organization/acme/{route}?performer=admin").status == 200
    assert admin.get(f"/organization/acme/{route}?performer=nobody").status == 400


def test_an_export_can_be_read_by_its_id_alone(admin: ApiClient, stranger: ApiClient) -> None:
    export = admin.post("/organization/acme/exportlogs")
    assert export.status == 200
    address = f"//exportedlogs/{export.json()['export_id']}"
    assert stranger.get(address).status == 404
    admin.app_client.backend.services.lifecycle.timers.run(lambda: 60.0)
    opened = stranger.get(address)

    assert opened.status == 302
    assert "exports/" in opened.headers["location"]
    assert "response-content-disposition=attachment" in opened.headers["location"]
    assert opened.headers["cache-control"] == "no-store"
    assert stranger.get("//exportedlogs/another").status == 404


@pytest.mark.parametrize("path", EXPORTS)
def test_an_export_is_reported_to_public_https_addresses_only(admin: ApiClient, path: str) -> None:
    assert admin.post(path, {"callback_url": "https://hooks.example.com/x"}).status == 200
    refused = admin.post(path, {"callback_url": "http://169.254.169.254/"})
    assert (refused.status, refused.json()["detail"].partition(":")[0]) == (400, "callback_url")
    mailed = admin.post(path, {"callback_email": "me@example.com"})
    assert (mailed.status, mailed.json()["detail"].partition(":")[0]) == (400, "callback_email")
    assert admin.post(path, {"callback_url": 5}).status == 400


def test_anonymous_and_other_callers_are_refused(stranger: ApiClient, visit: Callable[[str], ApiClient]) -> None:
    bob = visit("bob")

    for path in ROUTES:
        assert stranger.get(path).status == 401, path
        assert bob.get(path).status == (200 if path.startswith("/user/") else 403), path
    for path in EXPORTS:
        # Without a session no CSRF token can be valid, and Quay checks the token first.
        assert stranger.post(path).status in (401, 403), path
        assert bob.post(path).status == (200 if path.startswith("/user/") else 403), path


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("repo:admin", ROUTES[0:2]),
        ("org:admin", ROUTES[2:4]),
        ("user:admin", ROUTES[4:6]),
        ("super:user", ROUTES[6:8]),
        ("repo:write user:read", []),
    ],
)
def test_a_token_is_limited_to_its_scopes(admin: ApiClient, scope: str, allowed: list[str]) -> None:
    client = admin.post("/organization/acme/applications", {"name": "bot"}).json()["client_id"]
    path = f"/organization/acme/applications/{client}/tokens"
    bot = ApiClient(admin.app_client, admin.post(path, {"name": "ci", "scope": scope}).json()["token"])

    for route in ROUTES:
        assert bot.get(route).status == (200 if route in allowed else 403), route
    for route in EXPORTS:
        reads = route.replace("exportlogs", "logs")
        assert bot.post(route).status == (200 if reads in allowed else 403), route
