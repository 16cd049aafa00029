"""Service keys over the API, of which there are none."""

from tests.support.api_client import ApiClient


def test_the_list_of_service_keys_is_empty(stranger: ApiClient) -> None:
    answer = stranger.get("//keys/services/clair/keys")

    assert (answer.status, answer.json()) == (200, {"keys": []})
