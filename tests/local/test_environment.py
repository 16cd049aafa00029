"""The local stack reads its settings and makes the environment of its workers."""

from pathlib import Path

import pytest

from infra.local.environment import (
    ROOT,
    ServerEndpoints,
    StackCredentials,
    seed_environment,
    settings_from,
    worker_environment,
)
from infra.local.errors import StackError

KEYS = StackCredentials("cloudberth", "secret")
ENDPOINTS = ServerEndpoints(
    tables="http://127.0.0.1:12000", objects="http://127.0.0.1:12001", queues="http://127.0.0.1:12012"
)


def worker(**environ: str) -> dict[str, str]:
    return worker_environment(settings_from(environ), ENDPOINTS, KEYS, environ)


def test_an_empty_environment_has_every_default() -> None:
    settings = settings_from({})

    assert settings.url == "http://localhost:5000"
    assert settings.data == ROOT / ".local"
    assert (settings.admin, settings.admin_password, settings.workers) == ("admin", None, 2)
    assert (settings.downloads, settings.pull_log, settings.ttl_late_s) == ("edge", "hourly", 60)
    assert settings.sign_up == "open"


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("CLOUDBERTH_PORT", "http", "a whole number from 1 to 65535"),
        ("CLOUDBERTH_PORT", "0", "a whole number from 1 to 65535"),
        ("CLOUDBERTH_PORT", "65536", "a whole number from 1 to 65535"),
        ("CLOUDBERTH_PORT", "\u0665\u0660", "a whole number from 1 to 65535"),
        ("CLOUDBERTH_WORKERS", "-1", "a whole number from 1 to 64"),
        ("CLOUDBERTH_WORKERS", "65", "a whole number from 1 to 64"),
        ("CLOUDBERTH_TTL_LATE_S", "604801", "a whole number from 0 to 604800"),
        ("CLOUDBERTH_TTL_LATE_S", "-1", "a whole number from 0 to 604800"),
        ("CLOUDBERTH_DOWNLOADS", "proxy", "one of: redirect, edge"),
        ("CLOUDBERTH_PULL_LOG", "none", "one of: hourly, all"),
        ("CLOUDBERTH_TABLES", "sqlite", "one of: dynoxide, ministack"),
        ("CLOUDBERTH_ADMIN", "", "give it a value or unset it"),
        ("CLOUDBERTH_ADMIN_PASSWORD", "", "give it a value or unset it"),
        ("CLOUDBERTH_DATA", " ", "give it a value or unset it"),
    ],
)
def test_a_bad_setting_is_refused_in_a_sentence_that_names_it_and_the_remedy(
    name: str, value: str, remedy: str
) -> None:
    with pytest.raises(StackError) as refused:
        settings_from({name: value})

    assert name in str(refused.value)
    assert remedy in str(refused.value)


def test_a_relative_data_directory_is_in_the_project_and_an_absolute_one_is_kept() -> None:
    assert settings_from({"CLOUDBERTH_DATA": "here"}).data == ROOT / "here"
    assert settings_from({"CLOUDBERTH_DATA": "/there"}).data == Path("/there")


def test_workers_see_no_account_of_the_operator() -> None:
    environment = worker(AWS_PROFILE="production", AWS_SESSION_TOKEN="t", AWS_ACCESS_KEY_ID="AKIA", HOME="/root")

    assert "AWS_PROFILE" not in environment
    assert "AWS_SESSION_TOKEN" not in environment
    assert environment["AWS_ACCESS_KEY_ID"] == "cloudberth"
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert environment["HOME"] == "/root"


def test_workers_reach_loopback_without_the_proxy() -> None:
    assert worker(HTTP_PROXY="http://proxy", NO_PROXY="example.test")["no_proxy"] == "example.test,127.0.0.1,localhost"


def test_the_ttl_service_has_the_delay_of_the_setting() -> None:
    assert worker()["CLOUDBERTH_TTL_LATE_S"] == "60"
    assert worker(CLOUDBERTH_TTL_LATE_S="0")["CLOUDBERTH_TTL_LATE_S"] == "0"


def test_workers_inherit_further_settings_of_the_registry() -> None:
    assert worker(CLOUDBERTH_LEASE_S="20")["CLOUDBERTH_LEASE_S"] == "20"


def test_the_first_users_password_reaches_the_seed_and_no_worker() -> None:
    environ = {"CLOUDBERTH_ADMIN_PASSWORD": "chosen"}

    environment = worker(**environ)

    assert "CLOUDBERTH_ADMIN_PASSWORD" not in environment
    assert seed_environment(settings_from(environ), environment)["CLOUDBERTH_ADMIN_PASSWORD"] == "chosen"


def test_no_secret_is_printed_with_the_settings() -> None:
    assert "chosen" not in repr(settings_from({"CLOUDBERTH_ADMIN_PASSWORD": "chosen"}))
    assert "secret'" not in repr(KEYS)
