"""Makes existing tags immutable when a policy is made that names them, unless they expire.

A push reads the policies when it begins. A push that began before the policy was made may end after the walk through
the tags; a second walk therefore follows when no such push can still be running.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass

from chalicelib.domain.events import TAGS_FIXED, Event
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.policies import TagNames, from_text
from chalicelib.domain.repositories import Repository
from chalicelib.domain.states import NamespaceState
from chalicelib.domain.timers import SETTLED_S, Due, HasTime, Later
from chalicelib.services.security import patterns
from chalicelib.storage.keys.timer_targets import NamespaceTarget, RepositoryTarget, Target, read_target
from chalicelib.storage.registry.tags import TagRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, retry_on_conflict

# How many tags one transaction changes, and how many repositories are read at once.
PAGE, REPOSITORIES = 25, 100


@dataclass(frozen=True, slots=True)
class ImmutabilityCursor:
    """How far a walk has come: past the repository named `after`, and past `tag` in the repository of `repository_id`.

    `is_second` marks the second walk, when no push from before the policy can still be running.
    """

    is_second: bool = False
    after: str = ""
    repository_id: str = ""
    tag: str = ""

    @classmethod
    def read(cls, place: str) -> "ImmutabilityCursor":
        """Reads the cursor that a timer stores as its place."""
        return cls(*json.loads(place)) if place else cls()

    def __str__(self) -> str:
        return json.dumps(astuple(self))


class Immutability:
    """Makes the existing tags immutable that a policy names."""

    def __init__(self, stores: Stores) -> None:
        self._tags, self._repositories, self._accounts = stores.tags, stores.repositories, stores.accounts
        self._usage_log = stores.usage_log
        self._clock = stores.clock

    def work(self, due: Due, has_time: HasTime) -> Later | None:
        """Continues one of the two walks. Raises ValueError if the target is neither a namespace nor a repository."""
        cursor, target = ImmutabilityCursor.read(due.place), read_target(due.target)
        left = self._walk(target, cursor, has_time)
        now = int(self._clock())
        if left is not None:
            return Later(now, str(left))
        return None if cursor.is_second else Later(now + SETTLED_S, str(ImmutabilityCursor(is_second=True)))

    def _walk(self, target: Target, cursor: ImmutabilityCursor, has_time: HasTime) -> ImmutabilityCursor | None:
        """Returns how far the walk came when the time was up; None at the end."""
        for repository in self._all(target, cursor.after):
            tag = cursor.tag if cursor.repository_id == repository.id else ""
            while has_time():
                rows = self._page(repository, tag)
                self._fix(target, repository, rows)
                if len(rows) < PAGE:
                    break
                tag = rows[-1].name
            else:
                return ImmutabilityCursor(cursor.is_second, cursor.after, repository.id, tag)
            cursor = ImmutabilityCursor(cursor.is_second, repository.name.repository)
        return None

    def _page(self, repository: Repository, after: str) -> list[TagRow]:
        rows = []
        for row in self._tags.walk(repository.id, after, PAGE):
            rows.append(row)
            if len(rows) == PAGE:
                break
        return rows

    def _all(self, target: Target, after: str) -> Iterator[Repository]:
        match target:
            case NamespaceTarget(namespace_id):
                namespace = self._accounts.namespace(namespace_id)
                if namespace is not None and namespace.state == NamespaceState.LIVE:
                    for row in self._repositories.in_namespace(namespace_id, after, REPOSITORIES):
                        name = RepositoryName(namespace.name, row.name)
                        yield Repository(row.repository_id, namespace_id, name)
            case RepositoryTarget(repository_id):
                repository = self._repositories.get(repository_id)
                if repository is not None and repository.is_live:
                    name = RepositoryName(repository.namespace, repository.name)
                    yield Repository(repository_id, repository.namespace_id, name)
            case _:
                raise ValueError(f"{target} cannot have policies")

    def _rules(self, target: Target, repository: Repository) -> list[TagNames]:
        """Returns the policies as they are now."""
        if isinstance(target, NamespaceTarget):
            namespace = self._accounts.namespace(repository.namespace_id)
            return from_text(namespace.immutability) if namespace else []
        row = self._repositories.find(repository.namespace_id, repository.name)
        return from_text(row.immutability) if row and row.repository_id == repository.id else []

    def _fix(self, target: Target, repository: Repository, tags: Sequence[TagRow]) -> None:
        names = [row.name for row in tags if not row.immutable]

        def attempt() -> None:
            rules, now = self._rules(target, repository), self._clock()
            rows = [row for row in self._tags.get_all(repository.id, names).values() if _is_free(row, rules, now)]
            if not rows:
                return
            transaction = Transaction()
            for row in rows:
                self._tags.make_immutable(transaction, row, repository.id)
            self._repositories.require_unchanged(transaction, repository)
            self._usage_log.record(transaction, _event(repository, rows, now))
            transaction.commit()

        if names:
            retry_on_conflict(attempt)


def _is_free(row: TagRow, rules: Sequence[TagNames], now: float) -> bool:
    """Whether a policy makes a tag immutable: it is alive, does not expire and is not immutable yet."""
    return row.is_alive(now) and row.expires_at is None and not row.immutable and patterns.takes(rules, row.name)


def _event(repository: Repository, rows: Sequence[TagRow], now: float) -> Event:
    metadata = {
        "namespace": repository.name.namespace,
        "repo": repository.name.repository,
        "tags": [row.name for row in rows],
        "count": len(rows),
    }
    return Event(ulid(now), now, TAGS_FIXED, repository.namespace_id, repository.id, "", "", metadata)
