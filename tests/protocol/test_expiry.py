"""Tokens with a valid signature that are expired or meant for somebody else.

The local stack's keys are in its data directory, so these tokens differ from a valid one in one field only.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.protocol.content import a_blob, an_image
from tests.protocol.registry import Registry, Repository, assert_refused
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def keys(stack: Stack) -> Any:
    return json.loads((Path(stack.data) / "secrets.json").read_text())


def decoded(part: Any) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def signed_again(token: str, key: Any, **claims: Any) -> Any:
    """Returns the token with changed claims and a valid signature."""
    header, payload, _ = token.split(".")
    return jwt.encode(decoded(header), decoded(payload) | claims, ECKey.import_key(key), algorithms=["ES256"])


def pulled_with(registry: Registry, repository: Repository, token: str) -> Any:
    return registry.send("GET", f"/v2/{repository.name}/manifests/latest", headers={"Authorization": f"Bearer {token}"})


def test_a_token_that_is_signed_again_unchanged_is_valid(
    registry: Registry, repository: Repository, keys: dict[str, Any]
) -> None:
    """Without this test the ones below would prove nothing."""
    repository.push_image(an_image(), "latest")
    token = signed_again(registry.token(repository.scope), keys["signing"][0])

    assert pulled_with(registry, repository, token).status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": -120},
        {"aud": "registry.example.com"},
        {"iss": "somebody"},
        {"nbf": 900},
    ],
    ids=["expired", "audience", "issuer", "not yet"],
)
def test_a_token_that_is_expired_or_for_somebody_else_is_refused(
    registry: Registry, repository: Repository, keys: dict[str, Any], claims: dict[str, Any]
) -> None:
    repository.push_image(an_image(), "latest")
    now = int(time.time())
    changed = {name: now + value if isinstance(value, int) else value for name, value in claims.items()}
    token = signed_again(registry.token(repository.scope), keys["signing"][0], **changed)
    answer = pulled_with(registry, repository, token)

    assert_refused(answer, 401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


def test_a_token_signed_with_another_key_is_refused(registry: Registry, repository: Repository) -> None:
    repository.push_image(an_image(), "latest")
    stranger = ECKey.generate_key("P-256").as_dict(private=True)
    token = signed_again(registry.token(repository.scope), stranger)

    assert_refused(pulled_with(registry, repository, token), 401, "UNAUTHORIZED")


def upload_token(location: str, key: Any, expires_at: Any) -> Any:
    """Returns the location with its token's third field changed, signed as the registry signs it."""
    path, _, token = location.rpartition("/")
    fields = token.split(".")[:-1]
    fields[2] = str(expires_at)
    signature = hmac.new(bytes.fromhex(key), f"upload.{'.'.join(fields)}".encode(), hashlib.sha256).digest()
    return f"{path}/{'.'.join(fields)}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def test_an_upload_ends_with_its_token(repository: Repository, keys: dict[str, Any]) -> None:
    """An unfinished upload ends; an equally signed token with a later end continues it."""
    blob = a_blob()
    upload = repository.start_upload()
    good = upload_token(upload.location, keys["upload"][0], int(time.time()) + 600)
    upload.location = upload_token(upload.location, keys["upload"][0], int(time.time()) - 1)

    for answer in (upload.status(), upload.patch(b"x"), upload.put(blob.digest, blob.content)):
        assert_refused(answer, 404, "BLOB_UPLOAD_UNKNOWN")
    upload.location = good
    assert upload.put(blob.digest, blob.content).status_code == 201
