"""Immutability: tags that were there before a policy change no more once it is made, unless they have an end.

A push looks at the policies as they are when it begins. One that began before a policy was made may end after its tags
were walked: they are walked once more when no such push can be left.
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

# Tags that are looked at together, which one transaction can hold, and repositories that are read at once.
PAGE, REPOSITORIES = 25, 100


@dataclass(frozen=True, slots=True)
class ImmutabilityWalk:
    """How far a walk has come: past a repository by its name; in the one of an id, past a tag.

    `is_second` is for the walk that comes when all pushes of before are over.
    """

    is_second: bool = False
    after: str = ""
    repository_id: str = ""
    tag: str = ""

    @classmethod
    def read(cls, place: str) -> "ImmutabilityWalk":
        """The walk that a timer remembers."""
        return cls(*json.loads(place)) if place else cls()

    def __str__(self) -> str:
        return json.dumps(astuple(self))


class Immutability:
    """Follows policies by which tags may not change, where tags are already."""

    def __init__(self, stores: Stores) -> None:
        self._tags, self._repositories, self._accounts = stores.tags, stores.repositories, stores.accounts
        self._usage = stores.usage_log
        self._clock = stores.clock

    def work(self, due: Due, has_time: HasTime) -> Later | None:
        """Goes on with a walk, of which there are two. Raises ValueError for what no policy is for."""
        walk, target = ImmutabilityWalk.read(due.place), read_target(due.target)
        left = self._walk(target, walk, has_time)
        now = int(self._clock())
        if left is not None:
            return Later(now, str(left))
        return None if walk.is_second else Later(now + SETTLED_S, str(ImmutabilityWalk(is_second=True)))

    def _walk(self, target: Target, walk: ImmutabilityWalk, has_time: HasTime) -> ImmutabilityWalk | None:
        """Where the time was up; None at the end."""
        for repository in self._all(target, walk.after):
            tag = walk.tag if walk.repository_id == repository.id else ""
            while has_time():
                rows = self._page(repository, tag)
                self._fix(target, repository, rows)
                if len(rows) < PAGE:
                    break
                tag = rows[-1].name
            else:
                return ImmutabilityWalk(walk.is_second, walk.after, repository.id, tag)
            walk = ImmutabilityWalk(walk.is_second, repository.name.repository)
        return None

    def _page(self, repository: Repository, after: str) -> list[TagRow]:
        found = []
        for row in self._tags.walk(repository.id, after, PAGE):
            found.append(row)
            if len(found) == PAGE:
                break
        return found

    def _all(self, target: Target, after: str) -> Iterator[Repository]:
        match target:
            case NamespaceTarget(namespace_id):
                namespace = self._accounts.namespace(namespace_id)
                if namespace is not None and namespace.state == NamespaceState.LIVE:
                    for row in self._repositories.in_namespace(namespace_id, after, REPOSITORIES):
                        name = RepositoryName(namespace.name, row.name)
                        yield Repository(row.repository_id, namespace_id, name)
            case RepositoryTarget(repository_id):
                found = self._repositories.get(repository_id)
                if found is not None and found.is_live:
                    yield Repository(repository_id, found.namespace_id, RepositoryName(found.namespace, found.name))
            case _:
                raise ValueError(f"no policy is for {target}")

    def _rules(self, target: Target, repository: Repository) -> list[TagNames]:
        """The policies as they are now."""
        if isinstance(target, NamespaceTarget):
            namespace = self._accounts.namespace(repository.namespace_id)
            return from_text(namespace.immutability) if namespace else []
        row = self._repositories.find(repository.namespace_id, repository.name)
        return from_text(row.immutability) if row and row.repository_id == repository.id else []

    def _fix(self, target: Target, repository: Repository, shown: Sequence[TagRow]) -> None:
        names = [row.name for row in shown if not row.immutable]

        def attempt() -> None:
            rules, now = self._rules(target, repository), self._clock()
            rows = [row for row in self._tags.get_all(repository.id, names).values() if _is_free(row, rules, now)]
            if not rows:
                return
            transaction = Transaction()
            for row in rows:
                self._tags.make_immutable(transaction, row, repository.id)
            self._repositories.require_unchanged(transaction, repository)
            self._usage.record(transaction, _event(repository, rows, now))
            transaction.commit()

        if names:
            retry_on_conflict(attempt)


def _is_free(row: TagRow, rules: Sequence[TagNames], now: float) -> bool:
    """Whether a tag is to be fixed: one that lives without an end."""
    return row.is_alive(now) and row.expires_at is None and not row.immutable and patterns.takes(rules, row.name)


def _event(repository: Repository, rows: Sequence[TagRow], now: float) -> Event:
    told = {
        "namespace": repository.name.namespace,
        "repo": repository.name.repository,
        "tags": [row.name for row in rows],
        "count": len(rows),
    }
    return Event(ulid(now), now, TAGS_FIXED, repository.namespace_id, repository.id, "", "", told)
