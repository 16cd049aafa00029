"""Writes changes, refused sign-ins and pulls into the usage log."""

import hashlib
import threading
import time
from collections.abc import Callable, Hashable, Mapping

from chalicelib.domain.digests import Digest
from chalicelib.domain.events import LOGIN_REFUSED, PULL, PUSH, Event
from chalicelib.domain.ids import ulid
from chalicelib.domain.permissions import PUSH as PUSH_ACTION
from chalicelib.domain.permissions import Actor
from chalicelib.domain.pulls import Puller, hour_of
from chalicelib.domain.repositories import Repository
from chalicelib.services.activity.lookups import REMEMBERED, Lookups, Recent
from chalicelib.storage.activity.usage_log import UsageLogStore
from chalicelib.storage.table import Transaction
from chalicelib.telemetry import logger

# How many pulls, and how many hours of repositories, a process remembers. A forgotten one is written again.
LARGEST_BATCH = 500


class UsageLog:
    """Writes the usage log."""

    def __init__(
        self, store: UsageLogStore, pulls: "PullLog", lookups: Lookups, clock: Callable[[], float] = time.time
    ) -> None:
        self._store, self._pulls, self._lookups, self._clock = store, pulls, lookups, clock

    def record_for_repository(
        self,
        actor: Actor,
        transaction: Transaction,
        kind: str,
        repository: Repository,
        metadata: Mapping[str, object],
    ) -> None:
        """Adds the record of a change of a repository to the transaction that changes it."""
        now = self._clock()
        details = {"repository": str(repository.name), **actor.application, **metadata}
        details |= _agent(actor) if kind == PUSH else {}
        event = Event(ulid(now), now, kind, repository.namespace_id, repository.id, actor.name, actor.address, details)
        self._store.record(transaction, event)

    def record_for_namespace(
        self, actor: Actor, transaction: Transaction, kind: str, namespace_id: str, metadata: Mapping[str, object]
    ) -> None:
        """Adds the record of a change of a namespace, but of no repository, to the transaction that changes it."""
        now = self._clock()
        details = {**actor.application, **metadata}
        event = Event(ulid(now), now, kind, namespace_id, None, actor.name, actor.address, details)
        self._store.record(transaction, event)

    def record_refused_sign_in(self, name: str, account_id: str | None, address: str) -> None:
        """Records a refused sign-in, in the same time for a known and an unknown name.

        An unknown name is not stored: it may be a password in the wrong field.
        """
        now = self._clock()
        details = {"type": "quayauth", "kind": "user", "message": "Invalid Username or Password"}
        details |= {"username": name} if account_id else {}
        event = Event(
            ulid(now), now, LOGIN_REFUSED, account_id or "", None, name if account_id else "", address, details
        )
        try:
            self._store.write(event)
        except Exception:  # noqa: BLE001 - a failed record does not change the result of a sign-in
            logger.exception("refusal not recorded")

    def record_pull(
        self, actor: Actor, repository: Repository, reference: "str | Digest", key: tuple[Digest, str]
    ) -> None:
        """Records a pull of a manifest with a digest and a media type.

        A pull by digest of what the puller has looked up by a tag is a pull by that tag. It never makes a pull fail: an
        error of the table only goes to the log.
        """
        now, (digest, media_type) = self._clock(), key
        if isinstance(reference, Digest):
            reference = self._lookups.tag_of(_puller(actor, repository), str(digest)) or reference
        metadata = {"reference": str(reference), "repository": str(repository.name), "mediaType": media_type}
        metadata |= {"manifest_digest": str(digest)} if isinstance(reference, str) else {}
        metadata |= _agent(actor)
        event = Event(ulid(now), now, PULL, repository.namespace_id, repository.id, actor.name, actor.address, metadata)
        self._pulls.add(event, str(reference))

    def record_lookup(self, actor: Actor, repository: Repository, tag: str, digest: Digest) -> None:
        """Remembers that an actor has looked up a tag, for the pull of its digest that may follow."""
        grant = actor.grants.get(str(repository.name))
        may_push = grant is not None and PUSH_ACTION in grant.actions
        self._lookups.add(_puller(actor, repository), tag, str(digest), may_push=may_push)

    def flush(self) -> None:
        """Writes the waiting pulls before the process ends."""
        self._pulls.flush()


class RecentlySeen:
    """A set of the last `limit` keys that a process added; the oldest is dropped first."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._met: Recent[bool] = Recent(limit)

    def __contains__(self, key: Hashable) -> bool:
        return self._met.get(key) is not None

    def add(self, key: Hashable) -> bool:
        """Adds a key. Returns False if it was there already."""
        return self._met.add(key, True)


class PullLog:
    """Writes pulls into the table.

    With `hourly`, a pull of the same reference by the same actor from the same address is written once an hour, under a
    key derived from these, so that several processes write the same record. With `batch_s` above 0, a thread writes
    them after the response, which needs a process that lives longer than its responses; otherwise they are written
    before it. The first pull of a repository in an hour also writes the timer that counts the pulls of that hour.
    """

    def __init__(self, store: UsageLogStore, hourly: bool, batch_s: float) -> None:
        self._store, self._hourly, self._batch_s = store, hourly, batch_s
        self._seen, self._hours = RecentlySeen(), RecentlySeen()
        self._waiting: list[Event] = []
        self._lock = threading.Lock()
        self._writer: threading.Thread | None = None

    def add(self, event: Event, reference: str) -> None:
        """Adds a pull, unless the log is hourly and the pull was added this hour."""
        if self._hourly:
            start = hour_of(event.at)
            words = (event.performer, event.address, event.repository_id or "", reference, str(start))
            identity = hashlib.sha256("\0".join(words).encode()).hexdigest()
            if not self._seen.add(identity):
                return
            event = Event(
                hour_key(start, identity), event.at, event.kind, event.namespace_id, event.repository_id,
                event.performer, event.address, event.metadata,
            )  # fmt: skip
        if self._batch_s:
            self._wait(event)
        else:
            self._write([event])

    def _wait(self, event: Event) -> None:
        with self._lock:
            self._waiting.append(event)
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_behind, name="pull-log", daemon=True)
                self._writer.start()

    def _write_behind(self) -> None:
        while True:
            time.sleep(self._batch_s)
            self.flush()

    def flush(self) -> None:
        """Writes the waiting pulls."""
        with self._lock:
            batch, self._waiting = self._waiting, []
        for start in range(0, len(batch), LARGEST_BATCH):
            self._write(batch[start : start + LARGEST_BATCH])

    def _write(self, events: list[Event]) -> None:
        hours = {(event.repository_id or "", hour_of(event.at)) for event in events}
        new = sorted(hour for hour in hours if hour not in self._hours)
        try:
            self._store.write_pulls(events, new)
        except Exception:  # noqa: BLE001 - a failed record never makes a pull fail
            logger.exception("pulls not recorded", pulls=[event.metadata for event in events])
            return
        for hour in new:
            self._hours.add(hour)


def _puller(actor: Actor, repository: Repository) -> Puller:
    return Puller(actor.name, actor.address, repository.id)


def _agent(actor: Actor) -> dict[str, str]:
    return {"user-agent": actor.agent} if actor.agent else {}


def hour_key(start: float, identity: str) -> str:
    """Returns a sort key in the form of a ULID: the time of the hour and 80 bits of the pull's hash."""
    return ulid(start)[:10] + identity[:16].upper()
