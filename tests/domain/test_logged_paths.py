"""Paths as logs have them."""

import pytest

from chalicelib.domain.logged_paths import logged_path


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/v2/acme/app/blobs/uploads/secret", "/v2/acme/app/blobs/uploads/…"),
        ("/v2/acme/app/blobs/uploads/secret/parts", "/v2/acme/app/blobs/uploads/…"),
        ("/exportedlogs/secret", "/exportedlogs/…"),
        ("/content/9.secret/sha256:ab/key", "/content/…"),
    ],
)
def test_no_secret_of_a_path_is_logged(path: str, logged: str) -> None:
    assert logged_path(path) == logged


@pytest.mark.parametrize("path", ["/v2/", "/v2/acme/app/blobs/uploads/", "/v2/a/content/manifests/v1", "/api/v1/user"])
def test_a_path_without_a_secret_is_logged_whole(path: str) -> None:
    assert logged_path(path) == path
