"""The set-up of an installation, as superusers see it."""

from collections.abc import Callable

from chalicelib.settings import Settings
from tests.support.api_client import ApiClient
from tests.support.crashes import silence


def test_a_superuser_reads_every_setting_but_where_the_keys_lie(admin: ApiClient) -> None:
    told = admin.get("/superuser/config").json()

    names = {f"CLOUDBERTH_{name.upper()}" for name in Settings.__dataclass_fields__}
    assert told["config"].keys() == names - {"CLOUDBERTH_SECRETS"}
    assert told["config"]["CLOUDBERTH_URL"] == "http://registry.test"
    assert (told["warning"], told["env"], told["schema"]) == ({}, {}, {})
    assert admin.backend.settings.secrets not in str(told)


def test_the_registry_is_ready_or_says_what_is_missing(admin: ApiClient) -> None:
    assert admin.get("/superuser/registrystatus").json() == {"status": "ready"}
    with silence(admin.backend, "bucket"):
        assert admin.get("/superuser/registrystatus").json() == {"status": "without bucket"}


def test_nobody_else_reads_them(stranger: ApiClient, visit: Callable[[str], ApiClient]) -> None:
    for path in ("/superuser/config", "/superuser/registrystatus"):
        assert stranger.get(path).status == 401
        assert visit("bob").get(path).status == 403
