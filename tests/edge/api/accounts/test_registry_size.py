"""The registry's size over the API."""

from collections.abc import Callable

from tests.support.api_client import ApiClient
from tests.support.builders import a_blob

PATH = "/superuser/registrysize/"


def test_a_superuser_has_the_size_counted(admin: ApiClient) -> None:
    a_blob(admin.backend, b"x" * 100)
    assert admin.get(PATH).json() == {"size_bytes": 0, "last_ran": None, "queued": False, "running": False}

    counted = admin.post(PATH)

    assert counted.status == 201
    assert admin.get(PATH).json() == counted.json()
    assert counted.json()["size_bytes"] == 100
    assert counted.json()["last_ran"] > 1_700_000_000_000


def test_other_callers_are_refused(stranger: ApiClient, visit: Callable[[str], ApiClient]) -> None:
    for ask in ("GET", "POST"):
        assert stranger.ask(ask, PATH).status == 401
        assert visit("bob").ask(ask, PATH).status == 403
