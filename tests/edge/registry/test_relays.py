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
from tests.support.app_client import Answer, AppClient
from tests.support.builders import a_repository, an_actor_with_role

MEBIBYTE = 1024 * 1024


def begin(app_client: AppClient) -> str:
    """Begins an upload and returns its location."""
    location: str = app_client.ask("POST", "/v2/admin/app/blobs/uploads/", app_client.token("admin/app")).headers[
        "location"
    ]
    return location


def as_relay(
    app_client: AppClient, path: str, document: Any, token: dict[str, str] | None = None, signature: str | None = None
) -> Answer:
    """Sends a relay's request, signed with the installation's key unless another signature is given."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    key = app_client.backend.services.stores.secrets.relay
    genuine = hmac.new(key, path.encode() + b"\n" + body, hashlib.sha256).hexdigest()
    headers = {"Relay-Signature": genuine if signature is None else signature, "Content-Type": "application/json"}
    return app_client.ask("POST", path, headers | (token or {}), body)


def presigned(app_client: AppClient, location: str, first: int = 0, count: int = 2) -> dict[str, Any]:
    answer = say(app_client, f"{location}/presigned", {"first": first, "count": count}, app_client.token("admin/app"))
    assert answer.status == 200
    document: dict[str, Any] = answer.json()
    return document


def test_a_relay_brings_a_blob_in_a_part_and_a_tail(app_client: AppClient) -> None:
    content, token = os.urandom(6 * MEBIBYTE), app_client.token("admin/app")
    addresses = presigned(app_client, begin(app_client))
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
    stored = say(app_client, f"/v2/admin/app/blobs/uploads/{addresses['upload']}/parts", report)
    digest = Digest.of(content)

    assert (stored.status, stored.json()["offset"]) == (200, len(content))
    assert app_client.ask("PUT", f"{stored.json()['location']}?digest={digest}", token).status == 201
    address = app_client.ask("GET", f"/v2/admin/app/blobs/{digest}", token).headers["location"]
    assert requests.get(address, timeout=30).content == content


def test_the_first_addresses_of_a_body_need_the_pushers_right_and_the_signature(app_client: AppClient) -> None:
    path, said = f"{begin(app_client)}/presigned", {"first": 0, "count": 1}
    for token in ({}, app_client.token("admin/app", actions="pull"), app_client.token("admin/other")):
        assert say(app_client, path, said, token).status in (401, 403)

    assert as_relay(app_client, path, body, app_client.token("admin/app")).status == 200


def test_later_addresses_need_only_the_signature_since_bodies_outlast_tokens(app_client: AppClient) -> None:
    upload = presigned(app_client, begin(app_client))["upload"]
    answer = say(app_client, f"/v2/admin/app/blobs/uploads/{upload}/presigned", {"first": 3, "count": 2})

    assert [part["number"] for part in answer.json()["parts"]] == [3, 4]


def test_nobody_but_the_relay_is_believed(app_client: AppClient) -> None:
    location, token = begin(app_client), app_client.token("admin/app")
    for end, signature in itertools.product(("presigned", "parts"), ("x", "0" * 64, "\xe9")):
        answer = say(app_client, f"{location}/{end}", {"first": 0, "count": 1}, token, signature)

        assert (end, signature, answer.status, answer.code) == (end, signature, 403, "DENIED")


def test_a_report_of_hashed_bytes_needs_a_signature(app_client: AppClient) -> None:
    report = {"before": 0, "after": 9, "state": "", "parts": [], "tail": None}
    answer = as_relay(app_client, f"{begin(app_client)}/parts", report, app_client.token("admin/app"), "")

    assert (answer.status, answer.code) == (403, "DENIED")


def test_a_signature_holds_for_one_path_and_one_body(app_client: AppClient) -> None:
    location, key = begin(app_client), app_client.backend.services.stores.secrets.relay
    body = b'{"first": 0, "count": 1}'
    for path, signed in ((f"{location}/parts", body), (f"{location}/presigned", body + b" ")):
        signature = hmac.new(key, path.encode() + b"\n" + signed, hashlib.sha256).hexdigest()

        assert say(app_client, f"{location}/presigned", body, app_client.token("admin/app"), signature).code == "DENIED"


def test_a_relay_s_body_that_is_not_json_is_refused(app_client: AppClient) -> None:
    location = begin(app_client)
    for body in (b"", b"{", b"\xff"):
        answer = as_relay(app_client, f"{location}/parts", body)

        assert (body, answer.status, answer.code) == (body, 400, "BLOB_UPLOAD_INVALID")


def test_an_upload_that_never_was_is_unknown_to_relays_too(app_client: AppClient) -> None:
    begin(app_client)
    said = {"first": 1, "count": 1, "before": 0, "after": 1, "state": "", "parts": [], "tail": None}
    for end in ("presigned", "parts"):
        answer = say(app_client, f"/v2/admin/app/blobs/uploads/x.y.z/{end}", said)

        assert (end, answer.status, answer.code) == (end, 404, "BLOB_UPLOAD_UNKNOWN")


def test_a_report_about_bytes_that_moved_meanwhile_is_out_of_order(app_client: AppClient) -> None:
    addresses = presigned(app_client, begin(app_client))
    report = {"before": 5, "after": 9, "state": addresses["state"], "parts": [], "tail": None}
    answer = say(app_client, f"/v2/admin/app/blobs/uploads/{addresses['upload']}/parts", report)

    assert (answer.status, answer.code) == (416, "BLOB_UPLOAD_INVALID")


def test_one_answer_has_no_more_addresses_than_the_limit(app_client: AppClient) -> None:
    assert len(presigned(app_client, begin(app_client), count=10_000)["parts"]) == 32


def test_a_closed_upload_gets_no_addresses(app_client: AppClient) -> None:
    location, token = begin(app_client), app_client.token("admin/app")
    app_client.ask("PUT", f"{location}?digest={Digest.of(b'x')}", token, b"x")
    answer = say(app_client, f"{location}/presigned", {"first": 0, "count": 1}, token)

    assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")


def ask(app_client: AppClient, target: str, document: Any, token: dict[str, str] | None = None) -> Answer:
    """Sends the request of a client without the relay's key, with the admin's token unless another is given."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return app_client.ask("POST", target, app_client.token("admin/app") if token is None else token, body)


def test_a_pusher_puts_a_blob_under_an_address_that_is_signed_with_its_checksum(app_client: AppClient) -> None:
    location, content = begin(app_client), os.urandom(100)
    said = {"digest": str(Digest.of(content)), "size": 100}
    addresses = ask(app_client, f"{location}/presigned", said).json()
    wrong = requests.put(addresses["address"], data=b"other bytes", headers=addresses["headers"], timeout=10)
    early = ask(app_client, f"{location}/complete", said)
    right = requests.put(addresses["address"], data=content, headers=addresses["headers"], timeout=10)
    done = ask(app_client, f"{location}/complete", said)

    assert addresses["way"] == "put"
    assert (wrong.status_code, early.status, early.code) == (400, 400, "BLOB_UPLOAD_INVALID")
    assert (right.status_code, done.status) == (200, 201)
    assert done.headers["location"] == f"/v2/admin/app/blobs/{Digest.of(content)}"
    assert done.headers["docker-content-digest"] == str(Digest.of(content))
    assert app_client.ask("HEAD", done.headers["location"], app_client.token("admin/app")).status == 307


@pytest.mark.parametrize("genuine", [True, False])
def test_a_blob_that_s3_cannot_verify_is_hashed_before_it_is_visible(app_client: AppClient, genuine: bool) -> None:
    location, content = begin(app_client), os.urandom(100)
    digest = Digest.of(content, "sha512")
    addresses = ask(app_client, f"{location}/presigned", {"digest": str(digest), "size": 100}).json()
    put = requests.put(addresses["parts"][0]["address"], data=content if genuine else bytes(100), timeout=10)
    said = {"digest": str(digest), "size": 100, "parts": [[1, put.headers["ETag"]]]}
    done = ask(app_client, f"{location}/complete", said)

    assert addresses["way"] == "parts"
    assert done.status == (201 if genuine else 400)
    assert genuine or done.code == "DIGEST_INVALID"
    status = app_client.ask("HEAD", f"/v2/admin/app/blobs/{digest}", app_client.token("admin/app")).status
    assert status == (307 if genuine else 404)


def test_whoever_may_not_push_gets_no_addresses(app_client: AppClient) -> None:
    location, said = begin(app_client), {"digest": str(Digest.of(b"")), "size": 0}
    for token in ({}, app_client.token("admin/app", actions="pull"), app_client.token("admin/other")):
        for end in ("presigned", "complete"):
            assert ask(app_client, f"{location}/{end}", said, token).status in (401, 403)


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


def test_an_invalid_body_of_a_pusher_is_refused(app_client: AppClient) -> None:
    codes = ("BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "SIZE_INVALID")
    token = app_client.token("admin/app")
    for name, body in WRONG.items():
        location = begin(app_client)
        ask(app_client, f"{location}/presigned", SAID, token)
        answer = ask(app_client, f"{location}/complete", body, token)

        assert answer.status in (400, 404), name
        assert answer.code in codes, name


def test_parts_are_presigned_from_the_first_to_the_last_that_s3_takes(app_client: AppClient) -> None:
    """S3 knows part numbers from 1 to 10,000."""
    location, token = begin(app_client), app_client.token("admin/app")
    for first in (0, -1, 10**6, "1", None, True, 1.5):
        answer = ask(app_client, f"{location}/presigned", SAID | {"first": first}, token)
        numbers = [part["number"] for part in answer.json()["parts"]] if answer.status == 200 else []

        assert answer.status in (200, 400), first
        assert all(1 <= number <= 10_000 for number in numbers), first


def hours_later(app_client: AppClient, told: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Returns the upload's path and the token from the last answer, two hours later."""
    app_client.backend.clock.ahead_s += 7200
    return f"/v2/admin/app/blobs/uploads/{told['upload']}", {"Authorization": f"Bearer {told['bearer']}"}


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_pusher_may_take_hours_for_one_blob(app_client: AppClient, algorithm: str) -> None:
    location, content, own = begin(app_client), os.urandom(100), app_client.token("admin/app")
    digest = Digest.of(content, algorithm)
    said = {"digest": str(digest), "size": 100}
    told = ask(app_client, f"{location}/presigned", said, own).json()
    address = told["address"] if told["way"] == "put" else told["parts"][0]["address"]
    put = requests.put(address, data=content, headers=told.get("headers", {}), timeout=10)
    later, lasting = hours_later(app_client, told)
    done = said | {"parts": [[1, put.headers["ETag"]]]}

    assert ask(app_client, f"{location}/complete", done, own).status == 401
    assert ask(app_client, f"{location}/complete", done, upload_token).status == 404
    assert ask(app_client, f"{later}/complete", done, upload_token).status == 201


def test_the_token_of_a_presigned_upload_is_for_that_upload_and_cannot_read(app_client: AppClient) -> None:
    location, said = begin(app_client), {"digest": str(Digest.of(b"x")), "size": 1}
    lasting = {"Authorization": f"Bearer {ask(app_client, f'{location}/presigned', said).json()['bearer']}"}

    assert app_client.ask("GET", "/v2/admin/app/tags/list", upload_token).status == 401
    assert app_client.ask("DELETE", "/v2/admin/app/manifests/1", upload_token).status in (401, 404)


def test_no_presigned_upload_prolongs_a_right_for_more_than_a_day(app_client: AppClient) -> None:
    location, said = begin(app_client), {"digest": str(Digest.of(b"x")), "size": 1}
    told = ask(app_client, f"{location}/presigned", said).json()
    for _ in range(11):
        later, lasting = hours_later(app_client, told)
        told = ask(app_client, f"{later}/presigned", said, lasting).json()
    later, lasting = hours_later(app_client, told)
    app_client.backend.clock.ahead_s += 60

    assert ask(app_client, f"{later}/presigned", said, lasting).status == 401


def test_a_pusher_who_lost_the_right_gets_no_blob(app_client: AppClient) -> None:
    app_client.backend.user("bob")
    a_repository(app_client.backend)
    an_actor_with_role(app_client.backend, "bob", Role.WRITE)
    own = app_client.token("admin/app", name="bob")
    location = app_client.ask("POST", "/v2/admin/app/blobs/uploads/", own).headers["location"]
    content = os.urandom(100)
    said = {"digest": str(Digest.of(content)), "size": 100}
    told = ask(app_client, f"{location}/presigned", said, own).json()
    requests.put(told["address"], data=content, headers=told["headers"], timeout=10)
    later, lasting = hours_later(app_client, told)
    an_actor_with_role(app_client.backend, "bob", Role.READ)

    assert ask(app_client, f"{later}/complete", body, upload_token).status in (401, 403)
    reading = app_client.token("admin/app", name="bob", actions="pull")
    assert app_client.ask("HEAD", f"/v2/admin/app/blobs/{Digest.of(content)}", reading).status == 404


def test_two_first_requests_at_once_leave_one_multipart_upload(app_client: AppClient) -> None:
    """The loser of the race gives up its own, of which nobody would know."""
    services, location = app_client.backend.services, begin(app_client)
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
