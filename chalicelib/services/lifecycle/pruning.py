"""Pruning: every hour the tags go that policies name, as if somebody had deleted them.

Only repositories that take pushes are pruned, and in them neither tags that may not change nor signatures, which go
with what they are about. Whatever an index shows is read again from the table before it counts.
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
# Tags that are looked at together, those of them that go in one transaction, and repositories that are read at once.
PAGE, TAGS_AT_ONCE, REPOSITORIES = 100, 10, 100


@dataclass(frozen=True, slots=True)
class PruneCursor:
    """How far a round has come: past the repository of a name, `after`.

    In the next one, if it is still the one of this id, it has come to a policy, of whose tags `seen` were counted, the
    last of them the life `before`.
    """

    after: str = ""
    repository_id: str = ""
    policy: str = ""
    seen: int = 0
    before: str = ""

    @classmethod
    def read(cls, place: str) -> "PruneCursor":
        """The spot that a timer remembers."""
        return cls(*json.loads(place)) if place else cls()

    def __str__(self) -> str:
        return json.dumps(astuple(self))

    def within(self, repository_id: str) -> "PruneCursor":
        """The same in a repository, whose beginning it is unless it is the one that was being looked at."""
        return self if self.repository_id == repository_id else PruneCursor(self.after, repository_id)

    def under(self, policy: str) -> "PruneCursor":
        """The same under a policy, likewise."""
        return self if self.policy == policy else PruneCursor(self.after, self.repository_id, policy)


@dataclass(frozen=True, slots=True)
class PruneCandidate:
    """A tag that a policy is about; `rank` is 1 for the latest of those."""

    row: TagRow
    rank: int


@dataclass(frozen=True, slots=True)
class PruneRound:
    """One round over what policies are for: by which, where they lie, and through which repositories."""

    policies: Callable[[], Sequence[Policy]]
    repositories: Iterator[Repository]


class PruneCandidates:
    """Which tags of a repository a policy is about, the latest first."""

    def __init__(self, tags: TagStore, clock: Callable[[], float] = time.time) -> None:
        self._tags, self._clock = tags, clock

    def pages(
        self, repository_id: str, policy: Policy, spot: PruneCursor
    ) -> Iterator[tuple[list[PruneCandidate], PruneCursor]]:
        """Those past a spot, some at a time, each time with the spot that is reached."""
        for shown in _pages(self._tags.newest(repository_id, self._first(policy, spot), PAGE)):
            rows = self._tags.get_all(repository_id, [row.name for row in shown])
            found = []
            for old in shown:
                row = rows.get(old.name)
                # One that has begun another life meanwhile is among the latest.
                if row is not None and row.life == old.life and self.is_one(row, policy):
                    spot = replace(spot, seen=spot.seen + 1)
                    found.append(PruneCandidate(row, spot.seen))
            spot = replace(spot, before=shown[-1].view_at)
            yield found, spot

    def _first(self, policy: Policy, spot: PruneCursor) -> str:
        """The life before which tags are looked at: where it goes by age, the young ones need no look."""
        age_s = policy.prune.age_s if policy.prune else None
        if spot.before or age_s is None:
            return spot.before
        return ulid(max(self._clock() - age_s + 1, 0))

    def is_one(self, row: TagRow, policy: Policy) -> bool:
        """Whether a policy is about a tag."""
        is_free = row.is_alive(self._clock()) and not row.immutable and not is_signature_tag(row.name)
        return is_free and patterns.finds(policy.names, row.name)


class Pruning:
    """Follows policies that prune."""

    def __init__(self, stores: Stores) -> None:
        self._stores, self._store, self._tags = stores, stores.policies, stores.tags
        self._repositories, self._accounts, self._usage = stores.repositories, stores.accounts, stores.usage_log
        self._clock, self._candidates = stores.clock, PruneCandidates(stores.tags, stores.clock)

    def work(self, due: Due, has_time: HasTime) -> Later | None:
        """Goes on with a round, or begins the next an hour after one; without policies there is none.

        Raises ValueError for what no policy is for.
        """
        spot = PruneCursor.read(due.place)
        found = self._round(read_target(due.target), spot)
        policies = sorted(found.policies(), key=lambda one: one.uuid) if found else []
        if found is None or not policies:
            return None
        left = self._run(found, policies, spot, has_time)
        now = int(self._clock())
        return Later(now, str(left)) if left else Later(now + HOUR_S)

    def _round(self, target: Target, spot: PruneCursor) -> PruneRound | None:
        match target:
            case NamespaceTarget(namespace_id):
                namespace = self._accounts.namespace(namespace_id)
                if namespace is None or namespace.state != NamespaceState.LIVE:
                    return None
                return PruneRound(
                    lambda: self._store.of_namespace(namespace_id, PolicyKind.PRUNE),
                    self._all(namespace_id, namespace, spot),
                )
            case RepositoryTarget(repository_id):
                row = self._repositories.get(repository_id)
                if row is None:
                    return None
                name = RepositoryName(row.namespace, row.name)
                # One that was deleted may be restored: its policies wait for that.
                repositories = [Repository(repository_id, row.namespace_id, name)] if row.is_live else []
                return PruneRound(
                    lambda: self._store.of_repository(repository_id, PolicyKind.PRUNE), iter(repositories)
                )
        raise ValueError(f"no policy is for {target}")

    def _all(self, namespace_id: str, namespace: NamespaceRow, spot: PruneCursor) -> Iterator[Repository]:
        for row in self._repositories.in_namespace(namespace_id, spot.after, REPOSITORIES):
            if row.mode == Mode.NORMAL:
                yield Repository(row.repository_id, namespace_id, RepositoryName(namespace.name, row.name))

    def _run(
        self, found: PruneRound, policies: Sequence[Policy], spot: PruneCursor, has_time: HasTime
    ) -> PruneCursor | None:
        """Where the time was up; None at the end of the round."""
        for repository in found.repositories:
            spot = spot.within(repository.id)
            for policy in policies:
                if policy.uuid < spot.policy:
                    continue
                left = self._follow(found, repository, policy, spot.under(policy.uuid), has_time)
                if left is not None:
                    return left
            spot = PruneCursor(after=repository.name.repository)
        return None

    def _follow(
        self, found: PruneRound, repository: Repository, policy: Policy, spot: PruneCursor, has_time: HasTime
    ) -> PruneCursor | None:
        """Follows one policy in one repository."""
        if not has_time():
            return spot
        for page, reached in self._candidates.pages(repository.id, policy, spot):
            going = [one.row for one in page if self._goes(policy, one)]
            for start in range(0, len(going), TAGS_AT_ONCE):
                if not self._prune(found, repository, policy, going[start : start + TAGS_AT_ONCE]):
                    return None
            if not has_time():
                return reached
        return None

    def _goes(self, policy: Policy, one: PruneCandidate) -> bool:
        prune = policy.prune
        return prune is not None and prune.takes(one.rank, one.row.started_at, self._clock())

    def _prune(self, found: PruneRound, repository: Repository, policy: Policy, going: Sequence[TagRow]) -> bool:
        """Takes tags away that are as they were; False where nothing may be pruned any more."""

        def attempt() -> bool:
            batch = Batch()
            key = keys.repository_name(repository.namespace_id, repository.name.repository)
            name = batch.add(RepositoryNameRow, key)
            namespace = batch.add(NamespaceRow, keys.namespace(repository.namespace_id))
            reads = [(row.life, batch.add(TagRow, keys.tag(repository.id, row.name))) for row in going]
            batch.read()
            is_open = name.row is not None and name.row.mode == Mode.NORMAL
            is_same = name.row is not None and name.row.repository_id == repository.id
            if namespace.row is None or not is_open or not is_same or policy not in found.policies():
                return False
            rows = [read.row for life, read in reads if read.row is not None and read.row.life == life]
            self._take(repository, policy, [row for row in rows if self._candidates.is_one(row, policy)], namespace.row)
            return True

        return retry_on_conflict(attempt)

    def _take(self, repository: Repository, policy: Policy, rows: Sequence[TagRow], namespace: NamespaceRow) -> None:
        if not rows:
            return
        transaction, now = Transaction(), self._clock()
        moves = TagChanges(transaction, repository, self._stores, int(now))
        for row in rows:
            moves.end(row)
            self._usage.record(transaction, _event(repository, policy, row, now))
        moves.settle(namespace.window_s)
        self._repositories.require_normal(transaction, repository)
        transaction.commit()


def _event(repository: Repository, policy: Policy, row: TagRow, now: float) -> Event:
    told = {
        "performer": "autoprune worker",
        "namespace": repository.name.namespace,
        "repo": repository.name.repository,
        "tag": row.name,
        "manifest_digest": str(row.digest),
        "policy_uuid": policy.uuid,
    }
    return Event(ulid(now), now, TAG_PRUNED, repository.namespace_id, repository.id, "", "", told)


def _pages(rows: Iterable[TagRow]) -> Iterator[list[TagRow]]:
    page: list[TagRow] = []
    for row in rows:
        page.append(row)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page
