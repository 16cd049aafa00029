"""The progress of the garbage collector over the API."""

from collections.abc import Callable

from tests.support.api_client import ApiClient
from tests.support.builders import push_image
from tests.support.sweeping import delete_tag, expire_everything

PATH = "/superuser/garbage"


def test_a_superuser_sees_what_was_freed(admin: ApiClient, visit: Callable[[str], ApiClient]) -> None:
    push_image(admin.backend, "v1")
    assert admin.get(PATH).json() == {
        "queued": 0,
        "running": False,
        "freed_manifests": 0,
        "freed_blobs": 0,
        "freed_bytes": 0,
        "last_ran": None,
        "last_turn": None,
    }
    delete_tag(admin.backend, "v1")
    expire_everything(admin.backend)

    report = visit("admin").get(PATH).json()

    assert report["freed_manifests"] == 1
    assert report["freed_bytes"] > 0
    assert report["last_ran"] > 1_700_000_000_000
    assert set(report["last_turn"]) == {"began_at", "ended_at", "done", "later", "failed", "late_s"}


def test_other_callers_are_refused(stranger: ApiClient, visit: Callable[[str], ApiClient]) -> None:
    assert stranger.get(PATH).status == 401
    assert visit("bob").get(PATH).status == 403
