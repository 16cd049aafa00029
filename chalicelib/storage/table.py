"""Reads and writes rows of the one table: one connection, reads in batches, writes in transactions."""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Generic, Self, TypeVar

from pynamodb.attributes import Attribute, UnicodeAttribute
from pynamodb.connection import TableConnection
from pynamodb.connection.base import MetaTable
from pynamodb.exceptions import PutError, TransactWriteError, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib.domain.errors import Unavailable
from chalicelib.storage.connection import ReadingConnection
from chalicelib.storage.keys import Key

# The attribute that DynamoDB's TTL service reads, in seconds since the epoch.
TIME_TO_LIVE = "expires_at"
BATCH_READ, BATCH_WRITE = 100, 25
# The most bytes of a partition key and of a sort key (AWS: "Quotas in Amazon DynamoDB").
LONGEST_KEY = (2048, 1024)
ATTEMPTS = 25
LONGEST_PAUSE_S = 0.4
# DynamoDB's errors for a transaction that conflicts with another one, and for too many requests.
LOST = {
    "TransactionCanceledException",
    "TransactionConflictException",
    "TransactionInProgressException",
    "ConditionalCheckFailedException",
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
}

R = TypeVar("R", bound="Row")
T = TypeVar("T")


class Row(Model):
    """The base of all rows. A subclass is one kind of item; its keys come from `keys`."""

    class Meta:
        """pynamodb's settings. `open_table` sets the table's name and connection."""

        table_name = "cloudberth"
        region = "us-east-1"

    shared: ClassVar[TableConnection | None] = None

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)

    @classmethod
    def _get_connection(cls) -> TableConnection:
        """Returns the shared connection, as a client for each model would cost 50 to 100 ms."""
        if Row.shared is None:
            raise RuntimeError("open_table comes first")
        return Row.shared

    @property
    def key(self) -> Key:
        """Partition and sort key."""
        return self.pk, self.sk

    @classmethod
    def under(cls, key: Key, **attributes: Any) -> Self:
        """Creates a row with a key."""
        return cls(*key, **attributes)


def open_table(name: str, connections: int = 12, *, fast_reads: bool = True) -> TableConnection:
    """Opens the table for every row of this process. The client is created on first use."""
    table = TableConnection(name)
    table.connection = ReadingConnection(fast_reads=fast_reads, max_pool_connections=connections, region=_region())
    table.connection.add_meta_table(MetaTable(description(name)))
    Row.shared = table
    Row.Meta.table_name = name
    return table


def _region() -> str | None:
    from botocore.session import get_session

    region = get_session().get_config_variable("region")
    return region if isinstance(region, str) else None


def description(name: str) -> dict[str, Any]:
    """Returns the arguments of DynamoDB's CreateTable: the table and its two sparse indexes."""

    def keys(partition: str, sort: str) -> list[dict[str, str]]:
        return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]

    def index(index_name: str, partition: str, sort: str) -> dict[str, Any]:
        projection = {"ProjectionType": "ALL"}
        return {"IndexName": index_name, "KeySchema": keys(partition, sort), "Projection": projection}

    types = {"pk": "S", "sk": "S", "due": "S", "due_at": "N", "view": "S", "view_at": "S"}
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": kind} for key, kind in types.items()],
        "KeySchema": keys("pk", "sk"),
        "GlobalSecondaryIndexes": [index("due", "due", "due_at"), index("view", "view", "view_at")],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    }


class Read(Generic[R]):
    """A row that a batch will read. After `Batch.read`, `row` is the row, or None if it does not exist."""

    def __init__(self, model: type[R], key: Key) -> None:
        self.model, self.key = model, key
        self.row: R | None = None


class Batch:
    """Consistent reads of many rows, one call for each 100 keys."""

    def __init__(self) -> None:
        self._reads: list[Read[Any]] = []

    def add(self, model: type[R], key: Key) -> Read[R]:
        """Adds a row to the batch."""
        read = Read(model, key)
        self._reads.append(read)
        return read

    def read(self) -> None:
        """Reads all rows that were added."""
        keys = [key for key in dict.fromkeys(read.key for read in self._reads) if is_key(key)]
        items: dict[Key, dict[str, Any]] = {}
        for start in range(0, len(keys), BATCH_READ):
            items |= _fetch(keys[start : start + BATCH_READ])
        for read in self._reads:
            raw = items.get(read.key)
            read.row = read.model.from_raw_data(raw) if raw else None


def _fetch(keys: list[Key]) -> dict[Key, dict[str, Any]]:
    connection, name = Row._get_connection().connection, Row.Meta.table_name
    items = {}
    pending: list[Any] = [{"pk": pk, "sk": sk} for pk, sk in keys]
    attempt = 0
    while pending:
        answer = connection.batch_get_item(name, pending, consistent_read=True)
        for raw in answer["Responses"].get(name, []):
            items[raw["pk"]["S"], raw["sk"]["S"]] = raw
        unprocessed = answer.get("UnprocessedKeys", {}).get(name, {}).get("Keys", [])
        pending = [{"pk": key["pk"]["S"], "sk": key["sk"]["S"]} for key in unprocessed]
        attempt = _pause(attempt) if pending else 0
    return items


def is_key(key: Key) -> bool:
    """Whether DynamoDB accepts a key. Names from requests may be longer, and a read of a longer key is an error."""
    return all(len(part.encode()) <= most for part, most in zip(key, LONGEST_KEY, strict=True))


def get(model: type[R], key: Key) -> R | None:
    """Reads a row consistently; None if it does not exist."""
    if not is_key(key):
        return None
    answer = Row._get_connection().get_item(*key, consistent_read=True)
    raw = answer.get("Item")
    return model.from_raw_data(raw) if raw else None


def query(
    model: type[R], key: Key, *, after: str = "", limit: int | None = None, page: int | None = None
) -> Iterator[R]:
    """Yields rows of a partition whose sort keys begin with `key[1]` and are after `after`, in order, consistently.

    Yields at most `limit` rows and reads `page` per call, which is `limit` by default.
    """
    pk, prefix = key
    if not is_key(key):
        return iter(())
    # `between` is inclusive, and its end is after every key of the prefix, as all keys are ASCII.
    condition = Row.sk.between(after + "\x00", prefix + "\x7f") if after else _begins_with(prefix)
    return model.query(pk, condition, limit=limit, page_size=page or limit, consistent_read=True)


def query_backwards(model: type[R], key: Key, limit: int | None = None, *, upto: str = "") -> Iterator[R]:
    """Yields rows of a partition whose sort keys begin with `key[1]`, the last first, consistently, at most `limit`.

    With `upto`, which begins with `key[1]` too, it yields no rows whose sort keys are after that.
    """
    pk, prefix = key
    if not is_key(key):
        return iter(())
    condition = Row.sk.between(prefix, upto) if upto else _begins_with(prefix)
    options: dict[str, Any] = {"limit": limit, "page_size": limit, "consistent_read": True}
    return model.query(pk, condition, scan_index_forward=False, **options)


def _begins_with(prefix: str) -> Condition | None:
    # DynamoDB accepts no empty prefix. Without a condition, it returns the whole partition.
    return Row.sk.startswith(prefix) if prefix else None


def query_kinds(key: Key, kinds: Mapping[str, type[Row]]) -> list[Row]:
    """Returns rows of several kinds from one partition. `kinds` maps the beginning of a sort key to its row class."""
    pk, prefix = key
    pages = read_pages(pk, Row.sk.startswith(prefix), consistent_read=True)
    return [_of_kind(raw, kinds) for items, _ in pages for raw in items]


def query_run(
    run: tuple[str, str, str], kinds: Mapping[str, type[Row]], limit: int | None = None
) -> tuple[list[Row], bool]:
    """Reads rows of several kinds between two sort keys of a partition, both inclusive, consistently.

    `run` is the partition and both sort keys; `kinds` maps the beginning of a sort key to its row class. Reads at most
    `limit` rows and leaves out those of other kinds. Returns the rows, and whether they are all.
    """
    pk, first, last = run
    rows: list[Row] = []
    is_whole = True
    for items, is_last in read_pages(pk, Row.sk.between(first, last), limit=limit, consistent_read=True):
        rows += [_of_kind(raw, kinds) for raw in items if any(map(raw["sk"]["S"].startswith, kinds))]
        is_whole = is_last
    return rows, is_whole


def _of_kind(raw: dict[str, Any], kinds: Mapping[str, type[Row]]) -> Row:
    return next(kinds[beginning] for beginning in kinds if raw["sk"]["S"].startswith(beginning)).from_raw_data(raw)


def view(model: type[R], value: str, after: str, limit: int) -> Iterator[R]:
    """Yields rows of a partition of index `view` after `after`, in order. The index lags behind the table."""
    condition = UnicodeAttribute(attr_name="view_at") > after if after else None
    for items, _ in read_pages(value, condition, limit=limit, index_name="view"):
        yield from (model.from_raw_data(raw) for raw in items)


def newest(model: type[R], value: str, before: str, page: int) -> Iterator[R]:
    """Yields rows of index `view` before `before` (all if it is empty), the last first, reading `page` at a time."""
    condition = UnicodeAttribute(attr_name="view_at") < before if before else None
    for items, _ in read_pages(value, condition, page=page, index_name="view", scan_index_forward=False):
        yield from (model.from_raw_data(raw) for raw in items)


def read_pages(
    partition: str, condition: Condition | None, *, limit: int | None = None, page: int | None = None, **options: Any
) -> Iterator[tuple[list[dict[str, Any]], bool]]:
    """Yields, for each call to DynamoDB, the raw rows of a partition and whether they are the last.

    Reads at most `limit` rows in all and `page` per call; `options` are those of pynamodb's `Connection.query`.
    """
    connection, name = Row._get_connection().connection, Row.Meta.table_name
    start: Any = None
    while limit is None or limit > 0:
        answer = connection.query(name, partition, condition, limit=page or limit, exclusive_start_key=start, **options)
        start = answer.get("LastEvaluatedKey")
        yield answer["Items"], not start
        if not start:
            return
        if limit is not None:
            limit -= len(answer["Items"])


def put_all(rows: Iterable[Row]) -> None:
    """Writes rows without conditions, 25 per call. Use it only for rows that may be written twice."""
    requests = [{"PutRequest": {"Item": row.serialize()}} for row in rows]
    for start in range(0, len(requests), BATCH_WRITE):
        _write_batch(requests[start : start + BATCH_WRITE])


def _write_batch(pending: list[Any]) -> None:
    connection, name = Row._get_connection().connection, Row.Meta.table_name
    attempt = 0
    while pending:
        answer = connection.dispatch("BatchWriteItem", {"RequestItems": {name: pending}})
        pending = answer.get("UnprocessedItems", {}).get(name, [])
        attempt = _pause(attempt) if pending else 0


def remove_all(row_keys: Iterable[Key]) -> None:
    """Removes rows without conditions, 25 per call. Use it only for rows that nobody can write again."""
    requests = [{"DeleteRequest": {"Key": {"pk": {"S": pk}, "sk": {"S": sk}}}} for pk, sk in row_keys]
    for start in range(0, len(requests), BATCH_WRITE):
        _write_batch(requests[start : start + BATCH_WRITE])


class WriteConflict(Exception):
    """Another writer changed what was read. Read again and decide again."""


class Transaction:
    """Writes that all succeed or all fail."""

    def __init__(self) -> None:
        self._writes = TransactWrite(connection=Row._get_connection().connection)

    def put(self, row: Row, condition: Condition | None = None) -> None:
        """Adds the write of a whole row."""
        self._writes.save(row, condition)

    def update(self, row: Row, *actions: Action, condition: Condition | None = None) -> None:
        """Adds a change of some attributes. Only the key of `row` is used."""
        self._writes.update(row, list(actions), condition)

    def delete(self, row: Row, condition: Condition | None = None) -> None:
        """Adds the removal of a row. Only the key of `row` is used."""
        self._writes.delete(row, condition)

    def check(self, model: type[Row], key: Key, condition: Condition) -> None:
        """Adds a condition on a row that the transaction does not write."""
        self._writes.condition_check(model, *key, condition=condition)

    @property
    def is_empty(self) -> bool:
        """Whether the transaction holds no write."""
        writes = self._writes
        return not (writes._put_items or writes._update_items or writes._delete_items)

    def commit(self) -> None:
        """Sends all writes. Raises WriteConflict when a condition failed or another writer interfered."""
        try:
            self._writes._commit()
        except TransactWriteError as error:
            if error.cause_response_code in LOST:
                raise WriteConflict from error
            raise


def absent() -> Condition:
    """Returns the condition that the row does not exist."""
    return Row.pk.does_not_exist()


def at_version(version: Attribute[Any], read: int | None) -> Condition:
    """Returns the condition that a row has the version that was read: None for none, 0 for a row without a version."""
    if read is None:
        return absent()
    condition: Condition = version == read
    # A row that was removed meanwhile has no version either, and must not be written again.
    return condition if read else (condition | version.does_not_exist()) & Row.pk.exists()


def put_new(row: Row) -> bool:
    """Writes a row if none exists. Returns whether it was written."""
    return put_if(row, absent())


def put_if(row: Row, condition: Condition) -> bool:
    """Writes a row if a condition holds. Returns whether it was written."""
    try:
        row.save(condition)
    except PutError as error:
        if error.cause_response_code != "ConditionalCheckFailedException":
            raise
        return False
    return True


def update_if(row: Row, actions: list[Action], condition: Condition) -> bool:
    """Changes attributes of a row and updates `row` if a condition holds. Returns whether it was written."""
    try:
        row.update(actions, condition=condition)
    except UpdateError as error:
        if error.cause_response_code != "ConditionalCheckFailedException":
            raise
        return False
    return True


def retry_on_conflict(attempt: Callable[[], T]) -> T:
    """Calls `attempt`, which reads, decides and commits, until it raises no WriteConflict.

    Raises Unavailable after 25 attempts.
    """
    count = 0
    while count < ATTEMPTS:
        try:
            return attempt()
        except WriteConflict:
            count = _pause(count)
    raise Unavailable


def _pause(attempt: int) -> int:
    time.sleep(random.random() * min(0.005 * 2**attempt, LONGEST_PAUSE_S))  # noqa: S311 - jitter
    return attempt + 1
