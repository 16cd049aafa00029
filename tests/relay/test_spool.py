"""The spool keeps bytes on disk until their digest is known."""

import hashlib
import io
import os
import threading
import time
from pathlib import Path

import pytest

from relay.errors import ClientLeft, RelayError
from relay.server import Body
from relay.spool import DiskFull, Spool, SpooledUpload

LOCATION = "/v2/a/b/blobs/uploads/one"
CONTENT = os.urandom(3_000_000)


def body(content: bytes, promised: int | None = None) -> Body:
    """Makes a body of `content`, whose announced length may be larger."""
    return Body(io.BufferedReader(io.BytesIO(content)), promised or len(content))


def ignore_count(_count: int) -> None:
    """Does nothing: nobody counts the bytes."""


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def begin_upload(spool: Spool, content: bytes = CONTENT) -> SpooledUpload:
    with spool.locked(LOCATION) as upload:
        upload.begin()
        upload.append(body(content), ignore_count)
        return upload


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_the_digest_covers_all_bodies_in_order(spool: Spool, algorithm: str) -> None:
    upload = begin_upload(spool)
    upload.append(body(b"more"), ignore_count)

    assert upload.size == len(CONTENT) + 4
    assert upload.digest(algorithm) == f"{algorithm}:{hashlib.new(algorithm, CONTENT + b'more').hexdigest()}"


def test_another_process_finds_the_bytes_and_their_digest(spool: Spool, tmp_path: Path) -> None:
    begin_upload(spool)
    spool.close()
    with Spool(tmp_path / "spool").locked(LOCATION) as upload:
        upload.append(body(b"more"), ignore_count)

        assert upload.digest("sha256") == f"sha256:{hashlib.sha256(CONTENT + b'more').hexdigest()}"


def test_an_interrupted_chunk_is_kept_and_an_interrupted_closing_body_is_removed(spool: Spool) -> None:
    upload = begin_upload(spool)
    with pytest.raises(ClientLeft):
        upload.append(body(b"some", 10), ignore_count)
    kept = upload.size
    with pytest.raises(ClientLeft):
        upload.append_last(body(b"other", 10), ignore_count)

    assert kept == len(CONTENT) + 4
    assert upload.size == kept
    assert upload.digest("sha256") == f"sha256:{hashlib.sha256(CONTENT + b'some').hexdigest()}"


def test_a_full_disk_drops_the_upload_and_names_a_remedy(spool: Spool, tmp_path: Path) -> None:
    with spool.locked(LOCATION) as upload:
        upload.path.symlink_to("/dev/full")
        with pytest.raises(DiskFull, match=r"is full: free some, .* --spool"):
            upload.append(body(CONTENT), ignore_count)

    assert [path.name for path in (tmp_path / "spool").iterdir()] == ["lock"]
    assert spool.size_of(LOCATION) is None


def test_two_relays_cannot_share_a_spool(spool: Spool, tmp_path: Path) -> None:
    with pytest.raises(RelayError, match="another relay"):
        Spool(tmp_path / "spool")


@pytest.mark.parametrize("location", ["/proc/nowhere", "/dev/null"])
def test_a_path_that_cannot_be_a_spool_is_refused_by_name(location: str) -> None:
    with pytest.raises(RelayError, match=f"the spool {location} cannot be used"):
        Spool(Path(location))


def test_abandoned_uploads_are_swept_and_those_in_use_are_not(spool: Spool, tmp_path: Path) -> None:
    begin_upload(spool)
    with spool.locked(LOCATION):
        assert spool.sweep(older_than_s=-1) == 0
    assert spool.sweep(older_than_s=3600) == 0
    assert spool.sweep(older_than_s=-1) == 1

    assert [path.name for path in (tmp_path / "spool").iterdir()] == ["lock"]
    with spool.locked(LOCATION) as upload:
        assert not upload.exists


def test_requests_for_one_upload_wait_for_each_other(spool: Spool) -> None:
    seen = []

    def second() -> None:
        with spool.locked(LOCATION) as upload:
            seen.append(upload.size)

    with spool.locked(LOCATION) as upload:
        upload.begin()
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.05)
        upload.append(body(b"first"), ignore_count)
    waiting.join(5)

    assert seen == [5]


def test_only_the_owner_can_read_the_spool(spool: Spool, tmp_path: Path) -> None:
    upload = begin_upload(spool)

    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0
    assert upload.path.stat().st_mode & 0o077 == 0
