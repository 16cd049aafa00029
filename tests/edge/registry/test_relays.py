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


def granted(app_client: AppClient, location: str, first: int = 0, count: int = 2) -> dict[str, Any]:
    answer = as_relay(
        app_client, f"{location}/presigned", {"first": first, "count": count}, app_client.token("admin/app")
    )
    assert answer.status == 200
    document: dict[str, Any] = answer.json()
    return document


def test_a_relay_uploads_a_blob_as_a_part_and_a_tail(app_client: AppClient) -> None:
    content, token = os.urandom(6 * MEBIBYTE), app_client.token("admin/app")
    grant = granted(app_client, begin(app_client))
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
    stored = as_relay(app_client, f"/v2/admin/app/blobs/uploads/{grant['upload']}/parts", report)
    digest = Digest.of(content)

    assert (stored.status, stored.json()["offset"]) == (200, len(content))
    assert app_client.ask("PUT", f"{stored.json()['location']}?digest={digest}", token).status == 201
    address = app_client.ask("GET", f"/v2/admin/app/blobs/{digest}", token).headers["location"]
    assert requests.get(address, timeout=30).content == content


def test_the_first_parts_of_a_body_need_the_pusher_s_right_beside_the_signature(app_client: AppClient) -> None:
    path, body = f"{begin(app_client)}/presigned", {"first": 0, "count": 1}
    for token in ({}, app_client.token("admin/app", actions="pull"), app_client.token("admin/other")):
        assert as_relay(app_client, path, body, token).status in (401, 403)

    assert as_relay(app_client, path, body, app_client.token("admin/app")).status == 200


def test_later_parts_need_only_the_signature_since_bodies_outlast_tokens(app_client: AppClient) -> None:
    upload = granted(app_client, begin(app_client))["upload"]
    answer = as_relay(app_client, f"/v2/admin/app/blobs/uploads/{upload}/presigned", {"first": 3, "count": 2})

    assert [part["number"] for part in answer.json()["parts"]] == [3, 4]


def test_only_the_relay_s_signature_is_accepted(app_client: AppClient) -> None:
    location, token = begin(app_client), app_client.token("admin/app")
    for end, signature in itertools.product(("presigned", "parts"), ("x", "0" * 64, "\xe9")):
        answer = as_relay(app_client, f"{location}/{end}", {"first": 0, "count": 1}, token, signature)

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

        assert (
            as_relay(app_client, f"{location}/presigned", body, app_client.token("admin/app"), signature).code
            == "DENIED"
        )


def test_a_relay_s_body_that_is_not_json_is_refused(app_client: AppClient) -> None:
    location = begin(app_client)
    for body in (b"", b"{", b"\xff"):
        answer = as_relay(app_client, f"{location}/parts", body)

        assert (body, answer.status, answer.code) == (body, 400, "BLOB_UPLOAD_INVALID")


def test_an_upload_that_never_existed_is_unknown_to_relays_too(app_client: AppClient) -> None:
    begin(app_client)
    body = {"first": 1, "count": 1, "before": 0, "after": 1, "state": "", "parts": [], "tail": None}
    for end in ("presigned", "parts"):
        answer = as_relay(app_client, f"/v2/admin/app/blobs/uploads/x.y.z/{end}", body)

        assert (end, answer.status, answer.code) == (end, 404, "BLOB_UPLOAD_UNKNOWN")


def test_a_report_from_a_stale_offset_is_out_of_order(app_client: AppClient) -> None:
    grant = granted(app_client, begin(app_client))
    report = {"before": 5, "after": 9, "state": grant["state"], "parts": [], "tail": None}
    answer = as_relay(app_client, f"/v2/admin/app/blobs/uploads/{grant['upload']}/parts", report)

    assert (answer.status, answer.code) == (416, "BLOB_UPLOAD_INVALID")


def test_the_number_of_parts_in_one_request_is_limited(app_client: AppClient) -> None:
    assert len(granted(app_client, begin(app_client), count=10_000)["parts"]) == 32


def test_a_closed_upload_gets_no_presigned_urls(app_client: AppClient) -> None:
    location, token = begin(app_client), app_client.token("admin/app")
    app_client.ask("PUT", f"{location}?digest={Digest.of(b'x')}", token, b"x")
    answer = as_relay(app_client, f"{location}/presigned", {"first": 0, "count": 1}, token)

    assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")


def ask(app_client: AppClient, target: str, document: Any, token: dict[str, str] | None = None) -> Answer:
    """Sends the request of a client without the relay's key, with the admin's token unless another is given."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return app_client.ask("POST", target, app_client.token("admin/app") if token is None else token, body)


def test_a_pusher_puts_a_blob_at_a_url_presigned_with_its_checksum(app_client: AppClient) -> None:
    location, content = begin(app_client), os.urandom(100)
    body = {"digest": str(Digest.of(content)), "size": 100}
    grant = ask(app_client, f"{location}/presigned", body).json()
    wrong = requests.put(grant["address"], data=b"other bytes", headers=grant["headers"], timeout=10)
    early = ask(app_client, f"{location}/complete", body)
    right = requests.put(grant["address"], data=content, headers=grant["headers"], timeout=10)
    done = ask(app_client, f"{location}/complete", body)

    assert grant["way"] == "put"
    assert (wrong.status_code, early.status, early.code) == (400, 400, "BLOB_UPLOAD_INVALID")
    assert (right.status_code, done.status) == (200, 201)
    assert done.headers["location"] == f"/v2/admin/app/blobs/{Digest.of(content)}"
    assert done.headers["docker-content-digest"] == str(Digest.of(content))
    assert app_client.ask("HEAD", done.headers["location"], app_client.token("admin/app")).status == 307


@pytest.mark.parametrize("genuine", [True, False])
def test_a_blob_that_s3_cannot_verify_is_hashed_before_it_is_visible(app_client: AppClient, genuine: bool) -> None:
    location, content = begin(app_client), os.urandom(100)
    digest = Digest.of(content, "sha512")
    grant = ask(app_client, f"{location}/presigned", {"digest": str(digest), "size": 100}).json()
    put = requests.put(grant["parts"][0]["address"], data=content if genuine else bytes(100), timeout=10)
    body = {"digest": str(digest), "size": 100, "parts": [[1, put.headers["ETag"]]]}
    done = ask(app_client, f"{location}/complete", body)

    assert grant["way"] == "parts"
    assert done.status == (201 if genuine else 400)
    assert genuine or done.code == "DIGEST_INVALID"
    status = app_client.ask("HEAD", f"/v2/admin/app/blobs/{digest}", app_client.token("admin/app")).status
    assert status == (307 if genuine else 404)


def test_a_caller_who_may_not_push_gets_no_presigned_urls(app_client: AppClient) -> None:
    location, body = begin(app_client), {"digest": str(Digest.of(b"")), "size": 0}
    for token in ({}, app_client.token("admin/app", actions="pull"), app_client.token("admin/other")):
        for end in ("presigned", "complete"):
            assert ask(app_client, f"{location}/{end}", body, token).status in (401, 403)


SAID = {"digest": str(Digest.of(b"", "sha512")), "size": 5, "parts": [[1, "x"]]}
WRONG = {
    "no json": b"{",
    "1,000 levels": json.dumps(SAID).encode()[:-1] + b',"x":' + b"[" * 1000 + b"]" * 1000 + b"}",
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


def test_parts_are_presigned_from_the_first_to_the_largest_number(app_client: AppClient) -> None:
    """S3 accepts part numbers from 1 to 10,000."""
    location, token = begin(app_client), app_client.token("admin/app")
    for first in (0, -1, 10**6, "1", None, True, 1.5):
        answer = ask(app_client, f"{location}/presigned", SAID | {"first": first}, token)
        granted_numbers = [part["number"] for part in answer.json()["parts"]] if answer.status == 200 else []

        assert answer.status in (200, 400), first
        assert all(1 <= number <= 10_000 for number in granted_numbers), first


def hours_later(app_client: AppClient, urls: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Moves the clock by two hours and returns the location and the token of the last answer."""
    app_client.backend.clock.ahead_s += 7200
    return f"/v2/admin/app/blobs/uploads/{urls['upload']}", {"Authorization": f"Bearer {urls['bearer']}"}


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_pusher_may_take_hours_for_one_blob(app_client: AppClient, algorithm: str) -> None:
    location, content, own = begin(app_client), os.urandom(100), app_client.token("admin/app")
    digest = Digest.of(content, algorithm)
    body = {"digest": str(digest), "size": 100}
    urls = ask(app_client, f"{location}/presigned", body, own).json()
    address = urls["address"] if urls["way"] == "put" else urls["parts"][0]["address"]
    put = requests.put(address, data=content, headers=urls.get("headers", {}), timeout=10)
    later, upload_token = hours_later(app_client, urls)
    done = body | {"parts": [[1, put.headers["ETag"]]]}

    assert ask(app_client, f"{location}/complete", done, own).status == 401
    assert ask(app_client, f"{location}/complete", done, upload_token).status == 404
    assert ask(app_client, f"{later}/complete", done, upload_token).status == 201


def test_the_token_of_an_upload_is_valid_for_that_upload_only(app_client: AppClient) -> None:
    location, body = begin(app_client), {"digest": str(Digest.of(b"x")), "size": 1}
    upload_token = {"Authorization": f"Bearer {ask(app_client, f'{location}/presigned', body).json()['bearer']}"}

    assert app_client.ask("GET", "/v2/admin/app/tags/list", upload_token).status == 401
    assert app_client.ask("DELETE", "/v2/admin/app/manifests/1", upload_token).status in (401, 404)


def test_a_right_is_prolonged_for_at_most_a_day(app_client: AppClient) -> None:
    location, body = begin(app_client), {"digest": str(Digest.of(b"x")), "size": 1}
    urls = ask(app_client, f"{location}/presigned", body).json()
    for _ in range(11):
        later, upload_token = hours_later(app_client, urls)
        urls = ask(app_client, f"{later}/presigned", body, upload_token).json()
    later, upload_token = hours_later(app_client, urls)
    app_client.backend.clock.ahead_s += 60

    assert ask(app_client, f"{later}/presigned", body, upload_token).status == 401


def test_a_pusher_who_lost_the_right_gets_no_blob(app_client: AppClient) -> None:
    app_client.backend.user("bob")
    a_repository(app_client.backend)
    an_actor_with_role(app_client.backend, "bob", Role.WRITE)
    own = app_client.token("admin/app", name="bob")
    location = app_client.ask("POST", "/v2/admin/app/blobs/uploads/", own).headers["location"]
    content = os.urandom(100)
    body = {"digest": str(Digest.of(content)), "size": 100}
    urls = ask(app_client, f"{location}/presigned", body, own).json()
    requests.put(urls["address"], data=content, headers=urls["headers"], timeout=10)
    later, upload_token = hours_later(app_client, urls)
    an_actor_with_role(app_client.backend, "bob", Role.READ)

    assert ask(app_client, f"{later}/complete", body, upload_token).status in (401, 403)
    reading = app_client.token("admin/app", name="bob", actions="pull")
    assert app_client.ask("HEAD", f"/v2/admin/app/blobs/{Digest.of(content)}", reading).status == 404


def test_two_first_requests_at_once_leave_one_multipart_upload(app_client: AppClient) -> None:
    """The loser of the race aborts its own multipart upload, which would be orphaned."""
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


def test_the_token_of_an_upload_neither_pushes_nor_deletes_nor_becomes_another_blob(app_client: AppClient) -> None:
    location, body = begin(app_client), {"digest": str(Digest.of(b"x")), "size": 1}
    bearer = ask(app_client, f"{location}/presigned", body).json()["bearer"]
    upload_token = {"Authorization": f"Bearer {bearer}"}
    other = {"digest": str(Digest.of(b"y")), "size": 1}

    assert (
        app_client.ask("POST", f"/v2/admin/app/blobs/uploads/?digest={Digest.of(b'y')}", upload_token, b"y").status
        == 401
    )
    assert app_client.ask("POST", "/v2/admin/app/blobs/uploads/", upload_token).status == 401
    assert app_client.ask("PUT", "/v2/admin/app/manifests/1", upload_token, b"{}").status == 401
    assert app_client.ask("DELETE", f"/v2/admin/app/blobs/{Digest.of(b'x')}", upload_token).status == 401
    for end in ("presigned", "complete"):
        assert ask(app_client, f"{location}/{end}", other, upload_token).status == 401
        assert ask(app_client, f"{begin(app_client)}/{end}", body, upload_token).status == 401
