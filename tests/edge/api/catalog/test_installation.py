"""The settings and the status of an installation, for superusers."""

from collections.abc import Callable

from chalicelib import __version__
from chalicelib.settings import Settings
from tests.support.api_client import ApiClient
from tests.support.crashes import silence


def test_a_superuser_reads_every_setting_but_the_location_of_the_keys(admin: ApiClient) -> None:
    document = admin.get("/superuser/config").json()

    names = {f"CLOUDBERTH_{name.upper()}" for name in Settings.__dataclass_fields__}
    assert document["config"].keys() == names - {"CLOUDBERTH_SECRETS"}
    assert document["config"]["CLOUDBERTH_URL"] == "http://registry.test"
    assert (document["warning"], document["env"], document["schema"]) == ({}, {}, {})
    assert admin.backend.settings.secrets not in str(document)


def test_the_registry_is_ready_or_names_what_is_missing(admin: ApiClient) -> None:
    assert admin.get("/superuser/registrystatus").json() == {"status": "ready"}
    with silence(admin.backend, "bucket"):
        assert admin.get("/superuser/registrystatus").json() == {"status": "without bucket"}


def test_a_superuser_reads_the_changelog_of_the_running_version(admin: ApiClient) -> None:
    answer = admin.get("/superuser/changelog/")

    assert answer.json().keys() == {"log"}
    assert f"## {__version__} - " in answer.json()["log"]


def test_other_callers_are_refused(stranger: ApiClient, visit: Callable[[str], ApiClient]) -> None:
    for path in ("/superuser/config", "/superuser/registrystatus", "/superuser/changelog/"):
        assert stranger.get(path).status == 401
        assert visit("bob").get(path).status == 403
