"""`relay serve` in front of a fake registry: what passes, what is spooled, and what becomes of cuts."""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.relay.clients import LARGE, MIB, OCTETS, begin, close, digest_of, in_chunks, patch, spooled
from tests.relay.fakes import GOOD, PASSWORD, USER, Fake, running

# What is passed on


def test_the_challenge_leads_to_the_relay_and_the_token_comes_through_it(relay: str, fake: Fake) -> None:
    challenge = requests.get(f"http://{relay}/v2/", timeout=10).headers["WWW-Authenticate"]
    answer = requests.get(f"http://{relay}/v2/auth?service=fake", auth=(USER, PASSWORD), timeout=10)

    assert challenge == f'Bearer realm="http://{relay}/v2/auth",service="fake"'
    assert answer.json()["token"] == "good"


def test_an_upload_begins_at_the_relays_address(relay: str) -> None:
    assert begin(relay).startswith(f"http://{relay}/v2/carol/app/blobs/uploads/")


def test_a_redirect_to_a_blob_is_handed_on_untouched(relay: str, fake: Fake) -> None:
    fake.blobs["sha256:1"] = b""
    answer = requests.get(f"http://{relay}/v2/a/b/blobs/sha256:1", headers=GOOD, timeout=10, allow_redirects=False)

    assert answer.status_code == 307
    assert answer.headers["Location"] == f"{fake.url}/bucket/blob?X-Amz-Signature=%2Babc"


def test_path_query_and_headers_go_through_as_they_came(relay: str, fake: Fake) -> None:
    connection = http.client.HTTPConnection(relay)
    connection.putrequest("GET", "/v2/a%2Fb/x?last=%7e1&n=2&n=3", skip_accept_encoding=True)
    for name, value in (*GOOD.items(), ("Accept", "a/b"), ("Accept", "c/d"), ("Connection", "X-Mine"), ("X-Mine", "1")):
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()

    assert answer.headers["X-Echo"] == "/v2/a%2Fb/x?last=%7E1&n=2&n=3"
    assert answer.read() == b"hello"
    assert fake.seen[-1].headers["Accept"] == "a/b, c/d"
    assert fake.seen[-1].headers["Host"] == fake.url.removeprefix("http://")
    assert "X-Mine" not in fake.seen[-1].headers


def test_a_manifest_and_a_small_blob_are_passed_on_as_they_are(relay: str, fake: Fake) -> None:
    kind = {**GOOD, "Content-Type": "application/vnd.oci.image.manifest.v1+json"}
    put = requests.put(f"http://{relay}/v2/a/b/manifests/1", data=b"{}", headers=kind, timeout=10)

    assert put.status_code == 201
    assert fake.manifests["1"] == (kind["Content-Type"], b"{}")
    assert close(begin(relay), digest_of(b"small"), b"small").status_code == 201
    assert fake.blobs[digest_of(b"small")] == b"small"
    assert not fake.asked("POST", "grants")


def test_an_answer_in_chunks_reaches_the_client_chunk_by_chunk(make_relay: Callable[..., str]) -> None:
    """The registry sends its second chunk only after the client has the first."""
    go_on = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n5\r\nfirst\r\n")
            assert go_on.wait(10)
            connection.sendall(b"6\r\nsecond\r\n0\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        relay = make_relay(f"http://127.0.0.1:{listening.getsockname()[1]}")
        answer = requests.get(f"http://{relay}/v2/x", timeout=10, stream=True)
        chunks = answer.raw.read_chunked()
        first = next(chunks)
        go_on.set()

        assert first == b"first"
        assert list(chunks) == [b"second"]


def test_a_registry_that_comes_back_is_waited_for(make_relay: Callable[..., str]) -> None:
    with running(Fake()) as gone:
        port = int(gone.url.rpartition(":")[2])
    relay, answers = make_relay(gone.url), []
    asking = threading.Thread(target=lambda: answers.append(requests.get(f"http://{relay}/v2/", timeout=30)))
    asking.start()
    time.sleep(0.5)
    with running(Fake(), port):
        asking.join(20)

    assert [answer.status_code for answer in answers] == [401]


def test_a_registry_that_stays_away_is_told_of_in_a_sentence(make_relay: Callable[..., str]) -> None:
    with running(Fake()) as gone:
        pass
    answer = requests.get(f"http://{make_relay(gone.url, patience_s=0.1)}/v2/", timeout=30)

    assert answer.status_code == 503
    assert "does not answer" in answer.json()["errors"][0]["message"]


# What is spooled


@pytest.mark.parametrize("way", ["patch in chunks", "patch with a length", "put", "put in chunks", "post"])
def test_a_large_body_goes_to_the_bucket_by_its_digest(relay: str, fake: Fake, tmp_path: Path, way: str) -> None:
    digest = digest_of(LARGE)
    if way == "post":
        place = f"http://{relay}/v2/carol/app/blobs/uploads/?digest={digest}"
        done = requests.post(place, data=LARGE, headers=OCTETS, timeout=60)
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
    (put,) = fake.asked("PUT", "bucket")
    assert put.headers["x-amz-checksum-sha256"]
    assert "Authorization" not in put.headers
    assert spooled(tmp_path) == []


def test_small_chunks_become_one_body(relay: str, fake: Fake, tmp_path: Path) -> None:
    place = begin(relay)
    for content in (b"one ", b"two ", b"three"):
        assert patch(place, iter([content])).status_code == 202
    done = close(place, digest_of(b"one two three"))

    assert done.status_code == 201
    assert [seen.body for seen in fake.asked("PUT", "uploads")] == [b"one two three"]
    assert spooled(tmp_path) == []


def test_an_empty_blob_is_a_blob(relay: str, fake: Fake) -> None:
    place = begin(relay)
    patch(place, iter([]))

    assert close(place, digest_of(b"")).status_code == 201
    assert fake.blobs[digest_of(b"")] == b""


def test_what_s3_cannot_check_goes_in_parts_two_at_once_and_waits_until_it_is_hashed(relay: str, fake: Fake) -> None:
    fake.hashing_rounds, fake.faults = 3, ["slow"] * 9
    digest = digest_of(LARGE, "sha512")
    place = f"http://{relay}/v2/carol/app/blobs/uploads/?digest={digest}"
    done = requests.post(place, data=in_chunks(LARGE), headers=OCTETS, timeout=60)

    assert done.status_code == 201, done.text
    assert fake.blobs[digest] == LARGE
    assert fake.most_at_once == 2
    assert [seen.target for seen in fake.asked("POST", "digest-algorithm")] == [
        "/v2/carol/app/blobs/uploads/?digest-algorithm=sha512"
    ]
    assert len(fake.asked("POST", "complete")) == 4


def test_other_bytes_than_the_digests_are_refused_and_freed(relay: str, fake: Fake, tmp_path: Path) -> None:
    place = begin(relay)
    patch(place, LARGE)
    answer = close(place, digest_of(b"other"))

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "DIGEST_INVALID"
    assert digest_of(LARGE) in answer.json()["errors"][0]["message"]
    assert spooled(tmp_path) == []
    assert not fake.asked("POST", "grants")


def test_a_stranger_fills_no_disk(relay: str, tmp_path: Path) -> None:
    place = begin(relay)
    answer = requests.patch(place, data=in_chunks(LARGE), headers={}, timeout=30)

    assert answer.status_code == 401
    assert relay in answer.headers["WWW-Authenticate"]
    assert spooled(tmp_path) == []


def test_an_upload_that_the_registry_does_not_know_is_refused_in_its_words(relay: str) -> None:
    answer = patch(f"http://{relay}/v2/carol/app/blobs/uploads/never", LARGE)

    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == "BLOB_UPLOAD_UNKNOWN"


def test_a_cancelled_upload_leaves_nothing(relay: str, tmp_path: Path) -> None:
    place = begin(relay)
    patch(place, LARGE)

    assert requests.delete(place, headers=GOOD, timeout=10).status_code == 204
    assert spooled(tmp_path) == []


def test_a_full_disk_is_told_before_a_body_that_will_not_fit(
    relay: str, tmp_path: Path, told: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("UsageLog", (), {"free": MIB})())
    answer = patch(begin(relay), LARGE)

    assert answer.status_code == 413
    assert "--spool" in answer.json()["errors"][0]["message"]
    assert "0.0 GB free" in told.getvalue()
    assert spooled(tmp_path) == []
