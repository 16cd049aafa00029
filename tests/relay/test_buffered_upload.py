"""`relay serve` without a key in front of a fake registry: the spool keeps bodies until their digest is known."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import requests

from tests.relay.client_requests import LARGE, MIB, OCTETS, begin, close, digest_of, in_chunks, patch, spool_files
from tests.relay.fake_registry import GOOD, FakeRegistry


@pytest.mark.parametrize("way", ["patch in chunks", "patch with a length", "put", "put in chunks", "post"])
def test_a_large_body_is_put_into_the_bucket_with_its_checksum(
    relay: str, fake: FakeRegistry, tmp_path: Path, way: str
) -> None:
    digest = digest_of(LARGE)
    if way == "post":
        location = f"http://{relay}/v2/carol/app/blobs/uploads/?digest={digest}"
        done = requests.post(location, data=LARGE, headers=OCTETS, timeout=60)
    elif way.startswith("put"):
        done = close(begin(relay), digest, in_chunks(LARGE) if "chunks" in way else LARGE)
    else:
        taken = patch(begin(relay), in_chunks(LARGE) if "chunks" in way else LARGE)
        assert taken.status_code == 202
        assert taken.headers["Range"] == f"0-{len(LARGE) - 1}"
        done = close(f"http://{relay}{taken.headers['Location']}", digest)

    assert done.status_code == 201, done.text
    assert done.headers["Docker-Content-Digest"] == digest
    assert fake.blobs[digest] == LARGE
    (put,) = fake.requests_to("PUT", "bucket")
    assert put.headers["x-amz-checksum-sha256"]
    assert "Authorization" not in put.headers
    assert spool_files(tmp_path) == []


def test_small_chunks_become_one_body(relay: str, fake: FakeRegistry, tmp_path: Path) -> None:
    location = begin(relay)
    for content in (b"one ", b"two ", b"three"):
        assert patch(location, iter([content])).status_code == 202
    done = close(location, digest_of(b"one two three"))

    assert done.status_code == 201
    assert [seen.body for seen in fake.requests_to("PUT", "uploads")] == [b"one two three"]
    assert spool_files(tmp_path) == []


def test_an_empty_blob_is_accepted(relay: str, fake: FakeRegistry) -> None:
    location = begin(relay)
    patch(location, iter([]))

    assert close(location, digest_of(b"")).status_code == 201
    assert fake.blobs[digest_of(b"")] == b""


def test_a_sha512_blob_is_sent_in_parts_two_at_once_and_closed_after_hashing(relay: str, fake: FakeRegistry) -> None:
    fake.hashing_rounds, fake.faults = 3, ["slow"] * 9
    digest = digest_of(LARGE, "sha512")
    location = f"http://{relay}/v2/carol/app/blobs/uploads/?digest={digest}"
    done = requests.post(location, data=in_chunks(LARGE), headers=OCTETS, timeout=60)

    assert done.status_code == 201, done.text
    assert fake.blobs[digest] == LARGE
    assert fake.most_at_once == 2
    assert [seen.target for seen in fake.requests_to("POST", "digest-algorithm")] == [
        "/v2/carol/app/blobs/uploads/?digest-algorithm=sha512"
    ]
    assert len(fake.requests_to("POST", "complete")) == 4


def test_bytes_that_do_not_match_the_digest_are_refused_and_removed(
    relay: str, fake: FakeRegistry, tmp_path: Path
) -> None:
    location = begin(relay)
    patch(location, LARGE)
    answer = close(location, digest_of(b"other"))

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "DIGEST_INVALID"
    assert digest_of(LARGE) in answer.json()["errors"][0]["message"]
    assert spool_files(tmp_path) == []
    assert not fake.requests_to("POST", "presigned")


def test_a_client_without_credentials_cannot_fill_the_disk(relay: str, tmp_path: Path) -> None:
    location = begin(relay)
    answer = requests.patch(location, data=in_chunks(LARGE), headers={}, timeout=30)

    assert answer.status_code == 401
    assert relay in answer.headers["WWW-Authenticate"]
    assert spool_files(tmp_path) == []


def test_an_unknown_upload_is_refused_with_the_registrys_response(relay: str) -> None:
    answer = patch(f"http://{relay}/v2/carol/app/blobs/uploads/never", LARGE)

    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == "BLOB_UPLOAD_UNKNOWN"


def test_a_cancelled_upload_is_removed_from_the_spool(relay: str, tmp_path: Path) -> None:
    location = begin(relay)
    patch(location, LARGE)

    assert requests.delete(location, headers=GOOD, timeout=10).status_code == 204
    assert spool_files(tmp_path) == []


def test_a_body_that_does_not_fit_the_disk_is_refused(
    relay: str, tmp_path: Path, messages: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("UsageLog", (), {"free": MIB})())
    answer = patch(begin(relay), LARGE)

    assert answer.status_code == 413
    assert "--spool" in answer.json()["errors"][0]["message"]
    assert "0.0 GB free" in messages.getvalue()
    assert spool_files(tmp_path) == []
