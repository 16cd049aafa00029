"""The Python versions of CloudFront's functions pass the functions' own vectors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.downloads import Download
from chalicelib.domain.errors import BlobUploadUnknown, RouteUnknown
from chalicelib.domain.uploads import UploadToken
from chalicelib.storage import bucket_keys
from infra.local.upload_routes import UploadRequest, UploadRoute

VECTORS = json.loads((Path(__file__).parent / "edge/vectors.json").read_text())
SIGNERS = {name: bytes.fromhex(key) for name, key in VECTORS["keys"].items()}
BELIEVED = [SIGNERS["current"], SIGNERS["previous"]]
NOW = VECTORS["now"]


def filled(vector: Any) -> Any:
    """Fills the {words} of a vector."""
    if isinstance(vector, str):
        return re.sub(r"\{([^{}]+)\}", lambda match: VECTORS["words"].get(match[1], match[0]), vector)
    return {name: filled(value) for name, value in vector.items()} if isinstance(vector, dict) else vector


REQUESTS = [filled(vector) for vector in VECTORS["requests"]]
DOWNLOADS = [filled(vector) for vector in VECTORS["downloads"]]


def named(vectors: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors, ids=[vector["name"] for vector in vectors])


def target_of(vector: dict[str, Any]) -> UploadRequest:
    content_range = vector.get("headers", {}).get("content-range", "")
    return UploadRequest.of(vector["method"], vector["uri"], vector["query"], content_range)


@pytest.mark.parametrize("name", VECTORS["tokens"])
def test_a_token_is_signed_as_in_the_vectors(name: str) -> None:
    fields = dict(VECTORS["tokens"][name])
    key = SIGNERS[fields.pop("key")]

    assert UploadToken(**fields).signed(key) == VECTORS["words"][name]


@named([vector for vector in REQUESTS if "chunked" not in vector])
def test_a_body_takes_its_route(vector: dict[str, Any]) -> None:
    expected = UploadRoute.EDGE if vector["way"] in ("unknown", "full") else UploadRoute(vector["way"])

    assert target_of(vector).route(vector.get("size", 0)) is expected


@named([vector for vector in REQUESTS if "chunked" in vector])
def test_a_chunked_body_that_is_too_long_takes_its_route(vector: dict[str, Any]) -> None:
    assert vector["way"] == "app"
    assert target_of(vector).route(None) is UploadRoute(vector["then"])


@named([vector for vector in REQUESTS if vector["way"] == "edge"])
def test_a_layer_has_the_key_that_the_function_gives_it(vector: dict[str, Any]) -> None:
    target = target_of(vector)
    token, digest = UploadToken.verify(target.upload, BELIEVED, NOW), Digest.parse(target.digest)

    assert bucket_keys.edge_prefix(token.repository_id, digest) + token.upload_id == vector["key"]
    assert (str(digest), digest.base64) == (vector["digest"], vector["checksum"])
    assert target.repository == vector["repository"]


@named([vector for vector in REQUESTS if vector["way"] == "full"])
def test_a_token_says_how_many_bytes_a_quota_leaves(vector: dict[str, Any]) -> None:
    assert UploadToken.verify(target_of(vector).upload, BELIEVED, NOW).most == vector["left"] < vector["size"]


@named([vector for vector in REQUESTS if vector["way"] == "unknown"])
def test_an_invalid_token_is_unknown(vector: dict[str, Any]) -> None:
    with pytest.raises(BlobUploadUnknown):
        UploadToken.verify(target_of(vector).upload, BELIEVED, NOW)


@named([vector for vector in DOWNLOADS if "key" in vector])
def test_a_signed_path_leads_to_its_blob(vector: dict[str, Any]) -> None:
    download = Download.verify(unquote(vector["uri"]), BELIEVED, NOW)

    assert (download.s3_key, str(download.digest)) == (vector["key"], vector["digest"])


@named([vector for vector in DOWNLOADS if "key" not in vector])
def test_an_invalid_path_is_unknown(vector: dict[str, Any]) -> None:
    with pytest.raises(RouteUnknown):
        Download.verify(unquote(vector["uri"]), BELIEVED, NOW)
