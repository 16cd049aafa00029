"""The router: matches paths to routes."""

import pytest

from app import app
from chalicelib.edge.router import Router

app.complete()
ROUTER = Router(app.routes)
UPLOAD = "/v2/{repository}/blobs/uploads/{upload}"


@pytest.mark.parametrize(
    ("path", "pattern", "values"),
    [
        ("/v2", "/v2", {}),
        ("/v2/", "/v2", {}),
        ("/v2/auth", "/v2/auth", {}),
        ("/v2/_catalog", "/v2/_catalog", {}),
        ("/v2/app/tags/list", "/v2/{repository}/tags/list", {"repository": "app"}),
        ("/v2/a/b/c/d/tags/list/", "/v2/{repository}/tags/list", {"repository": "a/b/c/d"}),
        (
            "/v2/a/b/manifests/v1",
            "/v2/{repository}/manifests/{reference}",
            {"repository": "a/b", "reference": "v1"},
        ),
        (
            "/v2/a/b/blobs/sha256:0",
            "/v2/{repository}/blobs/{digest}",
            {"repository": "a/b", "digest": "sha256:0"},
        ),
        ("/v2/a/b/blobs/uploads", "/v2/{repository}/blobs/uploads", {"repository": "a/b"}),
        ("/v2/a/b/blobs/uploads/", "/v2/{repository}/blobs/uploads", {"repository": "a/b"}),
        ("/v2/a/b/blobs/uploads/t.o", UPLOAD, {"repository": "a/b", "upload": "t.o"}),
        ("/v2/a/b/blobs/uploads/t/presigned", UPLOAD + "/presigned", {"repository": "a/b", "upload": "t"}),
        ("/v2/a/b/blobs/uploads/t/parts", UPLOAD + "/parts", {"repository": "a/b", "upload": "t"}),
    ],
)
def test_a_path_matches_its_route(path: str, pattern: str, values: dict[str, str]) -> None:
    assert ROUTER.match(path) == (pattern, values)


def test_what_is_still_escaped_after_the_gateway_stays_so() -> None:
    assert ROUTER.match("/api/v1/repository/a%2Fb/logs")[1] == {"repository": "a%2Fb"}
    assert ROUTER.match("/v2/a%2Fb/manifests/sha256%3Aabc")[1] == {"repository": "a%2Fb", "reference": "sha256%3Aabc"}


@pytest.mark.parametrize(
    ("path", "repository"),
    [
        ("/v2/manifests/manifests/manifests/v1", "manifests/manifests"),
        ("/v2/a/blobs/uploads/manifests/v1", "a/blobs/uploads"),
        ("/v2/a/blobs/uploads/blobs/uploads/", "a/blobs/uploads"),
        ("/v2/a/tags/list/tags/list", "a/tags/list"),
        ("/v2/auth/tags/list", "auth"),
        ("/v2/health/manifests/v1", "health"),
        ("/v2/a/presigned/blobs/uploads/t", "a/presigned"),
    ],
)
def test_a_repository_may_be_called_like_a_route(path: str, repository: str) -> None:
    assert ROUTER.match(path)[1]["repository"] == repository


@pytest.mark.parametrize(
    "path",
    ["", "//", "/v1", "/v2x", "/v2/a", "/v2/a/b", "/v2/a/manifests", "/v2/a/tags", "/V2/", "/v2/a/tags/list/more",
     "/v2//", "/v2/a/manifests/", "/x/v2/", "/v2/auth/x", "/v2/a/blobs/uploads/t/other"],
)  # fmt: skip
def test_an_unknown_path_has_no_route(path: str) -> None:
    assert ROUTER.match(path) == (None, {})


def test_only_one_slash_is_the_root() -> None:
    assert ROUTER.match("/") == ("/", {})


def test_an_empty_repository_and_line_breaks_reach_the_grammar_that_refuses_them() -> None:
    assert ROUTER.match("/v2//manifests/v1")[1]["repository"] == ""
    assert ROUTER.match("/v2/a\nb/manifests/v1")[1]["repository"] == "a\nb"


def test_the_longest_and_most_literal_pattern_wins_whatever_the_order() -> None:
    patterns = ["/{x}/{y}", "/a/{y}", "/a/b", "/{x}/b"]
    for order in (patterns, patterns[::-1]):
        router = Router(order)

        assert [router.match(path)[0] for path in ("/a/b", "/a/z", "/z/b", "/z/z")] == [
            "/a/b",
            "/a/{y}",
            "/{x}/b",
            "/{x}/{y}",
        ]


def test_of_two_patterns_that_span_slashes_the_longer_one_wins() -> None:
    for order in (["/{repository}/end", "/{repository}/a/end"], ["/{repository}/a/end", "/{repository}/end"]):
        assert Router(order).match("/r/s/a/end") == ("/{repository}/a/end", {"repository": "r/s"})


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "path", ["/v2/" + "a/blobs/uploads/" * 600, "/v2/" + "/" * 10_000, "/v2/" + "manifests/" * 1000]
)
def test_a_path_made_for_backtracking_is_matched_at_once(path: str) -> None:
    for _ in range(5):
        assert ROUTER.match(path)
