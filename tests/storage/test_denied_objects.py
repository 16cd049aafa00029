"""What the registry makes of AccessDenied: S3 answers it for a missing object to roles that may not list the bucket."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from pynamodb.connection import TableConnection

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.ids import ulid
from chalicelib.storage.objects import BucketRefused, ObjectGone, ObjectStore
from infra.emulator.emulator import Emulator
from tests.support.emulation import Cloud, client, emulators_python, unique
from tests.support.fake_server import FakeServer, respond

ALL = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")


class Bucket:
    """A bucket in an account that enforces IAM."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.name = cloud, cloud.bucket()

    def store(self, actions: Sequence[str] = ALL, prefixes: Sequence[str] = ("in/*",)) -> ObjectStore:
        """Returns the bucket as somebody sees it who may do this below `in/` and may list these prefixes."""
        name, place = unique("role"), f"arn:aws:s3:::{self.name}"
        listing: Mapping[str, Any] = {"Condition": {"StringLike": {"s3:prefix": list(prefixes)}}}
        statements = [
            {"Effect": "Allow", "Action": list(actions), "Resource": f"{place}/in/*"},
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": place, **listing},
        ]
        self.cloud.iam.create_user(UserName=name)
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.cloud.iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=policy)
        key = self.cloud.iam.create_access_key(UserName=name)["AccessKey"]
        store = ObjectStore(self.name, TableConnection("none"))
        store.client = store.slow_client = self.cloud.with_key(key["AccessKeyId"], key["SecretAccessKey"]).s3
        return store

    def put(self, key: str, content: bytes = b"bytes") -> str:
        """Writes an object as the account's owner."""
        self.cloud.s3.put_object(Bucket=self.name, Key=key, Body=content)
        return key


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with Emulator(tmp_path_factory.mktemp("aws"), auth=True, python=emulators_python()) as emulator:
        yield Bucket(Cloud(emulator))


def a_key() -> str:
    return f"in/{ulid()}/{ulid()}"


READS: dict[str, Callable[[ObjectStore, str], object]] = {
    "get": lambda objects, key: objects.get(key),
    "get_range": lambda objects, key: objects.get_range(key, 0, 1),
    "read": lambda objects, key: list(objects.read(key)),
    "size": lambda objects, key: objects.size(key),
    "sha256": lambda objects, key: objects.sha256(key),
    "copy": lambda objects, key: objects.copy(key, a_key()),
}


@pytest.mark.parametrize("read", READS)
def test_a_missing_object_is_gone_for_a_role_that_may_list_its_prefix_only(bucket: Bucket, read: str) -> None:
    key = a_key()
    bucket.put(f"{key}-another-one-that-begins-like-it")

    with pytest.raises(ObjectGone):
        READS[read](bucket.store(), key)
    assert not bucket.store().exists(key)


@pytest.mark.parametrize("read", READS)
def test_an_object_that_is_there_and_denied_is_a_broken_policy_and_not_gone(bucket: Bucket, read: str) -> None:
    key = bucket.put(a_key())
    blind = bucket.store(actions=("s3:PutObject",))

    with pytest.raises(BucketRefused, match=f"AccessDenied to [a-z_]+_object of {key}.*permissions.tf"):
        READS[read](blind, key)
    with pytest.raises(BucketRefused):
        blind.exists(key)


@pytest.mark.parametrize("read", READS)
def test_a_missing_object_of_a_prefix_that_may_not_be_listed_is_a_broken_policy(bucket: Bucket, read: str) -> None:
    with pytest.raises(BucketRefused, match="AccessDenied to list_objects_v2 of in/"):
        READS[read](bucket.store(prefixes=("bodies/*",)), a_key())


def test_a_write_that_is_denied_is_a_broken_policy(bucket: Bucket) -> None:
    key = a_key()

    with pytest.raises(BucketRefused, match=f"AccessDenied to put_object of {key}"):
        bucket.store(actions=("s3:GetObject",)).put(key, b"bytes", Digest.of(b"bytes"))
    with pytest.raises(BucketRefused, match=f"AccessDenied to delete_object of {key}"):
        bucket.store(actions=("s3:GetObject",)).delete(key)


@pytest.mark.parametrize(("code", "error"), [("AccessDenied", BucketRefused), ("InternalError", Unavailable)])
def test_a_deletion_of_many_of_which_one_failed_says_why(code: str, error: type[Exception]) -> None:
    """The emulator refuses such a call as a whole. https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""
    failed = f"<Error><Key>bodies/a</Key><Code>{code}</Code><Message>no</Message></Error>"
    result = f'<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{failed}</DeleteResult>'
    with FakeServer(lambda handler: respond(handler, result.encode())).running() as server:
        store = ObjectStore("bucket", TableConnection("none"))
        store.client = client(server.url, "s3")

        with pytest.raises(error, match=code):
            store.delete_all(["in/a", "bodies/a"])


def test_a_deletion_of_many_that_is_denied_as_a_whole_names_one(bucket: Bucket) -> None:
    key = bucket.put(a_key())

    with pytest.raises(BucketRefused, match=f"AccessDenied to delete_objects of {key}"):
        bucket.store(actions=("s3:GetObject",)).delete_all([key, a_key()])


@pytest.mark.parametrize("read", READS)
def test_an_object_that_is_written_while_it_is_asked_for_is_found(bucket: Bucket, read: str) -> None:
    objects, key = bucket.store(), a_key()

    def write(**_: object) -> None:
        bucket.put(key)

    objects.client.meta.events.register("before-call.s3.ListObjectsV2", write)

    READS[read](objects, key)
