"""The bucket: verified bytes, multipart uploads, presigned URLs, and missing objects."""

import os
import time

import pytest
import requests
from botocore.config import Config
from pynamodb.connection import Connection, TableConnection

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUploadInvalid, DigestInvalid, Unavailable
from chalicelib.domain.ids import ulid
from chalicelib.domain.uploads import SMALLEST_PART
from chalicelib.storage import objects as object_storage
from chalicelib.storage.objects import ObjectGone, ObjectStore
from tests.support.backends import BUCKET, Backend
from tests.support.rows import object_keys, open_multiparts


@pytest.fixture
def objects(backend: Backend) -> ObjectStore:
    return backend.services.stores.objects


def a_key() -> str:
    return f"in/{ulid()}/{ulid()}"


def an_object(objects: ObjectStore, content: bytes = b"0123456789", key: str = "") -> str:
    key = key or a_key()
    objects.put(key, content, Digest.of(content))
    return key


@pytest.mark.parametrize("content", [b"", b"bytes", os.urandom(3_000_000)], ids=len)
def test_bytes_are_read_at_once_and_in_chunks(objects: ObjectStore, content: bytes) -> None:
    key = an_object(objects, content)

    assert objects.get(key) == b"".join(objects.read(key)) == content
    assert objects.size(key) == len(content)
    assert objects.exists(key)


@pytest.mark.parametrize(("first", "last"), [(0, 0), (0, 9), (3, 5), (9, 9)])
def test_a_range_includes_both_ends(objects: ObjectStore, first: int, last: int) -> None:
    assert objects.get_range(an_object(objects), first, last) == b"0123456789"[first : last + 1]


def test_s3_rejects_bytes_that_do_not_match_their_digest(objects: ObjectStore) -> None:
    key = a_key()

    with pytest.raises(DigestInvalid):
        objects.put(key, b"other", Digest.of(b"bytes"))
    assert not objects.exists(key)


def test_s3_does_not_verify_a_sha512_digest(objects: ObjectStore) -> None:
    key = a_key()
    objects.put(key, b"bytes", Digest.of(b"bytes", "sha512"))

    assert objects.get(key) == b"bytes"


@pytest.mark.parametrize("method", ["get", "size"])
def test_reading_a_missing_object_raises_object_gone(objects: ObjectStore, method: str) -> None:
    with pytest.raises(ObjectGone):
        getattr(objects, method)(a_key())
    with pytest.raises(ObjectGone):
        objects.get_range(a_key(), 0, 1)
    with pytest.raises(ObjectGone):
        objects.read(a_key())
    assert not objects.exists(a_key())


def test_a_deleted_object_can_be_deleted_again(objects: ObjectStore) -> None:
    key = an_object(objects)
    objects.delete(key)
    objects.delete(key)

    assert not objects.exists(key)


def test_the_last_object_of_a_prefix_is_found_with_its_size(objects: ObjectStore) -> None:
    prefix = f"in/{ulid()}/sha256:aa/"
    for name, content in (("01B", b"newest"), ("01A", b"old"), ("00Z", b"oldest of all")):
        an_object(objects, content, prefix + name)
    an_object(objects, b"another digest's", prefix.replace("aa/", "ab/") + "02")

    assert objects.last(prefix) == (prefix + "01B", 6)
    assert objects.last(prefix.replace("aa/", "ac/")) is None


def test_parts_can_be_joined_repeatedly(backend: Backend, objects: ObjectStore) -> None:
    key, first = a_key(), os.urandom(SMALLEST_PART)
    identifier = objects.begin_parts(key)
    parts = [(1, objects.put_part(key, identifier, 1, first)), (2, objects.put_part(key, identifier, 2, b"tail"))]
    assert not objects.exists(key)

    for _ in range(2):
        objects.finish_parts(key, identifier, parts)

    assert objects.get(key) == first + b"tail"
    assert open_multiparts(backend, key) == []


def test_missing_parts_cannot_be_joined(objects: ObjectStore) -> None:
    key = a_key()
    identifier = objects.begin_parts(key)
    objects.put_part(key, identifier, 1, b"bytes")

    with pytest.raises(BlobUploadInvalid):
        objects.finish_parts(key, identifier, [(1, '"00000000000000000000000000000000"')])


def test_an_aborted_multipart_upload_is_gone(backend: Backend, objects: ObjectStore) -> None:
    key = a_key()
    identifier = objects.begin_parts(key)
    etag = objects.put_part(key, identifier, 1, b"bytes")
    for _ in range(2):
        objects.abort_parts(key, identifier)

    with pytest.raises(ObjectGone):
        objects.finish_parts(key, identifier, [(1, etag)])
    with pytest.raises(ObjectGone):
        objects.put_part(key, identifier, 2, b"more")
    assert object_keys(backend, key) == open_multiparts(backend, key) == []


def test_a_presigned_url_is_valid_only_for_its_method_and_key(objects: ObjectStore) -> None:
    key, other = an_object(objects), a_key()
    reading, writing = objects.address("get_object", key, 60), objects.address("put_object", other, 60)

    assert requests.get(reading, timeout=10).content == b"0123456789"
    assert requests.get(reading, timeout=10, headers={"Range": "bytes=2-3"}).content == b"23"
    assert requests.put(reading, data=b"x", timeout=10).status_code == 403
    assert requests.put(writing, data=b"put", timeout=10).status_code == 200
    assert objects.get(other) == b"put"
    assert requests.get(reading.replace(key, other), timeout=10).status_code == 403


def test_a_presigned_url_of_a_part_uploads_that_part(objects: ObjectStore) -> None:
    key = a_key()
    identifier = objects.begin_parts(key)
    address = objects.address("upload_part", key, 60, UploadId=identifier, PartNumber=1)
    etag = requests.put(address, data=b"part", timeout=10).headers["ETag"]
    objects.finish_parts(key, identifier, [(1, etag)])

    assert objects.get(key) == b"part"
    assert "partNumber=1&" in address + "&"


def test_a_presigned_url_contains_its_lifetime(objects: ObjectStore) -> None:
    assert "X-Amz-Expires=77" in objects.address("get_object", a_key(), 77)


def test_presigning_a_url_makes_no_call(backend: Backend, objects: ObjectStore) -> None:
    backend.calls.take()
    objects.address("get_object", a_key(), 60)

    assert backend.calls.take() == []


def test_a_bucket_that_does_not_answer_is_unavailable(backend: Backend, objects: ObjectStore) -> None:
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=1)
    store = ObjectStore(BUCKET, backend.services.stores.table)
    session = backend.services.stores.table.connection.session
    store.client = session.create_client("s3", endpoint_url="http://127.0.0.1:1", config=config)

    with pytest.raises(Unavailable):
        store.get(a_key())


def test_a_list_continues_over_pages_in_the_order_of_keys(
    objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_storage, "PAGE", 2)
    prefix = f"in/{ulid()}/"
    written = [an_object(objects, b"%d" % number, f"{prefix}{number}") for number in range(5)]

    pages = list(objects.pages(prefix))

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [entry.key for page in pages for entry in page] == written
    assert [entry.key for page in objects.pages(prefix, written[2]) for entry in page] == written[3:]
    assert objects.last(prefix) == (written[4], 1)
    assert pages[0][0].written_at == pytest.approx(time.time(), abs=30)


def test_many_objects_are_removed_whether_they_exist_or_not(objects: ObjectStore) -> None:
    written = [an_object(objects) for _ in range(3)]

    objects.delete_all([*written, a_key()])
    objects.delete_all(written)

    assert not any(objects.exists(key) for key in written)


def test_a_copy_never_replaces_an_object(objects: ObjectStore) -> None:
    source, target = an_object(objects, b"first"), a_key()
    objects.copy(source, target)
    objects.copy(an_object(objects, b"second"), target)

    assert objects.get(target) == b"first"


def test_on_aws_a_presigned_url_has_the_region_of_the_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    table = TableConnection("t")
    table.connection = Connection(region="eu-central-1")

    address = ObjectStore("a-bucket", table).address("get_object", "in/key", 60)

    assert address.startswith("https://a-bucket.s3.eu-central-1.amazonaws.com/in/key?")


def test_a_copy_of_a_missing_object_raises_object_gone(objects: ObjectStore) -> None:
    with pytest.raises(ObjectGone):
        objects.copy(a_key(), a_key())


def test_s3_returns_the_checksum_of_an_object(objects: ObjectStore) -> None:
    assert objects.sha256(an_object(objects, b"bytes")) == Digest.of(b"bytes").base64
