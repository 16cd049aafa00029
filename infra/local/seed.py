"""Makes what a new stack needs before its first request: table, bucket, keys and the first user."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from botocore.session import get_session

from chalicelib.domain.errors import RegistryError
from chalicelib.settings import settings
from chalicelib.storage.table import description
from chalicelib.wiring import services
from infra.first_user import make_first_user
from infra.local.queues import make_queues, sources
from infra.secrets import new_keys


def main() -> int:
    """Makes what is missing and prints in one line of JSON whether the first user is new."""
    try:
        chosen = settings()
        make_keys(Path(chosen.secrets))
        session = get_session()
        make_table(chosen.table, session.create_client("dynamodb"))
        make_bucket(chosen.bucket, session.create_client("s3"))
        make_queues(session.create_client("sqs"), chosen.queues, [(one.queue, one.timeout_s) for one in sources()])
        print(json.dumps(make_first_user(services().accounts.accounts, os.environ)))
    except RegistryError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def make_keys(place: Path) -> None:
    """Writes signing, upload, envelope and relay keys unless the file exists; only its owner may read it."""
    if place.exists():
        return
    unfinished = place.with_suffix(".new")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(new_keys(), file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(place)


def make_table(name: str, client: Any) -> None:
    """Makes the table unless it exists, without the TTL and the stream, which infra/local/timetolive.py plays."""
    table = description(name)
    # dynoxide scans its whole stream at every write, and no server's TTL service writes stream records.
    del table["StreamSpecification"]
    try:
        client.create_table(**table)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceInUseException":
            raise
        return
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def make_bucket(name: str, client: Any) -> None:
    """Makes the bucket unless it exists."""
    try:
        client.create_bucket(Bucket=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise


if __name__ == "__main__":
    sys.exit(main())
