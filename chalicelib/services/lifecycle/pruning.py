"""Prunes every hour the tags that policies select, as if a user had deleted them.

Only repositories that accept pushes are pruned. Immutable tags stay, and so do signature tags, which end with the
manifest they belong to. Whatever an index returns is read again from the table before it counts.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace

from chalicelib.domain.events import TAG_PRUNED, Event
from chalicelib.domain.ids import ulid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.policies import Policy, PolicyKind
from chalicelib.domain.repositories import Mode, Repository
from chalicelib.domain.signature_tags import is_signature_tag
from chalicelib.domain.states import NamespaceState
from chalicelib.domain.timers import Due, HasTime, Later
from chalicelib.services.registry.tag_changes import TagChanges
from chalicelib.services.security import patterns
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.keys.timer_targets import NamespaceTarget, RepositoryTarget, Target, read_target
from chalicelib.storage.registry.repositories import RepositoryNameRow
from chalicelib.storage.registry.tags import TagRow, TagStore
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, Transaction, retry_on_conflict

HOUR_S = 3600
# Tags that are read together, tags that are deleted in one transaction, and repositories that are read at once.
PAGE, TAGS_AT_ONCE, REPOSITORIES = 100, 10, 100


@dataclass(frozen=True, slots=True)
class PruneCursor:
    """How far a round has come: past the repository named `after`.

    In the next repository, if that still has the id `repository_id`, the round has reached `policy`: `seen` of its
    tags were counted, and `before` is the life of the last tag that was read.
    """

    after: str = ""
    repository_id: str = ""
    policy: str = ""
    seen: int = 0
    before: str = ""

    @classmethod
    def read(cls, place: str) -> "PruneCursor":
        """Reads the cursor that a timer stores as its place."""
        return cls(*json.loads(place)) if place else cls()

    def __str__(self) -> str:
        return json.dumps(astuple(self))

    def within(self, repository_id: str) -> "PruneCursor":
        """Returns the cursor in a repository: its beginning, unless the round stopped inside this one."""
        return self if self.repository_id == repository_id else PruneCursor(self.after, repository_id)

    def under(self, policy: str) -> "PruneCursor":
        """Returns the cursor at a policy: its beginning, unless the round stopped at this one."""
        return self if self.policy == policy else PruneCursor(self.after, self.repository_id, policy)


@dataclass(frozen=True, slots=True)
class PruneCandidate:
    """A tag that a policy applies to; `rank` is 1 for the newest of them."""

    row: TagRow
    rank: int


@dataclass(frozen=True, slots=True)
class PruneRound:
    """One round through the repositories of a namespace, or one repository; `policies` reads the policies again."""

    policies: Callable[[], Sequence[Policy]]
    repositories: Iterator[Repository]


class PruneCandidates:
    """Finds the tags of a repository that a policy applies to, the newest first."""

    def __init__(self, tags: TagStore, clock: Callable[[], float] = time.time) -> None:
        self._tags, self._clock = tags, clock

    def pages(
        self, repository_id: str, policy: Policy, cursor: PruneCursor
    ) -> Iterator[tuple[list[PruneCandidate], PruneCursor]]:
        """Yields pages of candidates after a cursor, each with the cursor that was reached."""
        for page in _pages(self._tags.newest(repository_id, self._first(policy, cursor), PAGE)):
            rows = self._tags.get_all(repository_id, [row.name for row in page])
            candidates = []
            for old in page:
                row = rows.get(old.name)
                # A tag that was put again meanwhile is among the newest, before this cursor.
                if row is not None and row.life == old.life and self.is_one(row, policy):
                    cursor = replace(cursor, seen=cursor.seen + 1)
                    candidates.append(PruneCandidate(row, cursor.seen))
            cursor = replace(cursor, before=page[-1].view_at)
            yield candidates, cursor

    def _first(self, policy: Policy, cursor: PruneCursor) -> str:
        """Returns the life before which tags are read; a policy by age skips the tags that are too young."""
        age_s = policy.prune.age_s if policy.prune else None
        if cursor.before or age_s is None:
            return cursor.before
        return ulid(max(self._clock() - age_s + 1, 0))

    def is_one(self, row: TagRow, policy: Policy) -> bool:
        """Whether a policy applies to a tag."""
        is_free = row.is_alive(self._clock()) and not row.immutable and not is_signature_tag(row.name, row.digest)
        return is_free and patterns.finds(policy.names, row.name)


class Pruning:
    """Applies auto-prune policies."""

    def __init__(self, stores: Stores) -> None:
        self._stores, self._store, self._tags = stores, stores.policies, stores.tags
        self._repositories, self._accounts, self._usage_log = stores.repositories, stores.accounts, stores.usage_log
        self._clock, self._candidates = stores.clock, PruneCandidates(stores.tags, stores.clock)

    def work(self, due: Due, has_time: HasTime) -> Later | None:
        """Continues a round, or begins the next one an hour after the last; without policies there is none.

        Raises ValueError if the target is neither a namespace nor a repository.
        """
        cursor = PruneCursor.read(due.place)
        one_round = self._round(read_target(due.target), cursor)
        policies = sorted(one_round.policies(), key=lambda one: one.uuid) if one_round else []
        if one_round is None or not policies:
            return None
        left = self._run(one_round, policies, cursor, has_time)
        now = int(self._clock())
        return Later(now, str(left)) if left else Later(now + HOUR_S)

    def _round(self, target: Target, cursor: PruneCursor) -> PruneRound | None:
        match target:
            case NamespaceTarget(namespace_id):
                namespace = self._accounts.namespace(namespace_id)
                if namespace is None or namespace.state != NamespaceState.LIVE:
                    return None
                return PruneRound(
                    lambda: self._store.of_namespace(namespace_id, PolicyKind.PRUNE),
                    self._all(namespace_id, namespace, cursor),
                )
            case RepositoryTarget(repository_id):
                row = self._repositories.get(repository_id)
                if row is None:
                    return None
                name = RepositoryName(row.namespace, row.name)
                # A deleted repository may be restored, so its policies are kept.
                repositories = [Repository(repository_id, row.namespace_id, name)] if row.is_live else []
                return PruneRound(
                    lambda: self._store.of_repository(repository_id, PolicyKind.PRUNE), iter(repositories)
                )
        raise ValueError(f"{target} cannot have policies")

    def _all(self, namespace_id: str, namespace: NamespaceRow, cursor: PruneCursor) -> Iterator[Repository]:
        for row in self._repositories.in_namespace(namespace_id, cursor.after, REPOSITORIES):
            if row.mode == Mode.NORMAL:
                yield Repository(row.repository_id, namespace_id, RepositoryName(namespace.name, row.name))

    def _run(
        self, one_round: PruneRound, policies: Sequence[Policy], cursor: PruneCursor, has_time: HasTime
    ) -> PruneCursor | None:
        """Returns how far the round came when the time was up; None at its end."""
        for repository in one_round.repositories:
            cursor = cursor.within(repository.id)
            for policy in policies:
                if policy.uuid < cursor.policy:
                    continue
                left = self._follow(one_round, repository, policy, cursor.under(policy.uuid), has_time)
                if left is not None:
                    return left
            cursor = PruneCursor(after=repository.name.repository)
        return None

    def _follow(
        self, one_round: PruneRound, repository: Repository, policy: Policy, cursor: PruneCursor, has_time: HasTime
    ) -> PruneCursor | None:
        """Applies one policy to one repository; returns a cursor if the time was up, None at the end."""
        if not has_time():
            return cursor
        for page, reached in self._candidates.pages(repository.id, policy, cursor):
            rows = [one.row for one in page if self._is_pruned(policy, one)]
            for start in range(0, len(rows), TAGS_AT_ONCE):
                if not self._prune(one_round, repository, policy, rows[start : start + TAGS_AT_ONCE]):
                    return None
            if not has_time():
                return reached
        return None

    def _is_pruned(self, policy: Policy, one: PruneCandidate) -> bool:
        prune = policy.prune
        return prune is not None and prune.takes(one.rank, one.row.started_at, self._clock())

    def _prune(self, one_round: PruneRound, repository: Repository, policy: Policy, tags: Sequence[TagRow]) -> bool:
        """Deletes the tags that have not changed; returns False if nothing may be pruned any more."""

        def attempt() -> bool:
            batch = Batch()
            key = keys.repository_name(repository.namespace_id, repository.name.repository)
            name = batch.add(RepositoryNameRow, key)
            namespace = batch.add(NamespaceRow, keys.namespace(repository.namespace_id))
            reads = [(row.life, batch.add(TagRow, keys.tag(repository.id, row.name))) for row in tags]
            batch.read()
            is_open = name.row is not None and name.row.mode == Mode.NORMAL
            is_same = name.row is not None and name.row.repository_id == repository.id
            if namespace.row is None or not is_open or not is_same or policy not in one_round.policies():
                return False
            rows = [read.row for life, read in reads if read.row is not None and read.row.life == life]
            self._delete(
                repository, policy, [row for row in rows if self._candidates.is_one(row, policy)], namespace.row
            )
            return True

        return retry_on_conflict(attempt)

    def _delete(self, repository: Repository, policy: Policy, rows: Sequence[TagRow], namespace: NamespaceRow) -> None:
        if not rows:
            return
        transaction, now = Transaction(), self._clock()
        changes = TagChanges(transaction, repository, self._stores, int(now))
        for row in rows:
            changes.end(row)
            self._usage_log.record(transaction, _event(repository, policy, row, now))
        changes.settle(namespace.window_s)
        self._repositories.require_normal(transaction, repository)
        transaction.commit()


def _event(repository: Repository, policy: Policy, row: TagRow, now: float) -> Event:
    metadata = {
        "performer": "autoprune worker",
        "namespace": repository.name.namespace,
        "repo": repository.name.repository,
        "tag": row.name,
        "manifest_digest": str(row.digest),
        "policy_uuid": policy.uuid,
    }
    return Event(ulid(now), now, TAG_PRUNED, repository.namespace_id, repository.id, "", "", metadata)


def _pages(rows: Iterable[TagRow]) -> Iterator[list[TagRow]]:
    page: list[TagRow] = []
    for row in rows:
        page.append(row)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page
