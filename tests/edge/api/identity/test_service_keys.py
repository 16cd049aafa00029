"""Service keys over the API, of which there are none."""

from collections.abc import Callable

from tests.support.api_client import ApiClient


def test_the_list_of_service_keys_is_empty(stranger: ApiClient) -> None:
    answer = stranger.get("//keys/services/clair/keys")

    assert (answer.status, answer.json()) == (200, {"keys": []})


def test_superusers_list_the_keys_of_all_services_and_others_do_not(
    admin: ApiClient, stranger: ApiClient, visit: Callable[[str], ApiClient]
) -> None:
    answer = admin.get("/superuser/keys")

    assert (answer.status, answer.json()) == (200, {"keys": []})
    assert stranger.get("/superuser/keys").status == 401
    assert visit("bob").get("/superuser/keys").status == 403
