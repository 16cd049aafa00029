"""Predicts when a tag ends and what is removed then, and previews what a new policy would prune."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ResourceUnknown
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import Actor, Role
from chalicelib.domain.policies import Policy, PolicyKind
from chalicelib.domain.repositories import Mode, Repository
from chalicelib.domain.timers import PRUNE
from chalicelib.services.lifecycle.policies import Policies, PolicyHolder, PolicyRequest
from chalicelib.services.lifecycle.pruning import PAGE, REPOSITORIES, PruneCandidates, PruneCursor
from chalicelib.services.lifecycle.reclaimable import Reclaimable, ReclaimableManifests
from chalicelib.services.registry.tag_changes import kept_life
from chalicelib.services.security.access import Access, RepositoryAccess
from chalicelib.services.security.sealing import PageTokens
from chalicelib.storage import keys
from chalicelib.storage.lifecycle.policies import PolicyOwner
from chalicelib.storage.registry.repositories import RepositoryNameRow
from chalicelib.storage.registry.tags import LifeRow, TagRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.timers import TimerStore

# What one response contains or reads at most: pruned tags, tags that are read, and repositories.
MOST_PRUNED, MOST_READ, MOST_REPOSITORIES = 25, 4000, 200
# Why a tag ends or ended; a policy that has pruned a tag has deleted it, as a user does.
EXPIRATION, POLICY, DELETION = "expiration", "policy", "deletion"


@dataclass(frozen=True, slots=True)
class PruningPolicy:
    """A policy that applies to a tag; `prunes_at` is the second at which it prunes the tag, None if it keeps it now."""

    policy: Policy
    is_namespace: bool
    prunes_at: int | None


@dataclass(frozen=True, slots=True)
class TagRetention:
    """When a tag ends or ended and why, both None if it stays, and what is removed `window_s` seconds after its end.

    If the tag stays, `reclaimable` is what would be removed if it were deleted now. Only administrators get `pruners`.
    """

    tag: TagRow | LifeRow
    expires_at: int | None
    ends_at: int | None
    cause: str | None
    window_s: int
    pruners: tuple[PruningPolicy, ...]
    reclaimable: ReclaimableManifests


@dataclass(frozen=True, slots=True)
class PrunePreview:
    """Tags that a policy would prune, what is removed with them for each repository, and where the next page begins."""

    tags: tuple[tuple[Repository, TagRow], ...]
    reclaimable: tuple[ReclaimableManifests, ...]
    window_s: int
    following: str | None


class Retention:
    """Predicts what happens to tags."""

    def __init__(
        self, access: Access, stores: Stores, policies: Policies, reclaimable: Reclaimable, pages: PageTokens
    ) -> None:
        self._access, self._policies, self._store, self._tags = access, policies, stores.policies, stores.tags
        self._repositories, self._accounts, self._reclaimable = stores.repositories, stores.accounts, reclaimable
        self._stores, self._pages, self._clock = stores, pages, stores.clock
        self._candidates = PruneCandidates(stores.tags, stores.clock)

    def of(self, actor: Actor, name: RepositoryName, tag: Tag, after: str = "") -> TagRetention:
        """Returns the retention of a tag that is alive or in the Time Machine, with the blobs after the digest `after`.

        Raises ResourceUnknown, NameUnknown, Denied.
        """
        repository_access = self._access.require_role(actor, name, Role.READ)
        row = self._tags.get(repository_access.repository.id, tag)
        namespace = self._accounts.namespace(repository_access.repository.namespace_id)
        window_s = namespace.window_s if namespace else 0
        if row is None or not row.is_alive(self._clock()):
            return self._of_ended(repository_access.repository, tag, window_s, after)
        pruners = tuple(self._pruners(repository_access, row))
        ends = [(one.prunes_at, POLICY) for one in pruners if one.prunes_at is not None]
        ends += [(row.expires_at, EXPIRATION)] if row.expires_at is not None else []
        ends_at, cause = min(ends, default=(None, None))
        at = self._clock() if ends_at is None else ends_at
        reclaimable = self._reclaimable.of(repository_access.repository.id, {row.digest: [tag]}, at, after)
        shown = pruners if repository_access.has(Role.ADMIN) else ()
        return TagRetention(row, row.expires_at, ends_at, cause, window_s, shown, reclaimable)

    def _of_ended(self, repository: Repository, tag: Tag, window_s: int, after: str) -> TagRetention:
        """Returns the retention of a tag by its last life. Raises ResourceUnknown unless the Time Machine keeps it."""
        life = kept_life(repository, tag, self._stores, window_s)
        ended_at = life.ended_at if life else None
        if life is None or ended_at is None:
            raise ResourceUnknown("tag", tag)
        reclaimable = self._reclaimable.of(repository.id, {life.digest: [tag]}, ended_at, after)
        expires_at, cause = (None, DELETION) if life.is_cut else (ended_at, EXPIRATION)
        return TagRetention(life, expires_at, ended_at, cause, window_s, (), reclaimable)

    def _pruners(self, repository_access: RepositoryAccess, row: TagRow) -> Iterator[PruningPolicy]:
        """Yields the policies that apply to a tag."""
        repository = repository_access.repository
        if repository_access.row.mode != Mode.NORMAL:
            return
        places = (
            (self._store.of_namespace(repository.namespace_id, PolicyKind.PRUNE), repository.namespace_id),
            (self._store.of_repository(repository.id, PolicyKind.PRUNE), None),
        )
        for policies, namespace_id in places:
            for policy in policies:
                if self._candidates.is_one(row, policy):
                    at = self._prunes_at(repository, policy, row, namespace_id)
                    yield PruningPolicy(policy, namespace_id is not None, at)

    def _prunes_at(self, repository: Repository, policy: Policy, row: TagRow, namespace_id: str | None) -> int | None:
        """Returns when a policy prunes a tag: in the next round, or, by age, in the first round after its time."""
        target = keys.namespace_target(namespace_id) if namespace_id else keys.repository_target(repository.id)
        timer = TimerStore().get(PRUNE, target)
        soonest = max(int(self._clock()), timer.due_at if timer else 0)
        prune = policy.prune
        if prune is not None and prune.age_s is not None:
            return max(soonest, row.started_at + prune.age_s)
        is_past = prune is not None and self._is_past(repository, policy, row, prune.most or 0)
        return soonest if is_past else None

    def _is_past(self, repository: Repository, policy: Policy, row: TagRow, most: int) -> bool:
        """Whether a policy that keeps `most` tags prunes this one; False if there are too many tags to read."""
        for number, (page, _) in enumerate(self._candidates.pages(repository.id, policy, PruneCursor())):
            for one in page:
                if one.row.name == row.name:
                    return one.rank > most
                if one.rank >= most:
                    return True
            if (number + 1) * PAGE >= MOST_READ:
                break
        return False

    def preview(self, actor: Actor, holder: PolicyHolder, fields: PolicyRequest, page: str = "") -> PrunePreview:
        """Returns what a policy would prune now.

        Raises FieldInvalid, ResourceUnknown, NameUnknown, Unauthenticated, Denied.
        """
        owner = self._policies.owner(actor, holder)
        policy = fields.policy("")
        purpose = f"prune {owner.id} {policy.names} {policy.prune}"
        namespace = self._accounts.namespace(owner.namespace_id)
        pruned, left = self._pruned(owner, policy, PruneCursor.read(self._pages.open(purpose, page)))
        reclaimable = [
            self._reclaimable.of(identifier, names, self._clock())
            for identifier, names in _by_repository(pruned).items()
        ]
        following = self._pages.seal(purpose, str(left)) if left else None
        return PrunePreview(tuple(pruned), tuple(reclaimable), namespace.window_s if namespace else 0, following)

    def _pruned(
        self, owner: PolicyOwner, policy: Policy, cursor: PruneCursor
    ) -> tuple[list[tuple[Repository, TagRow]], PruneCursor | None]:
        """Returns a page of the tags that are pruned, and the cursor of the next page."""
        pruned: list[tuple[Repository, TagRow]] = []
        read = 0
        for number, repository in enumerate(self._all(owner, cursor.after)):
            if number == MOST_REPOSITORIES:
                return pruned, cursor
            cursor = cursor.within(repository.id)
            for page, reached in self._candidates.pages(repository.id, policy, cursor):
                for one in page:
                    if policy.prune and policy.prune.takes(one.rank, one.row.started_at, self._clock()):
                        pruned.append((repository, one.row))
                        if len(pruned) == MOST_PRUNED:
                            return pruned, replace(cursor, seen=one.rank, before=one.row.view_at)
                read += PAGE
                if read >= MOST_READ:
                    return pruned, reached
            cursor = PruneCursor(after=repository.name.repository)
        return pruned, None

    def _all(self, owner: PolicyOwner, after: str) -> Iterator[Repository]:
        """Yields the repositories that are pruned."""
        if owner.repository is not None:
            if isinstance(owner.row, RepositoryNameRow) and owner.row.mode == Mode.NORMAL:
                yield owner.repository
            return
        for row in self._repositories.in_namespace(owner.id, after, REPOSITORIES):
            if row.mode == Mode.NORMAL:
                yield Repository(row.repository_id, owner.id, RepositoryName(owner.row.name, row.name))


def _by_repository(pruned: list[tuple[Repository, TagRow]]) -> Mapping[str, Mapping[Digest, list[str]]]:
    """Groups tags by the id of their repository and by their digest."""
    grouped: dict[str, dict[Digest, list[str]]] = defaultdict(lambda: defaultdict(list))
    for repository, row in pruned:
        grouped[repository.id][row.digest].append(row.name)
    return grouped
