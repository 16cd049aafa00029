"""Quay's service keys, of which there are none."""

from tests.support.api_client import ApiClient


def test_no_service_has_a_key(stranger: ApiClient) -> None:
    answer = stranger.get("//keys/services/clair/keys")

    assert (answer.status, answer.json()) == (200, {"keys": []})
