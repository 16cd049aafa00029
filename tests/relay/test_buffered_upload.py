"""Bytes that wait on a disk for their digest."""

import hashlib
import io
import os
import threading
import time
from pathlib import Path

import pytest
import requests

from relay.buffered_upload import DiskFull, Spool, Spooled
from relay.errors import Cut, RelayError
from relay.server import Body
from tests.relay.client_requests import LARGE, MIB, OCTETS, begin, close, digest_of, in_chunks, patch, spooled
from tests.relay.fake_registry import GOOD, Fake

PLACE = "/v2/a/b/blobs/uploads/one"
CONTENT = os.urandom(3_000_000)


def body(content: bytes, promised: int | None = None) -> Body:
    """A body of `content`, of which more may have been promised."""
    return Body(io.BufferedReader(io.BytesIO(content)), promised or len(content))  # type: ignore[arg-type]


def unwatched(_count: int) -> None:
    """Nobody counts."""


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def begun(spool: Spool, content: bytes = CONTENT) -> Spooled:
    with spool.held(PLACE) as spooled:
        spooled.begin()
        spooled.append(body(content), unwatched)
        return spooled


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_the_digest_is_that_of_all_bodies_in_their_order(spool: Spool, algorithm: str) -> None:
    spooled = begun(spool)
    spooled.append(body(b"more"), unwatched)

    assert spooled.size == len(CONTENT) + 4
    assert spooled.digest(algorithm) == f"{algorithm}:{hashlib.new(algorithm, CONTENT + b'more').hexdigest()}"


def test_another_process_finds_the_bytes_and_their_digest(spool: Spool, tmp_path: Path) -> None:
    begun(spool)
    spool.close()
    with Spool(tmp_path / "spool").held(PLACE) as spooled:
        spooled.append(body(b"more"), unwatched)

        assert spooled.digest("sha256") == f"sha256:{hashlib.sha256(CONTENT + b'more').hexdigest()}"


def test_a_body_that_is_cut_stays_and_one_that_closes_does_not(spool: Spool) -> None:
    spooled = begun(spool)
    with pytest.raises(Cut):
        spooled.append(body(b"some", 10), unwatched)
    kept = spooled.size
    with pytest.raises(Cut):
        spooled.append_whole(body(b"other", 10), unwatched)

    assert kept == len(CONTENT) + 4
    assert spooled.size == kept
    assert spooled.digest("sha256") == f"sha256:{hashlib.sha256(CONTENT + b'some').hexdigest()}"


def test_a_disk_that_fills_up_frees_what_came_and_says_what_to_do(spool: Spool, tmp_path: Path) -> None:
    with spool.held(PLACE) as spooled:
        spooled.path.symlink_to("/dev/full")
        with pytest.raises(DiskFull, match=r"is full: free some, .* --spool"):
            spooled.append(body(CONTENT), unwatched)

    assert [path.name for path in (tmp_path / "spool").iterdir()] == ["lock"]
    assert spool.size_of(PLACE) is None


def test_one_relay_has_a_spool_to_itself(spool: Spool, tmp_path: Path) -> None:
    with pytest.raises(RelayError, match="another relay"):
        Spool(tmp_path / "spool")


@pytest.mark.parametrize("place", ["/proc/nowhere", "/dev/null"])
def test_a_place_that_is_no_directory_is_refused_by_name(place: str) -> None:
    with pytest.raises(RelayError, match=f"the spool {place} cannot be used"):
        Spool(Path(place))


def test_what_nobody_came_back_to_is_swept_and_what_is_in_work_is_not(spool: Spool, tmp_path: Path) -> None:
    begun(spool)
    with spool.held(PLACE):
        assert spool.sweep(older_than_s=-1) == 0
    assert spool.sweep(older_than_s=3600) == 0
    assert spool.sweep(older_than_s=-1) == 1

    assert [path.name for path in (tmp_path / "spool").iterdir()] == ["lock"]
    with spool.held(PLACE) as spooled:
        assert not spooled.exists


def test_requests_for_one_upload_wait_for_each_other(spool: Spool) -> None:
    seen = []

    def second() -> None:
        with spool.held(PLACE) as spooled:
            seen.append(spooled.size)

    with spool.held(PLACE) as spooled:
        spooled.begin()
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.05)
        spooled.append(body(b"first"), unwatched)
    waiting.join(5)

    assert seen == [5]


def test_only_its_owner_reads_the_spool(spool: Spool, tmp_path: Path) -> None:
    spooled = begun(spool)

    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0
    assert spooled.path.stat().st_mode & 0o077 == 0


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
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": MIB})())
    answer = patch(begin(relay), LARGE)

    assert answer.status_code == 413
    assert "--spool" in answer.json()["errors"][0]["message"]
    assert "0.0 GB free" in told.getvalue()
    assert spooled(tmp_path) == []
