"""Looks for bytes that a table names and the bucket lacks, as after a restore of the table, and brings them back.

    python -m infra.missing_bytes TABLE BUCKET [--bring-back] [--forget]

TABLE and BUCKET are ARNs. Without an option it only reads: it scans the table, lists the bucket, and prints a line for
each object that is missing. `--bring-back` makes the deleted version of an object the current one again, as long as the
bucket keeps it (variable `versions_days`). `--forget` tells the registry that what stays missing is not there, so that
the next push stores it anew: until then a client would be told that the blob exists. It returns 1 while bytes are
missing. Both options may be repeated after a crash anywhere.

It also prints objects that came in parts and that no row names: the function `reconcile` removes all others by itself.
Nothing may be pushed and no job may run meanwhile (docs/runbook.md).
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import RegistryError
from chalicelib.domain.states import State
from chalicelib.services.lifecycle.reconcile import LARGEST_WHOLE
from chalicelib.settings import Settings
from chalicelib.storage import bucket_keys, keys
from chalicelib.storage.attributes import OptionalText
from chalicelib.storage.objects import StoredObject
from chalicelib.storage.registry.manifests import BodyRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Row, retry_on_conflict
from infra.arns import arn_of

# The most repositories that a line names.
NAMED = 5
MISSING, BACK, FORGOTTEN = "missing", "brought back", "forgotten"


class NamingRow(Row):
    """Any row that names an object: a blob, the bytes of a manifest, or an upload with its last bytes."""

    s3_key = OptionalText()
    tail_key = OptionalText()
    state = OptionalText()

    @property
    def is_needed(self) -> bool:
        """Whether pulls need the object: it is that of a manifest, or of a blob that is not being deleted."""
        is_blob = keys.blob_digest(self.key) is not None and self.state != State.DELETING
        return is_blob or keys.body_digest(self.key) is not None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many objects pulls need, the rows that name missing ones, and objects in parts that no row names."""

    needed: int
    missing: Sequence[NamingRow]
    unnamed: Sequence[StoredObject]


@dataclass
class Named:
    """The objects that rows name: those that pulls need by their keys, and all."""

    needed: dict[str, NamingRow] = field(default_factory=dict)
    all: set[str] = field(default_factory=set)


def compare(stores: Stores) -> Comparison:
    """Compares the table with the bucket. It costs a scan of the table, and a list request for a thousand objects.

    The bucket is listed last: bytes are written before their row, so only a deletion can make them missing.
    """
    named = _named()
    present, unnamed = set[str](), list[StoredObject]()
    for prefix in (bucket_keys.BODIES, bucket_keys.INCOMING):
        for page in stores.objects.pages(prefix):
            present |= {entry.key for entry in page} & named.needed.keys()
            unnamed += [entry for entry in page if entry.key not in named.all and _came_in_parts(entry)]
    missing = [row for s3_key, row in sorted(named.needed.items()) if s3_key not in present]
    return Comparison(len(named.needed), missing, unnamed)


def _named() -> Named:
    named = Named()
    naming = NamingRow.s3_key.exists() | NamingRow.tail_key.exists()
    for row in NamingRow.scan(
        naming, consistent_read=True, attributes_to_get=["pk", "sk", "s3_key", "tail_key", "state"]
    ):
        named.all |= {key for key in (row.s3_key, row.tail_key) if key}
        if row.is_needed and row.s3_key:
            named.needed[row.s3_key] = row
    return named


def _came_in_parts(entry: StoredObject) -> bool:
    return bucket_keys.is_attempt(entry.key) and entry.size > LARGEST_WHOLE


def bring_back(client: Any, bucket: str, s3_key: str) -> bool:
    """Makes the last version of a deleted object the current one; returns False if the bucket keeps none.

    A deletion put a marker above the version, and a repeated one another. Whoever removes the markers deletes no bytes.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/RemDelMarker.html
    """
    answer = client.list_object_versions(Bucket=bucket, Prefix=s3_key)
    if not any(version["Key"] == s3_key for version in answer.get("Versions", ())):
        return False
    for marker in answer.get("DeleteMarkers", ()):
        if marker["Key"] == s3_key:
            client.delete_object(Bucket=bucket, Key=s3_key, VersionId=marker["VersionId"])
    return True


def forget(stores: Stores, row: NamingRow) -> None:
    """Lets the next push store a blob or a manifest anew, whose bytes are gone. Raises Unavailable."""
    if digest := keys.blob_digest(row.key):
        retry_on_conflict(lambda: _forget_blob(stores, digest, row.s3_key or ""))
    elif named := keys.body_digest(row.key):
        retry_on_conflict(lambda: _forget_manifest(stores, *named))


def _forget_blob(stores: Stores, digest: Digest, s3_key: str) -> None:
    blob = stores.blobs.get(digest)
    if blob is not None and blob.is_living and blob.s3_key == s3_key:
        stores.garbage.doom_blob(blob, digest, int(stores.clock()))


def _forget_manifest(stores: Stores, repository_id: str, digest: Digest) -> None:
    """Hides the manifest before its bytes' row goes: a push of a living one would miss that row."""
    manifest = stores.manifests.get(repository_id, digest)
    if manifest is not None and manifest.is_living:
        stores.garbage.move_manifest(manifest, State.DELETING)
    BodyRow.under(keys.body(repository_id, digest)).delete()


def described(stores: Stores, row: NamingRow) -> str:
    """Returns the kind and digest of what a row names, and the repositories that have it."""
    if digest := keys.blob_digest(row.key):
        kind, ids = "blob", stores.blobs.linked_from(digest, NAMED + 1)
    else:
        kind, (repository_id, digest) = "manifest", keys.body_digest(row.key) or ("", None)
        ids = [repository_id]
    names = [_name(stores, one) for one in ids[:NAMED]] + ["…"][: len(ids) - NAMED]
    return f"{kind} {digest} of {', '.join(names) or 'no repository'}"


def _name(stores: Stores, repository_id: str) -> str:
    row = stores.repositories.get(repository_id)
    return f"{row.namespace}/{row.name}" if row else repository_id


def mend(stores: Stores, *, brings_back: bool, forgets: bool) -> bool:
    """Compares, does what the options say, and prints it; returns whether no bytes are missing any more."""
    found = compare(stores)
    outcomes = Counter(_mended(stores, row, brings_back=brings_back, forgets=forgets) for row in found.missing)
    for entry in found.unnamed:
        print(f"{entry.key}: {entry.size:,} bytes that came in parts and that no row names")
    told = [f"{count:,} {outcome}" for outcome, count in outcomes.items()]
    print(f"{found.needed:,} objects are needed: {', '.join(told) or 'none is missing'}.")
    return outcomes[MISSING] == 0


def _mended(stores: Stores, row: NamingRow, *, brings_back: bool, forgets: bool) -> str:
    s3_key, outcome, about = row.s3_key or "", MISSING, described(stores, row)
    if brings_back and bring_back(stores.objects.client, stores.settings.bucket, s3_key):
        outcome = BACK
    elif forgets:
        forget(stores, row)
        outcome = FORGOTTEN
    print(f"{s3_key}: {about}: {outcome}")
    return outcome


def main(words: Sequence[str]) -> int:
    """Compares, mends and prints; returns 1 while bytes are missing, or if AWS refuses."""
    parsed = _parser().parse_args(words)
    os.environ["AWS_DEFAULT_REGION"] = parsed.table.split(":")[3]
    stores = Stores(Settings(table=parsed.table.rpartition("/")[2], bucket=parsed.bucket.rpartition(":")[2]))
    try:
        return 0 if mend(stores, brings_back=parsed.bring_back, forgets=parsed.forget) else 1
    except RegistryError as error:
        print(error, file=sys.stderr)
    except (ClientError, BotoCoreError, PynamoDBException) as error:
        print(f"AWS refused: {error}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.missing_bytes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=arn_of("dynamodb"), help="ARN of the table")
    parser.add_argument("bucket", type=arn_of("s3"), help="ARN of the bucket")
    parser.add_argument("--bring-back", action="store_true", help="make deleted versions the current ones")
    parser.add_argument(
        "--forget", action="store_true", help="let the next push store anew what cannot be brought back"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
