"""Descriptions of the types of errors."""

from chalicelib.edge.api.framework.errors import DESCRIPTIONS, TYPES
from tests.support.api_client import ApiClient


def test_every_type_of_error_is_described_at_its_address(stranger: ApiClient) -> None:
    for kind in {kind for _, kind in TYPES.values()}:
        description = stranger.get(f"/error/{kind}").json()

        assert description["type"] == f"http://registry.test/api/v1/error/{kind}"
        assert (description["title"], description["description"]) == (kind, DESCRIPTIONS[kind])


def test_an_unknown_type_is_not_found_with_a_full_error(stranger: ApiClient) -> None:
    answer = stranger.get("/error/nonsense")

    assert (answer.status, answer.json()["error_type"]) == (404, "not_found")
