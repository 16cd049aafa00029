"""The table: one connection for every row, reads in batches, writes in transactions."""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Generic, Self, TypeVar

from pynamodb.attributes import Attribute, UnicodeAttribute
from pynamodb.connection import TableConnection
from pynamodb.connection.base import MetaTable
from pynamodb.exceptions import PutError, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib.domain.errors import Unavailable
from chalicelib.storage.connection import ReadingConnection
from chalicelib.storage.keys import Key

# The attribute that DynamoDB's TTL service goes by, in seconds since the epoch.
TIME_TO_LIVE = "expires_at"
BATCH_READ, BATCH_WRITE = 100, 25
# Bytes of a partition key and of a sort key (AWS: "Quotas in Amazon DynamoDB").
LONGEST_KEY = (2048, 1024)
ATTEMPTS = 25
LONGEST_PAUSE_S = 0.4
# What DynamoDB says of a transaction that another one was in the way of, and of too many at once.
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
    """What every item has. A subclass is one kind of item and knows its keys from `keys`."""

    class Meta:
        """Where pynamodb looks; the table's name and connection come from `open_table`."""

        table_name = "cloudberth"
        region = "us-east-1"

    shared: ClassVar[TableConnection | None] = None

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)

    @classmethod
    def _get_connection(cls) -> TableConnection:
        """The one connection: a client per model would cost 50 to 100 ms each."""
        if Row.shared is None:
            raise RuntimeError("open_table comes first")
        return Row.shared

    @property
    def key(self) -> Key:
        """Partition and sort key."""
        return self.pk, self.sk

    @classmethod
    def under(cls, key: Key, **attributes: Any) -> Self:
        """A row with that key."""
        return cls(*key, **attributes)


def open_table(name: str, connections: int = 12, *, fast_reads: bool = True) -> TableConnection:
    """Opens the table for every row of this process; the client itself is made on first use."""
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
    """The table and its two sparse indexes, as DynamoDB's CreateTable takes them."""

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
    """A row that a batch is asked for; after the batch, `row` is it or None."""

    def __init__(self, model: type[R], key: Key) -> None:
        self.model, self.key = model, key
        self.row: R | None = None


class Batch:
    """Consistent reads that travel together: one call per 100 keys."""

    def __init__(self) -> None:
        self._reads: list[Read[Any]] = []

    def add(self, model: type[R], key: Key) -> Read[R]:
        """Asks for one row."""
        read = Read(model, key)
        self._reads.append(read)
        return read

    def read(self) -> None:
        """Fetches all that was asked for."""
        keys = [key for key in dict.fromkeys(read.key for read in self._reads) if is_key(key)]
        found: dict[Key, dict[str, Any]] = {}
        for start in range(0, len(keys), BATCH_READ):
            found |= _fetch(keys[start : start + BATCH_READ])
        for read in self._reads:
            raw = found.get(read.key)
            read.row = read.model.from_raw_data(raw) if raw else None


def _fetch(keys: list[Key]) -> dict[Key, dict[str, Any]]:
    connection, name = Row._get_connection().connection, Row.Meta.table_name
    found = {}
    pending: list[Any] = [{"pk": pk, "sk": sk} for pk, sk in keys]
    turn = 0
    while pending:
        answer = connection.batch_get_item(name, pending, consistent_read=True)
        for raw in answer["Responses"].get(name, []):
            found[raw["pk"]["S"], raw["sk"]["S"]] = raw
        unprocessed = answer.get("UnprocessedKeys", {}).get(name, {}).get("Keys", [])
        pending = [{"pk": key["pk"]["S"], "sk": key["sk"]["S"]} for key in unprocessed]
        turn = _pause(turn) if pending else 0
    return found


def is_key(key: Key) -> bool:
    """Whether a row can lie there. What strangers name may be longer, and DynamoDB takes a long key for a fault."""
    return all(len(part.encode()) <= most for part, most in zip(key, LONGEST_KEY, strict=True))


def get(model: type[R], key: Key) -> R | None:
    """One row, read consistently."""
    if not is_key(key):
        return None
    answer = Row._get_connection().get_item(*key, consistent_read=True)
    raw = answer.get("Item")
    return model.from_raw_data(raw) if raw else None


def query(
    model: type[R],
    key: Key,
    *,
    after: str = "",
    limit: int | None = None,
    page: int | None = None,
    backwards: bool = False,
) -> Iterator[R]:
    """Rows of a partition whose sort key begins with `key[1]`, in order, past the sort key `after`, consistently.

    At most `limit`; read `page` at a time, which is as many as are asked for where it is not said.
    """
    pk, prefix = key
    if not is_key(key):
        return iter(())
    # An empty prefix is no condition to DynamoDB: it takes in the whole partition.
    begins = Row.sk.startswith(prefix) if prefix else None
    # `between` is inclusive, and its end is past every key of the prefix: all keys are ASCII.
    condition = Row.sk.between(after + "\x00", prefix + "\x7f") if after else begins
    return model.query(
        pk,
        condition,
        limit=limit,
        page_size=page or limit,
        consistent_read=True,
        scan_index_forward=not backwards,
    )


def query_kinds(key: Key, kinds: Mapping[str, type[Row]]) -> list[Row]:
    """Rows of several kinds that lie together: those of `query`, each of the kind that its sort key begins with."""
    pk, prefix = key
    pages = read_pages(pk, Row.sk.startswith(prefix), consistent_read=True)
    return [_of_kind(raw, kinds) for items, _ in pages for raw in items]


def query_run(
    run: tuple[str, str, str], kinds: Mapping[str, type[Row]], limit: int | None = None
) -> tuple[list[Row], bool]:
    """Rows of a partition from one sort key to another, both included, consistently; and whether that is all of them.

    Each is of the kind that its sort key begins with. At most `limit` are read, of which rows of other kinds are left
    out.
    """
    pk, first, last = run
    found: list[Row] = []
    is_whole = True
    for items, is_last in read_pages(pk, Row.sk.between(first, last), limit=limit, consistent_read=True):
        found += [_of_kind(raw, kinds) for raw in items if any(map(raw["sk"]["S"].startswith, kinds))]
        is_whole = is_last
    return found, is_whole


def _of_kind(raw: dict[str, Any], kinds: Mapping[str, type[Row]]) -> Row:
    return next(kinds[beginning] for beginning in kinds if raw["sk"]["S"].startswith(beginning)).from_raw_data(raw)


def view(model: type[R], value: str, after: str, limit: int) -> Iterator[R]:
    """Rows of a partition of index `view` past `after`, in order; the index lags behind the table."""
    condition = UnicodeAttribute(attr_name="view_at") > after if after else None
    for items, _ in read_pages(value, condition, limit=limit, index_name="view"):
        yield from (model.from_raw_data(raw) for raw in items)


def newest(model: type[R], value: str, before: str, page: int) -> Iterator[R]:
    """Rows of a partition of index `view`, the last first, before one of them (all, without), `page` at a time."""
    condition = UnicodeAttribute(attr_name="view_at") < before if before else None
    for items, _ in read_pages(value, condition, page=page, index_name="view", scan_index_forward=False):
        yield from (model.from_raw_data(raw) for raw in items)


def read_pages(
    partition: str, condition: Condition | None, *, limit: int | None = None, page: int | None = None, **options: Any
) -> Iterator[tuple[list[dict[str, Any]], bool]]:
    """Raw rows of a partition, a list for each call, and whether it is the last; the next call is made when asked for.

    At most `limit` rows in all, `page` in a call; `options` are further ones of pynamodb's `Connection.query`.
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
    """Writes rows without conditions, 25 a call: only for what may be written twice."""
    listed = [{"PutRequest": {"Item": row.serialize()}} for row in rows]
    for start in range(0, len(listed), BATCH_WRITE):
        _write_batch(listed[start : start + BATCH_WRITE])


def _write_batch(pending: list[Any]) -> None:
    connection, name = Row._get_connection().connection, Row.Meta.table_name
    turn = 0
    while pending:
        answer = connection.dispatch("BatchWriteItem", {"RequestItems": {name: pending}})
        pending = answer.get("UnprocessedItems", {}).get(name, [])
        turn = _pause(turn) if pending else 0


def remove_all(found: Iterable[Key]) -> None:
    """Removes rows without conditions, 25 a call: only what nobody can want again."""
    listed = [{"DeleteRequest": {"Key": {"pk": {"S": pk}, "sk": {"S": sk}}}} for pk, sk in found]
    for start in range(0, len(listed), BATCH_WRITE):
        _write_batch(listed[start : start + BATCH_WRITE])


class WriteConflict(Exception):
    """Another writer was first: read again, decide again."""


class Transaction:
    """Writes that happen together or not at all."""

    def __init__(self) -> None:
        self._writes = TransactWrite(connection=Row._get_connection().connection)

    def put(self, row: Row, condition: Condition | None = None) -> None:
        """Writes a row whole."""
        self._writes.save(row, condition)

    def update(self, row: Row, *actions: Action, condition: Condition | None = None) -> None:
        """Changes some attributes of a row, of which only the key is looked at."""
        self._writes.update(row, list(actions), condition)

    def delete(self, row: Row, condition: Condition | None = None) -> None:
        """Removes a row, of which only the key is looked at."""
        self._writes.delete(row, condition)

    def check(self, model: type[Row], key: Key, condition: Condition) -> None:
        """Lets the transaction fail where a row is not as expected."""
        self._writes.condition_check(model, *key, condition=condition)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be written."""
        writes = self._writes
        return not (writes._put_items or writes._update_items or writes._delete_items)

    def commit(self) -> None:
        """Writes. Raises LostRace when a condition failed or another writer was in the way."""
        try:
            self._writes._commit()
        except TransactWriteError as error:
            if error.cause_response_code in LOST:
                raise WriteConflict from error
            raise


def absent() -> Condition:
    """The condition that no row stands there."""
    return Row.pk.does_not_exist()


def at_version(version: Attribute[Any], read: int) -> Condition:
    """The condition that a row is the version that was read; one from before versions were counted is the first."""
    condition: Condition = version == read
    # What was removed meanwhile has no version either, and shall not come back.
    return condition if read else (condition | version.does_not_exist()) & Row.pk.exists()


def put_new(row: Row) -> bool:
    """Writes a row where none stands; False when one does."""
    return put_if(row, absent())


def put_if(row: Row, condition: Condition) -> bool:
    """Writes a row on a condition; False when it does not hold."""
    try:
        row.save(condition)
    except PutError as error:
        if error.cause_response_code != "ConditionalCheckFailedException":
            raise
        return False
    return True


def retry_on_conflict(attempt: Callable[[], T]) -> T:
    """Repeats `attempt`, which reads, decides and commits, until nobody else was first.

    Raises Unavailable when that takes too many turns.
    """
    turn = 0
    while turn < ATTEMPTS:
        try:
            return attempt()
        except WriteConflict:
            turn = _pause(turn)
    raise Unavailable


def _pause(turn: int) -> int:
    time.sleep(random.random() * min(0.005 * 2**turn, LONGEST_PAUSE_S))  # noqa: S311 - jitter
    return turn + 1
