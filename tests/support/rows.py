"""Reads and writes the table and the bucket directly, without the services."""

from collections.abc import Callable, Iterable
from typing import Any

from chalicelib.domain.digests import Digest
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.repositories import Repository
from chalicelib.domain.states import State
from chalicelib.storage import keys
from chalicelib.storage.registry.blobs import BlobLinkRow, BlobRow, LinkRow
from chalicelib.storage.registry.sizes import NamespaceBlobRow, remove_link
from chalicelib.storage.table import Row, Transaction, get
from chalicelib.storage.timers import TimerRow
from tests.support.backends import BUCKET, Backend

Plain = dict[str, Any]
LIVE, CONDEMNED, DELETING, ABSENT = State.LIVE, State.CONDEMNED, State.DELETING, "absent"
STATES = (LIVE, CONDEMNED, DELETING, ABSENT)


def all_rows(backend: Backend) -> list[Plain]:
    """Returns every item of the table, in plain values."""
    connection, start = backend.services.stores.table.connection, None
    found: list[Plain] = []
    while True:
        answer = connection.scan(backend.settings.table, exclusive_start_key=start, consistent_read=True)
        found += [{name: _plain(value) for name, value in raw.items()} for raw in answer["Items"]]
        start = answer.get("LastEvaluatedKey")
        if not start:
            return found


def _plain(value: dict[str, Any]) -> object:
    kind, content = next(iter(value.items()))
    readers: dict[str, Callable[[Any], object]] = {"N": _number, "SS": set, "NULL": lambda _: None}
    return readers[kind](content) if kind in readers else content


def rows_like(backend: Backend, pk: str = "", sk: str = "") -> list[Plain]:
    """Returns the items whose keys begin so, in the order of their keys."""
    found = (row for row in all_rows(backend) if row["pk"].startswith(pk) and row["sk"].startswith(sk))
    return sorted(found, key=lambda row: (row["pk"], row["sk"]))


def events(backend: Backend, kind: str = "") -> list[Plain]:
    """Returns records of the usage log, oldest first, of one kind or all."""
    found = [row for row in rows_like(backend, "LOG#") if row["kind"].startswith(kind)]
    return sorted(found, key=lambda row: row["sk"])


def repository_of(backend: Backend, text: str = "admin/app") -> Repository:
    """Returns a repository, which must exist."""
    name = RepositoryName.parse(text)
    namespace = backend.services.stores.accounts.find(name.namespace)
    assert namespace is not None, f"{name.namespace} does not exist"
    namespace_id = namespace.id
    row = backend.services.stores.repositories.find(namespace_id, name)
    assert row is not None, f"{text} does not exist"
    return Repository(row.repository_id, namespace_id, name)


def due_at(kind: str, target: str) -> int | None:
    """Returns when a timer is due, None if there is none."""
    row = get(TimerRow, keys.timer(kind, target))
    return row.due_at if row else None


def end_due_at(backend: Backend, tag: str = "v1", owner: str = "") -> int | None:
    """Returns when the timer of a tag's latest life is due, None if there is none; `owner` is the repository's id."""
    identifier = owner or repository_of(backend).id
    life = rows_like(backend, f"R#{identifier}", f"LIFE#{tag}#")[-1]
    return due_at("expiry", keys.tag_target(identifier, tag, life["view_at"]))


def change(row: Row | None, **attributes: object) -> None:
    """Sets attributes of a row, which must exist."""
    assert row is not None
    for name, value in attributes.items():
        setattr(row, name, value)
    row.save()


def remove(model: type[Row], key: keys.Key) -> None:
    """Removes a row."""
    transaction = Transaction()
    transaction.delete(model.under(key))
    transaction.commit()


def set_link_state(repository: Repository, digest: Digest, state: str) -> None:
    """Puts a repository's link into a state; for `absent`, removes it as the collector does, and updates the sizes."""
    key = keys.blob_link(repository.id, digest)
    row = get(BlobLinkRow, key)
    if state != ABSENT:
        return change(row, state=state)
    assert row is not None
    transaction = Transaction()
    transaction.delete(row)
    transaction.delete(LinkRow.under(keys.link(digest, repository.id)))
    in_namespace = get(NamespaceBlobRow, keys.namespace_blob(repository.namespace_id, digest))
    remove_link(transaction, (repository.namespace_id, repository.id), digest, row.size, in_namespace)
    transaction.commit()


def set_blob_state(backend: Backend, digest: Digest, state: str) -> str:
    """Puts a blob into a state; for `absent`, deletes its row and bytes. Returns the key that its bytes had."""
    row = get(BlobRow, keys.blob(digest))
    assert row is not None
    if state == ABSENT:
        backend.services.stores.objects.delete(row.s3_key)
        remove(BlobRow, keys.blob(digest))
    else:
        change(row, state=state)
    return row.s3_key


def object_keys(backend: Backend, prefix: str) -> list[str]:
    """Returns the keys in the bucket under a prefix."""
    pages = backend.services.stores.objects.client.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix=prefix
    )
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def open_multiparts(backend: Backend, prefix: str) -> list[str]:
    """Returns the keys of multipart uploads that are neither completed nor aborted."""
    listed = backend.services.stores.objects.client.list_multipart_uploads(Bucket=BUCKET, Prefix=prefix)
    return [entry["Key"] for entry in listed.get("Uploads", [])]


def linked_bytes(backend: Backend, repository: Repository) -> tuple[int, int, int]:
    """Returns the bytes by a repository's links, by its counters, and by its namespace's counters."""

    def total(found: Iterable[Plain], name: str) -> int:
        return sum(row[name] for row in found)

    owner = f"R#{repository.id}"
    return (
        total(rows_like(backend, owner, "BLOB#"), "size"),
        total(rows_like(backend, owner, "SIZE#"), "bytes"),
        total(rows_like(backend, f"N#{repository.namespace_id}", "SIZE#"), "bytes"),
    )


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)
