"""Tells whether mirrors work: how many are in which state, and what is wrong with some of them, as Quay does."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.errors import ResourceUnknown
from chalicelib.domain.mirrors import RETRY_PAUSES_S, SyncStatus
from chalicelib.domain.permissions import Actor
from chalicelib.domain.scopes import ORG_ADMIN, USER_ADMIN, acts_as_superuser, allows
from chalicelib.services.security.access import Access, refusal
from chalicelib.storage.mirroring.mirrors import MirrorRow
from chalicelib.storage.mirroring.sources import ScheduledRow
from chalicelib.storage.stores import Stores

# Quay's numbers: the part of failed mirrors above which all is unhealthy, and how many mirrors each issue names.
MOST_FAILED, SAMPLES = 0.2, 5
STALE_S = 86_400
LARGEST_PAGE = 1000


@dataclass(frozen=True, slots=True)
class MirrorIssue:
    """What is wrong with one mirror or with all. `severity` is Quay's word."""

    severity: str
    message: str


@dataclass(frozen=True, slots=True)
class MirrorState:
    """How far a mirror is; `repository` is its full name."""

    repository: str
    row: MirrorRow


@dataclass(frozen=True, slots=True)
class HealthOfMirrors:
    """The state of all mirrors whose schedule may begin runs. `page` is the part of them that was asked for."""

    counts: Counter[SyncStatus]
    issues: Sequence[MirrorIssue]
    page: Sequence[MirrorState]
    is_healthy: bool
    has_more: bool
    checked_at: float


@dataclass(frozen=True, slots=True)
class MirrorPage:
    """Which mirrors to show one by one: at most `limit`, after the first `offset`."""

    limit: int = 0
    offset: int = 0


class MirrorHealth:
    """The health of mirrors."""

    def __init__(self, access: Access, stores: Stores) -> None:
        self._access, self._store, self._clock = access, stores.mirrors, stores.clock

    def of_namespace(self, actor: Actor, namespace: str, page: MirrorPage) -> HealthOfMirrors:
        """Returns the health of a namespace's mirrors, for its members and superusers.

        Raises ResourceUnknown, Unauthenticated, Denied.
        """
        access = self._access.namespace_access(actor, namespace)
        if access is None:
            raise refusal(actor, namespace, "read") if actor.is_anonymous else ResourceUnknown("namespace", namespace)
        scope = USER_ADMIN if access.kind is AccountKind.USER else ORG_ADMIN
        if not acts_as_superuser(actor) and (access.role is None or not allows(actor.scopes, scope)):
            raise refusal(actor, namespace, "read")
        return self._health(self._store.active(access.id), page)

    def of_all(self, actor: Actor, page: MirrorPage, namespace: str | None = None) -> HealthOfMirrors:
        """Returns the health of all mirrors, or of a namespace's, for superusers. Raises as `of_namespace` does."""
        self._access.superuser(actor)
        return self.of_namespace(actor, namespace, page) if namespace else self._health(self._store.active(), page)

    def _health(self, rows: Sequence[MirrorRow], page: MirrorPage) -> HealthOfMirrors:
        now, counts = self._clock(), Counter(row.status for row in rows)
        samples = _samples(rows, now)
        shown = rows[page.offset : page.offset + page.limit]
        wanted = {row.repository_id for _, _, row in samples} | {row.repository_id for row in shown}
        repositories = self._store.names(sorted(wanted)) if wanted else {}
        names = {identifier: f"{row.namespace}/{row.name}" for identifier, row in repositories.items()}
        issues = [
            MirrorIssue(severity, f"Repository {names[row.repository_id]} {what}")
            for severity, what, row in samples
            if row.repository_id in names
        ]
        failed = _failed_part(counts)
        is_healthy = failed <= MOST_FAILED
        if not is_healthy:
            why = f"{failed:.1%} of repositories are failing (threshold: {MOST_FAILED:.1%})"
            issues.insert(0, MirrorIssue("critical", why))
        states = [MirrorState(names[row.repository_id], row) for row in shown if row.repository_id in names]
        return HealthOfMirrors(counts, issues, states, is_healthy, page.offset + len(shown) < len(rows), now)


def retries_left(row: ScheduledRow) -> int:
    """Returns how often a run that fails is tried again before the schedule begins the next."""
    return 0 if row.status is SyncStatus.CANCEL else max(len(RETRY_PAUSES_S) - row.tries, 0)


def _samples(rows: Sequence[MirrorRow], now: float) -> list[tuple[str, str, MirrorRow]]:
    """Returns some mirrors with what is wrong with them, each with its severity."""
    is_stale = [row for row in rows if row.synced_at is not None and row.synced_at < now - STALE_S]
    stale = [row for row in is_stale if row.status is not SyncStatus.SYNCING]
    never = [row for row in rows if row.status is SyncStatus.NEVER_RUN]
    failing = [row for row in rows if row.status is SyncStatus.FAIL and retries_left(row) == 0]
    kinds = (
        ("warning", "hasn't synced in over 24 hours", stale),
        ("warning", "has never been synced", never),
        ("error", "has exhausted all retry attempts", failing),
    )
    return [(severity, what, row) for severity, what, found in kinds for row in found[:SAMPLES]]


def _failed_part(counts: Counter[SyncStatus]) -> float:
    """Returns which part of the mirrors that have run has failed."""
    ran = counts.total() - counts[SyncStatus.NEVER_RUN]
    return counts[SyncStatus.FAIL] / ran if ran else 0.0
