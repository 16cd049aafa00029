"""A streamed upload into the bucket of a real stack."""

from __future__ import annotations

import base64
import io
import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import ECKey

from chalicelib.domain import hashing
from chalicelib.domain.digests import Digest
from chalicelib.domain.uploads import MEBIBYTE, SMALLEST_PART
from chalicelib.services.registry.relays import ADDRESS_S
from relay import streamed_upload
from relay.auth import Credentials
from relay.errors import NoRoom, Refused
from relay.parts import PartCutter
from relay.progress import ProgressBoard
from relay.protocol import RequestTarget
from relay.registry import Registry
from relay.server import Body
from relay.streamed_upload import ADDRESSES_AT_ONCE, StreamedUpload, StreamedUploads
from tests.support.stack import Stack

REPOSITORY = "admin/relayed"
CONTENT = os.urandom(17 * MEBIBYTE)


@pytest.fixture(scope="module")
def registry(stack: Stack) -> Registry:
    """The stack's registry, as the relay with its key uses it."""
    return Registry(stack.url, bytes.fromhex(json.loads((stack.data / "secrets.json").read_text())["relay"]))


def credentials(stack: Stack, actions: str = "pull,push") -> Credentials:
    scope = {"scope": f"repository:{REPOSITORY}:{actions}"}
    found = requests.get(f"{stack.url}/v2/auth", params=scope, auth=(stack.admin, stack.password), timeout=30)
    return Credentials.from_authorization(f"Bearer {found.json()['token']}")


def begin(stack: Stack, registry: Registry, algorithm: str = "sha256") -> str:
    """Opens an upload and returns its location."""
    path = f"/v2/{REPOSITORY}/blobs/uploads/?digest-algorithm={algorithm}"
    return registry.send("POST", path, credentials(stack)).headers["Location"]


def stream(stack: Stack, registry: Registry, location: str) -> StreamedUpload:
    return StreamedUpload(registry, REPOSITORY, location, credentials(stack))


def pulled(stack: Stack, digest: Digest) -> bytes:
    address = f"{stack.url}/v2/{REPOSITORY}/blobs/{digest}"
    return requests.get(address, headers=credentials(stack).headers, timeout=30).content


def close(stack: Stack, registry: Registry, location: str, digest: Digest) -> int:
    return registry.send("PUT", f"{location}?digest={digest}", credentials(stack)).status


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_body_of_several_parts_becomes_the_blob(stack: Stack, registry: Registry, algorithm: str) -> None:
    content = CONTENT + algorithm.encode()
    sent = stream(stack, registry, begin(stack, registry, algorithm))
    cutter = PartCutter(sent.offset)
    for part in cutter.feed(content):
        sent.put(bytes(part))
    progress = sent.finish(cutter.rest())
    digest = Digest.of(content, algorithm)

    assert progress.offset == len(content)
    assert close(stack, registry, progress.location, digest) == 201
    assert pulled(stack, digest) == content


@pytest.mark.parametrize(
    "sizes",
    [[1], [100, 200, 300], [SMALLEST_PART - 1, 1, 1], [6 * MEBIBYTE, 3, 6 * MEBIBYTE], [3 * MEBIBYTE] * 4, [0, 5, 0]],
    ids=str,
)
def test_successive_bodies_become_one_blob_of_parts_that_s3_accepts(
    stack: Stack, registry: Registry, sizes: list[int]
) -> None:
    """Bytes that are too few for a part wait in S3 for the next body: only the last part may be below 5 MiB."""
    content, location, offset = os.urandom(sum(sizes)), begin(stack, registry), 0
    parts: list[int] = []
    for size in sizes:
        sent = stream(stack, registry, location)
        assert sent.offset == offset
        progress = sent.finish(content[offset : offset + size])
        location, offset = progress.location, progress.offset
        parts += [size for _, _, size in sent._parts]
    digest = Digest.of(content)

    assert offset == len(content)
    assert all(size >= SMALLEST_PART for size in parts)
    assert close(stack, registry, location, digest) == 201
    assert pulled(stack, digest) == content


def test_more_addresses_are_requested_when_they_run_out(stack: Stack, registry: Registry) -> None:
    sent = stream(stack, registry, begin(stack, registry))
    for _ in range(2):
        del sent._addresses[1:]
        sent.put(CONTENT[sent.offset : sent.offset + 8 * MEBIBYTE])
    progress = sent.finish(CONTENT[sent.offset :])

    assert [number for number, _, _ in sent._parts] == [1, 2]
    assert close(stack, registry, progress.location, Digest.of(CONTENT)) == 201


def test_a_body_that_does_not_match_the_digest_is_refused(stack: Stack, registry: Registry) -> None:
    progress = stream(stack, registry, begin(stack, registry)).finish(b"other bytes")

    assert close(stack, registry, progress.location, Digest.of(b"bytes")) == 400


@pytest.mark.parametrize("actions", ["pull", "", None])
def test_a_client_without_push_access_is_refused_before_its_body_is_read(
    stack: Stack, registry: Registry, actions: str | None
) -> None:
    location = begin(stack, registry)
    shown = Credentials() if actions is None else credentials(stack, actions)
    with pytest.raises(Refused) as caught:
        StreamedUpload(registry, REPOSITORY, location, shown)

    assert caught.value.status in (401, 403)
    assert json.loads(caught.value.body)["errors"]
    assert "WWW-Authenticate" in caught.value.headers


def test_a_relay_with_another_key_is_refused(stack: Stack, registry: Registry) -> None:
    with pytest.raises(Refused) as caught:
        stream(stack, Registry(stack.url, b"another key"), begin(stack, registry))

    assert caught.value.status == 403


def test_two_concurrent_bodies_of_one_upload_do_not_mix(stack: Stack, registry: Registry) -> None:
    location = begin(stack, registry)
    first, second = (stream(stack, registry, location) for _ in range(2))
    progress = first.finish(b"first")
    with pytest.raises(Refused) as caught:
        second.finish(b"second")

    assert caught.value.status == 416
    assert close(stack, registry, progress.location, Digest.of(b"first")) == 201


class SlowRegistry:
    """A registry whose addresses expire as the real ones do, behind a line of so many bytes a second."""

    def __init__(self, bytes_a_second: int) -> None:
        self.now, self.speed, self.late = 0.0, bytes_a_second, 0

    def request_addresses(self, location: str, credentials: Credentials, first: int, count: int) -> dict[str, Any]:
        parts = [{"number": number, "address": self.now} for number in range(first or 1, (first or 1) + count)]
        state = base64.b64encode(hashing.begin("sha256").state()).decode()
        addresses = {"upload": "u", "offset": 0, "algorithm": "sha256", "state": state, "tail": None, "parts": parts}
        return addresses | {"tail_key": "k", "tail_address": self.now}

    def put_part(self, address: float, content: bytes) -> str:
        self.now += len(content) / self.speed
        self.late += self.now - address > ADDRESS_S
        return "etag"


def test_no_address_expires_during_a_slow_upload() -> None:
    """The line is as slow as the life of an address allows: 40 KB/s for a part of 16 MB."""
    registry, part = SlowRegistry(40_000), bytes(8 * MEBIBYTE)
    sent = StreamedUpload(registry, "a/b", "/", Credentials(), lambda: registry.now)  # type: ignore[arg-type]
    for _ in range(ADDRESSES_AT_ONCE + 2):
        sent.put(part)

    assert registry.late == 0


def test_a_body_that_comes_twice_without_a_range_is_taken_once(stack: Stack, registry: Registry) -> None:
    location, content = begin(stack, registry), CONTENT[: 5 * MEBIBYTE]
    headers = credentials(stack).headers
    statuses = [
        requests.patch(stack.url + location, data=content, headers=headers, timeout=30).status_code for _ in range(2)
    ]
    status = requests.get(stack.url + location, headers=headers, timeout=30)

    assert statuses == [202, 416]
    assert close(stack, registry, status.headers["Location"], Digest.of(content)) == 201


class LimitedRegistry(SlowRegistry):
    """A registry with a quota that leaves 20 MiB for an upload."""

    def request_addresses(self, location: str, credentials: Credentials, first: int, count: int) -> dict[str, Any]:
        addresses = super().request_addresses(location, credentials, first, count)
        return addresses | ({} if first else {"room": 20 * MEBIBYTE})


def test_a_body_stops_at_the_quota_of_its_namespace() -> None:
    registry, part = LimitedRegistry(10**9), bytes(8 * MEBIBYTE)
    sent = StreamedUpload(registry, "a/b", "/", Credentials())  # type: ignore[arg-type]
    sent.check_room(None)
    sent.check_room(20 * MEBIBYTE)
    with pytest.raises(NoRoom, match="quota has room for 20971520 bytes"):
        sent.check_room(20 * MEBIBYTE + 1)
    for _ in range(2):
        sent.put(part)
    with pytest.raises(NoRoom):
        sent.put(part)
    assert sent.offset == 16 * MEBIBYTE


def test_a_body_that_finds_no_place_gets_503_and_stays_unread(
    stack: Stack, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streamed_upload, "PATIENCE_S", 0.05)
    uploads = StreamedUploads(registry, ProgressBoard(io.StringIO()), 1)
    target = RequestTarget.of("PATCH", f"/v2/{REPOSITORY}/blobs/uploads/x", "")
    body, mine = Body(io.BytesIO(b"x"), 1), credentials(stack)
    with ExitStack() as held:
        for _ in range(streamed_upload.UPLOADS_OF_ACCOUNT):
            held.enter_context(uploads._places.held_by(mine.subject))
        response = uploads.receive(target, body, mine)

    assert (response.status, response.headers["Retry-After"]) == (503, "10")
    assert b"UNAVAILABLE" in response.body
    assert not body.is_done


def test_an_upload_may_outlast_the_clients_token(stack: Stack) -> None:
    """A layer of 6 GB takes longer than five minutes on most lines: it must not be refused at its very end."""
    key = ECKey.import_key(json.loads((stack.data / "secrets.json").read_text())["signing"][0])
    long = jwt.decode(credentials(stack).headers["Authorization"].removeprefix("Bearer "), key, algorithms=["ES256"])
    ends_at = int(time.time()) + 3
    headers = {"Authorization": f"Bearer {jwt.encode(long.header, long.claims | {'exp': ends_at}, key)}"}
    opened = requests.post(f"{stack.url}/v2/{REPOSITORY}/blobs/uploads/", headers=headers, timeout=30)
    location = f"{stack.url}{opened.headers['Location']}?digest={Digest.of(CONTENT, 'sha512')}"

    def slowly() -> Iterator[bytes]:
        yield CONTENT[: 6 * MEBIBYTE]
        time.sleep(ends_at + 0.5 - time.time())
        yield CONTENT[6 * MEBIBYTE :]

    assert requests.put(location, data=slowly(), headers=headers, timeout=30).status_code == 201
