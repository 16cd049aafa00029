"""`/v2/<name>/blobs/uploads/<upload>/presigned`, `/parts` and `/complete`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import os
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from chalicelib.domain import hashing
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import OutOfOrder
from chalicelib.domain.permissions import Role
from chalicelib.storage.registry.uploads import UploadRow
from tests.support.app_client import Answer, Door
from tests.support.builders import a_granted, a_repository

MEBIBYTE = 1024 * 1024


def begin(door: Door) -> str:
    """The address of a new upload."""
    location: str = door.ask("POST", "/v2/admin/app/blobs/uploads/", door.token("admin/app")).headers["location"]
    return location


def say(door: Door, path: str, said: Any, token: dict[str, str] | None = None, signature: str | None = None) -> Answer:
    """What a relay says, signed with the installation's key unless another signature is given."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    key = door.backend.services.stores.secrets.relay
    genuine = hmac.new(key, path.encode() + b"\n" + body, hashlib.sha256).hexdigest()
    headers = {"Relay-Signature": genuine if signature is None else signature, "Content-Type": "application/json"}
    return door.ask("POST", path, headers | (token or {}), body)


def presigned(door: Door, location: str, first: int = 0, count: int = 2) -> dict[str, Any]:
    answer = say(door, f"{location}/presigned", {"first": first, "count": count}, door.token("admin/app"))
    assert answer.status == 200
    found: dict[str, Any] = answer.json()
    return found


def test_a_relay_brings_a_blob_in_a_part_and_a_tail(door: Door) -> None:
    content, token = os.urandom(6 * MEBIBYTE), door.token("admin/app")
    addresses = presigned(door, begin(door))
    first, rest = content[: 5 * MEBIBYTE], content[5 * MEBIBYTE :]
    etag = requests.put(addresses["parts"][0]["address"], data=first, timeout=30).headers["ETag"]
    assert requests.put(addresses["tail_address"], data=rest, timeout=30).ok
    hasher = hashing.resume(addresses["algorithm"], base64.b64decode(addresses["state"]))
    hasher.update(content)
    report = {
        "before": 0,
        "after": len(content),
        "state": base64.b64encode(hasher.state()).decode(),
        "parts": [[1, etag, len(first)]],
        "tail": [addresses["tail_key"], len(rest)],
    }
    stored = say(door, f"/v2/admin/app/blobs/uploads/{addresses['upload']}/parts", report)
    digest = Digest.of(content)

    assert (stored.status, stored.json()["offset"]) == (200, len(content))
    assert door.ask("PUT", f"{stored.json()['location']}?digest={digest}", token).status == 201
    address = door.ask("GET", f"/v2/admin/app/blobs/{digest}", token).headers["location"]
    assert requests.get(address, timeout=30).content == content


def test_the_first_addresses_of_a_body_need_the_pushers_right_and_the_signature(door: Door) -> None:
    path, said = f"{begin(door)}/presigned", {"first": 0, "count": 1}
    for token in ({}, door.token("admin/app", actions="pull"), door.token("admin/other")):
        assert say(door, path, said, token).status in (401, 403)

    assert say(door, path, said, door.token("admin/app")).status == 200


def test_later_addresses_need_only_the_signature_since_bodies_outlast_tokens(door: Door) -> None:
    upload = presigned(door, begin(door))["upload"]
    answer = say(door, f"/v2/admin/app/blobs/uploads/{upload}/presigned", {"first": 3, "count": 2})

    assert [part["number"] for part in answer.json()["parts"]] == [3, 4]


def test_nobody_but_the_relay_is_believed(door: Door) -> None:
    location, token = begin(door), door.token("admin/app")
    for end, signature in itertools.product(("presigned", "parts"), ("x", "0" * 64, "\xe9")):
        answer = say(door, f"{location}/{end}", {"first": 0, "count": 1}, token, signature)

        assert (end, signature, answer.status, answer.code) == (end, signature, 403, "DENIED")


def test_what_was_hashed_is_believed_of_nobody_without_a_signature(door: Door) -> None:
    report = {"before": 0, "after": 9, "state": "", "parts": [], "tail": None}
    answer = say(door, f"{begin(door)}/parts", report, door.token("admin/app"), "")

    assert (answer.status, answer.code) == (403, "DENIED")


def test_a_signature_holds_for_one_path_and_one_body(door: Door) -> None:
    location, key = begin(door), door.backend.services.stores.secrets.relay
    body = b'{"first": 0, "count": 1}'
    for path, signed in ((f"{location}/parts", body), (f"{location}/presigned", body + b" ")):
        signature = hmac.new(key, path.encode() + b"\n" + signed, hashlib.sha256).hexdigest()

        assert say(door, f"{location}/presigned", body, door.token("admin/app"), signature).code == "DENIED"


def test_a_relay_that_speaks_no_json_is_refused(door: Door) -> None:
    location = begin(door)
    for body in (b"", b"{", b"\xff"):
        answer = say(door, f"{location}/parts", body)

        assert (body, answer.status, answer.code) == (body, 400, "BLOB_UPLOAD_INVALID")


def test_an_upload_that_never_was_is_unknown_to_relays_too(door: Door) -> None:
    begin(door)
    said = {"first": 1, "count": 1, "before": 0, "after": 1, "state": "", "parts": [], "tail": None}
    for end in ("presigned", "parts"):
        answer = say(door, f"/v2/admin/app/blobs/uploads/x.y.z/{end}", said)

        assert (end, answer.status, answer.code) == (end, 404, "BLOB_UPLOAD_UNKNOWN")


def test_a_report_about_bytes_that_moved_meanwhile_is_out_of_order(door: Door) -> None:
    addresses = presigned(door, begin(door))
    report = {"before": 5, "after": 9, "state": addresses["state"], "parts": [], "tail": None}
    answer = say(door, f"/v2/admin/app/blobs/uploads/{addresses['upload']}/parts", report)

    assert (answer.status, answer.code) == (416, "BLOB_UPLOAD_INVALID")


def test_one_answer_has_no_more_addresses_than_the_limit(door: Door) -> None:
    assert len(presigned(door, begin(door), count=10_000)["parts"]) == 32


def test_a_closed_upload_gets_no_addresses(door: Door) -> None:
    location, token = begin(door), door.token("admin/app")
    door.ask("PUT", f"{location}?digest={Digest.of(b'x')}", token, b"x")
    answer = say(door, f"{location}/presigned", {"first": 0, "count": 1}, token)

    assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")


def ask(door: Door, target: str, said: Any, token: dict[str, str] | None = None) -> Answer:
    """What somebody without a key of ours asks, with the admin's token unless another is given."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return door.ask("POST", target, door.token("admin/app") if token is None else token, body)


def test_a_pusher_puts_a_blob_under_an_address_that_is_signed_with_its_checksum(door: Door) -> None:
    location, content = begin(door), os.urandom(100)
    said = {"digest": str(Digest.of(content)), "size": 100}
    addresses = ask(door, f"{location}/presigned", said).json()
    wrong = requests.put(addresses["address"], data=b"other bytes", headers=addresses["headers"], timeout=10)
    early = ask(door, f"{location}/complete", said)
    right = requests.put(addresses["address"], data=content, headers=addresses["headers"], timeout=10)
    done = ask(door, f"{location}/complete", said)

    assert addresses["way"] == "put"
    assert (wrong.status_code, early.status, early.code) == (400, 400, "BLOB_UPLOAD_INVALID")
    assert (right.status_code, done.status) == (200, 201)
    assert done.headers["location"] == f"/v2/admin/app/blobs/{Digest.of(content)}"
    assert done.headers["docker-content-digest"] == str(Digest.of(content))
    assert door.ask("HEAD", done.headers["location"], door.token("admin/app")).status == 307


@pytest.mark.parametrize("genuine", [True, False])
def test_what_s3_cannot_check_is_hashed_here_before_it_is_visible(door: Door, genuine: bool) -> None:
    location, content = begin(door), os.urandom(100)
    digest = Digest.of(content, "sha512")
    addresses = ask(door, f"{location}/presigned", {"digest": str(digest), "size": 100}).json()
    put = requests.put(addresses["parts"][0]["address"], data=content if genuine else bytes(100), timeout=10)
    said = {"digest": str(digest), "size": 100, "parts": [[1, put.headers["ETag"]]]}
    done = ask(door, f"{location}/complete", said)

    assert addresses["way"] == "parts"
    assert done.status == (201 if genuine else 400)
    assert genuine or done.code == "DIGEST_INVALID"
    found = door.ask("HEAD", f"/v2/admin/app/blobs/{digest}", door.token("admin/app")).status
    assert found == (307 if genuine else 404)


def test_whoever_may_not_push_gets_no_addresses(door: Door) -> None:
    location, said = begin(door), {"digest": str(Digest.of(b"")), "size": 0}
    for token in ({}, door.token("admin/app", actions="pull"), door.token("admin/other")):
        for end in ("presigned", "complete"):
            assert ask(door, f"{location}/{end}", said, token).status in (401, 403)


SAID = {"digest": str(Digest.of(b"", "sha512")), "size": 5, "parts": [[1, "x"]]}
WRONG = {
    "no json": b"{",
    "no object": b"[]",
    "nesting without end": b"[" * 100_000,
    "no digest": json.dumps(SAID | {"digest": None}).encode(),
    "no size": json.dumps(SAID | {"size": None}).encode(),
    "a size of text": json.dumps(SAID | {"size": "5"}).encode(),
    "a size below 0": json.dumps(SAID | {"size": -1}).encode(),
    "no list of parts": json.dumps(SAID | {"parts": 5}).encode(),
    "parts that are none": json.dumps(SAID | {"parts": ["ab", None]}).encode(),
    "a part without end": json.dumps(SAID).replace("[1,", "[1e999,").encode(),
    "a part that was never put": json.dumps(SAID).encode(),
    "half a character": json.dumps(SAID | {"parts": [[1, "\ud800"]]}).encode(),
}


def test_a_pusher_that_says_nonsense_is_refused_and_no_bug(door: Door) -> None:
    codes = ("BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "SIZE_INVALID")
    token = door.token("admin/app")
    for name, body in WRONG.items():
        location = begin(door)
        ask(door, f"{location}/presigned", SAID, token)
        answer = ask(door, f"{location}/complete", body, token)

        assert answer.status in (400, 404), name
        assert answer.code in codes, name


def test_parts_are_presigned_from_the_first_to_the_last_that_s3_takes(door: Door) -> None:
    """S3 knows part numbers from 1 to 10,000."""
    location, token = begin(door), door.token("admin/app")
    for first in (0, -1, 10**6, "1", None, True, 1.5):
        answer = ask(door, f"{location}/presigned", SAID | {"first": first}, token)
        numbers = [part["number"] for part in answer.json()["parts"]] if answer.status == 200 else []

        assert answer.status in (200, 400), first
        assert all(1 <= number <= 10_000 for number in numbers), first


def hours_later(door: Door, told: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Returns the upload's path and the token from the last answer, two hours later."""
    door.backend.clock.ahead_s += 7200
    return f"/v2/admin/app/blobs/uploads/{told['upload']}", {"Authorization": f"Bearer {told['bearer']}"}


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_pusher_may_take_hours_for_one_blob(door: Door, algorithm: str) -> None:
    location, content, own = begin(door), os.urandom(100), door.token("admin/app")
    digest = Digest.of(content, algorithm)
    said = {"digest": str(digest), "size": 100}
    told = ask(door, f"{location}/presigned", said, own).json()
    address = told["address"] if told["way"] == "put" else told["parts"][0]["address"]
    put = requests.put(address, data=content, headers=told.get("headers", {}), timeout=10)
    later, lasting = hours_later(door, told)
    done = said | {"parts": [[1, put.headers["ETag"]]]}

    assert ask(door, f"{location}/complete", done, own).status == 401
    assert ask(door, f"{location}/complete", done, lasting).status == 404
    assert ask(door, f"{later}/complete", done, lasting).status == 201


def test_the_token_of_a_presigned_upload_is_for_that_upload_and_cannot_read(door: Door) -> None:
    location, said = begin(door), {"digest": str(Digest.of(b"x")), "size": 1}
    lasting = {"Authorization": f"Bearer {ask(door, f'{location}/presigned', said).json()['bearer']}"}

    assert door.ask("GET", "/v2/admin/app/tags/list", lasting).status == 401
    assert door.ask("DELETE", "/v2/admin/app/manifests/1", lasting).status in (401, 404)


def test_no_presigned_upload_prolongs_a_right_for_more_than_a_day(door: Door) -> None:
    location, said = begin(door), {"digest": str(Digest.of(b"x")), "size": 1}
    told = ask(door, f"{location}/presigned", said).json()
    for _ in range(11):
        later, lasting = hours_later(door, told)
        told = ask(door, f"{later}/presigned", said, lasting).json()
    later, lasting = hours_later(door, told)
    door.backend.clock.ahead_s += 60

    assert ask(door, f"{later}/presigned", said, lasting).status == 401


def test_a_right_that_is_gone_gives_no_blob_however_good_the_token(door: Door) -> None:
    door.backend.user("bob")
    a_repository(door.backend)
    a_granted(door.backend, "bob", Role.WRITE)
    own = door.token("admin/app", name="bob")
    location = door.ask("POST", "/v2/admin/app/blobs/uploads/", own).headers["location"]
    content = os.urandom(100)
    said = {"digest": str(Digest.of(content)), "size": 100}
    told = ask(door, f"{location}/presigned", said, own).json()
    requests.put(told["address"], data=content, headers=told["headers"], timeout=10)
    later, lasting = hours_later(door, told)
    a_granted(door.backend, "bob", Role.READ)

    assert ask(door, f"{later}/complete", said, lasting).status in (401, 403)
    reading = door.token("admin/app", name="bob", actions="pull")
    assert door.ask("HEAD", f"/v2/admin/app/blobs/{Digest.of(content)}", reading).status == 404


def test_two_first_requests_at_once_leave_one_multipart_upload(door: Door) -> None:
    """The loser of the race gives up its own, of which nobody would know."""
    services, location = door.backend.services, begin(door)
    token = services.security.upload_tokens.verify(location.rpartition("/")[2])
    rows = [services.registry.uploads.new_row(token) for _ in range(2)]
    services.registry.uploads.prepare_parts(rows[0], is_new=True)
    with pytest.raises(OutOfOrder):
        services.registry.uploads.prepare_parts(rows[1], is_new=True)

    with pytest.raises(ClientError, match="NoSuchUpload"):
        put_one(services.stores.objects.client, services.settings.bucket, rows[1])
    assert put_one(services.stores.objects.client, services.settings.bucket, rows[0])["ETag"]


def put_one(client: Any, bucket: str, row: UploadRow) -> Any:
    return client.upload_part(Bucket=bucket, Key=row.s3_key, UploadId=row.multipart_id, PartNumber=1, Body=b"x")
