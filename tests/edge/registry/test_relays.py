"""`/v2/<name>/blobs/uploads/<upload>/grants` and `/parts`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from typing import Any

import pytest
import requests

from chalicelib.domain import hashing
from chalicelib.domain.digests import Digest
from tests.doors import Answer, Door

MEBIBYTE = 1024 * 1024


def begin(door: Door) -> str:
    """The address of a new upload."""
    location: str = door.ask("POST", "/v2/admin/app/blobs/uploads/", door.token("admin/app")).headers["location"]
    return location


def say(door: Door, path: str, said: Any, token: dict[str, str] | None = None, signature: str | None = None) -> Answer:
    """What a relay says, signed with the installation's key unless another signature is given."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    key = door.house.services.secrets.relay
    genuine = hmac.new(key, path.encode() + b"\n" + body, hashlib.sha256).hexdigest()
    headers = {"Relay-Signature": genuine if signature is None else signature, "Content-Type": "application/json"}
    return door.ask("POST", path, headers | (token or {}), body)


def granted(door: Door, location: str, first: int = 0, count: int = 2) -> dict[str, Any]:
    answer = say(door, f"{location}/grants", {"first": first, "count": count}, door.token("admin/app"))
    assert answer.status == 200
    found: dict[str, Any] = answer.json()
    return found


def test_a_relay_brings_a_blob_in_a_part_and_a_tail(door: Door) -> None:
    content, token = os.urandom(6 * MEBIBYTE), door.token("admin/app")
    grant = granted(door, begin(door))
    first, rest = content[: 5 * MEBIBYTE], content[5 * MEBIBYTE :]
    etag = requests.put(grant["parts"][0]["address"], data=first, timeout=30).headers["ETag"]
    assert requests.put(grant["tail_address"], data=rest, timeout=30).ok
    hasher = hashing.resume(grant["algorithm"], base64.b64decode(grant["state"]))
    hasher.update(content)
    report = {
        "before": 0,
        "after": len(content),
        "state": base64.b64encode(hasher.state()).decode(),
        "parts": [[1, etag, len(first)]],
        "tail": [grant["tail_key"], len(rest)],
    }
    stored = say(door, f"/v2/admin/app/blobs/uploads/{grant['upload']}/parts", report)
    digest = Digest.of(content)

    assert (stored.status, stored.json()["offset"]) == (200, len(content))
    assert door.ask("PUT", f"{stored.json()['location']}?digest={digest}", token).status == 201
    address = door.ask("GET", f"/v2/admin/app/blobs/{digest}", token).headers["location"]
    assert requests.get(address, timeout=30).content == content


def test_the_first_grant_of_a_body_needs_the_pushers_right_beside_the_signature(door: Door) -> None:
    path, said = f"{begin(door)}/grants", {"first": 0, "count": 1}
    for token in ({}, door.token("admin/app", actions="pull"), door.token("admin/other")):
        assert say(door, path, said, token).status in (401, 403)

    assert say(door, path, said, door.token("admin/app")).status == 200


def test_later_grants_need_none_since_bodies_outlast_tokens(door: Door) -> None:
    upload = granted(door, begin(door))["upload"]
    answer = say(door, f"/v2/admin/app/blobs/uploads/{upload}/grants", {"first": 3, "count": 2})

    assert [part["number"] for part in answer.json()["parts"]] == [3, 4]


@pytest.mark.parametrize("signature", ["", "x", "0" * 64, "\xe9"])
@pytest.mark.parametrize("end", ["grants", "parts"])
def test_nobody_but_the_relay_is_believed(door: Door, end: str, signature: str) -> None:
    answer = say(door, f"{begin(door)}/{end}", {"first": 0, "count": 1}, door.token("admin/app"), signature)

    assert (answer.status, answer.code) == (403, "DENIED")


def test_a_signature_holds_for_one_path_and_one_body(door: Door) -> None:
    location, key = begin(door), door.house.services.secrets.relay
    body = b'{"first": 0, "count": 1}'
    for path, signed in ((f"{location}/parts", body), (f"{location}/grants", body + b" ")):
        signature = hmac.new(key, path.encode() + b"\n" + signed, hashlib.sha256).hexdigest()

        assert say(door, f"{location}/grants", body, door.token("admin/app"), signature).code == "DENIED"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff"])
def test_a_relay_that_speaks_no_json_is_refused(door: Door, body: bytes) -> None:
    answer = say(door, f"{begin(door)}/parts", body)

    assert (answer.status, answer.code) == (400, "BLOB_UPLOAD_INVALID")


@pytest.mark.parametrize("end", ["grants", "parts"])
def test_an_upload_that_never_was_is_unknown_to_relays_too(door: Door, end: str) -> None:
    begin(door)
    said = {"first": 1, "count": 1, "before": 0, "after": 1, "state": "", "parts": [], "tail": None}
    answer = say(door, f"/v2/admin/app/blobs/uploads/x.y.z/{end}", said)

    assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_a_report_about_bytes_that_moved_meanwhile_is_out_of_order(door: Door) -> None:
    grant = granted(door, begin(door))
    report = {"before": 5, "after": 9, "state": grant["state"], "parts": [], "tail": None}
    answer = say(door, f"/v2/admin/app/blobs/uploads/{grant['upload']}/parts", report)

    assert (answer.status, answer.code) == (416, "BLOB_UPLOAD_INVALID")


def test_one_grant_has_no_more_than_its_limit(door: Door) -> None:
    assert len(granted(door, begin(door), count=10_000)["parts"]) == 32


def test_a_closed_upload_gets_no_grant(door: Door) -> None:
    location, token = begin(door), door.token("admin/app")
    door.ask("PUT", f"{location}?digest={Digest.of(b'x')}", token, b"x")
    answer = say(door, f"{location}/grants", {"first": 0, "count": 1}, token)

    assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")
