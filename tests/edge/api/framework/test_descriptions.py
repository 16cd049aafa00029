"""The types of errors lead to what they mean."""

from chalicelib.edge.api.framework.errors import DESCRIPTIONS, TYPES
from tests.support.api_client import ApiClient


def test_every_type_of_error_is_described_where_it_leads(stranger: ApiClient) -> None:
    for kind in {kind for _, kind in TYPES.values()}:
        told = stranger.get(f"/error/{kind}").json()

        assert told["type"] == f"http://registry.test/api/v1/error/{kind}"
        assert (told["title"], told["description"]) == (kind, DESCRIPTIONS[kind])


def test_an_unknown_type_is_not_found_and_says_so_in_full(stranger: ApiClient) -> None:
    answer = stranger.get("/error/nonsense")

    assert (answer.status, answer.json()["error_type"]) == (404, "not_found")
