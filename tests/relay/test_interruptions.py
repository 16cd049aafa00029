"""`relay serve` in front of a fake registry: interrupted requests and failures of the bucket."""

from __future__ import annotations

import http.client
import threading
import time
from pathlib import Path

import pytest

from tests.relay.client_requests import (
    LARGE,
    MIB,
    begin,
    close,
    cut_patch,
    digest_of,
    patch,
    spool_files,
    wait_for_offset,
)
from tests.relay.fake_registry import GOOD, FakeRegistry


def test_a_client_that_disconnected_can_continue_its_upload(relay: str, fake: FakeRegistry) -> None:
    location, half = begin(relay), len(LARGE) // 2
    cut_patch(relay, location, LARGE[:half], len(LARGE))
    location = f"http://{relay}{wait_for_offset(location, half).headers['Location']}"

    wrong = patch(location, LARGE[half:], **{"Content-Range": f"{half + 1}-{len(LARGE)}"})
    short = patch(location, LARGE[half:-1], **{"Content-Range": f"{half}-{len(LARGE) - 1}"})
    right = patch(location, LARGE[half:], **{"Content-Range": f"{half}-{len(LARGE) - 1}"})

    assert short.status_code == 400
    assert short.json()["errors"][0]["code"] == "SIZE_INVALID"
    assert wrong.status_code == 416
    assert wrong.headers["Range"] == f"0-{half - 1}"
    assert right.status_code == 202
    assert close(location, digest_of(LARGE)).status_code == 201
    assert fake.blobs[digest_of(LARGE)] == LARGE


def test_an_interrupted_put_is_discarded_and_can_be_repeated(relay: str, fake: FakeRegistry) -> None:
    location = begin(relay)
    connection = http.client.HTTPConnection(relay)
    connection.putrequest("PUT", f"{location.partition(relay)[2]}?digest={digest_of(LARGE)}")
    connection.putheader("Content-Length", str(len(LARGE)))
    connection.putheader(*next(iter(GOOD.items())))
    connection.endheaders(LARGE[: 5 * MIB])
    connection.close()

    assert close(location, digest_of(LARGE), LARGE).status_code == 201
    assert fake.blobs[digest_of(LARGE)] == LARGE


@pytest.mark.parametrize("fault", ["cut", "503", "403"])
def test_a_failed_put_into_the_bucket_is_retried(relay: str, fake: FakeRegistry, fault: str) -> None:
    fake.faults = [fault, fault]
    location = begin(relay)
    patch(location, LARGE)

    assert close(location, digest_of(LARGE)).status_code == 201
    assert fake.blobs[digest_of(LARGE)] == LARGE
    assert len(fake.requests_to("POST", "presigned")) == 3


def test_only_failed_parts_are_sent_again(relay: str, fake: FakeRegistry) -> None:
    fake.largest_put, fake.faults = 0, ["", "500", "", "cut"]
    location = begin(relay)
    patch(location, LARGE)

    assert close(location, digest_of(LARGE)).status_code == 201
    assert fake.blobs[digest_of(LARGE)] == LARGE
    assert len(fake.requests_to("PUT", "bucket")) == 9 + 1


def test_the_upload_fails_when_the_bucket_refuses_every_address(relay: str, fake: FakeRegistry, tmp_path: Path) -> None:
    fake.faults = ["403"] * 9
    location = begin(relay)
    patch(location, LARGE)
    answer = close(location, digest_of(LARGE))

    assert answer.status_code == 503
    assert "clock" in answer.json()["errors"][0]["message"]
    assert len(spool_files(tmp_path)) == 2


def test_after_an_expired_token_no_bytes_are_sent_twice(relay: str, fake: FakeRegistry) -> None:
    location = begin(relay)
    patch(location, LARGE)
    error_response = (401, {"WWW-Authenticate": f'Bearer realm="{fake.url}/v2/auth",service="fake"'}, b"{}")
    fake.plan("POST", location.partition(relay)[2] + "/complete", error_response)
    refused, again = close(location, digest_of(LARGE)), close(location, digest_of(LARGE))

    assert refused.status_code == 401
    assert f"http://{relay}/v2/auth" in refused.headers["WWW-Authenticate"]
    assert again.status_code == 201
    assert len(fake.requests_to("PUT", "bucket")) == 1


def test_a_client_that_timed_out_gets_the_response_of_its_first_request(relay: str, fake: FakeRegistry) -> None:
    """containerd waits 30 seconds for the response to its PUT, and then sends the whole body again."""
    fake.faults = ["slow"]
    location, digest, answers = begin(relay), digest_of(LARGE), []
    impatient = threading.Thread(target=lambda: answers.append(close(location, digest, LARGE)))
    impatient.start()
    time.sleep(0.15)
    again = close(location, digest, LARGE)
    impatient.join(20)

    assert again.status_code == 201
    assert [answer.status_code for answer in answers] == [201]
    assert len(fake.requests_to("PUT", "bucket")) == 1
    assert fake.blobs[digest] == LARGE


def test_a_repeated_closing_put_gets_the_same_response(relay: str, fake: FakeRegistry) -> None:
    location = begin(relay)
    patch(location, LARGE)
    first, second = close(location, digest_of(LARGE)), close(location, digest_of(LARGE))

    assert (first.status_code, second.status_code) == (201, 201)
    assert not fake.requests_to("PUT", "uploads")
