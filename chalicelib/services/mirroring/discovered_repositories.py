"""Makes, changes and leaves the repositories that the mirror of an organization discovered."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.events import ORG_MIRROR_CREATED, ORG_MIRROR_NOT_CREATED
from chalicelib.domain.mirror_runs import CANCELLED
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.organization_mirrors import (
    NAME_REFUSED,
    TAKEN,
    DiscoveredState,
    OrganizationMirrorSettings,
)
from chalicelib.domain.permissions import Actor, HolderKind
from chalicelib.domain.repositories import Mode, Repository
from chalicelib.domain.timers import HasTime
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.mirroring.pulse import RunStopped
from chalicelib.services.mirroring.runs import Runs
from chalicelib.services.registry.repositories import NewRepository, Repositories
from chalicelib.services.security.sealing import Envelope
from chalicelib.storage import keys
from chalicelib.storage.accounts.permissions import RoleHolder
from chalicelib.storage.mirroring.mirrors import MirrorRow
from chalicelib.storage.mirroring.organization_mirrors import DiscoveredRow, OrganizationMirrorRow
from chalicelib.storage.registry.repositories import RepositoryNameRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, Transaction, absent, retry_on_conflict


@dataclass(frozen=True, slots=True)
class OrganizationSource:
    """What an open discovery fills an organization from: its mirror, the settings in it, and the robot that writes."""

    organization: str
    row: OrganizationMirrorRow
    settings: OrganizationMirrorSettings
    robot: Actor

    @property
    def namespace_id(self) -> str:
        """The organization's id."""
        return self.row.namespace_id


@dataclass(frozen=True, slots=True)
class FoundRepository:
    """A repository as the table has it: as discovered, by its name, its mirror, and that of the organization."""

    name: str
    discovered: DiscoveredRow | None
    local: RepositoryNameRow | None
    mirror: MirrorRow | None
    organization: OrganizationMirrorRow | None

    @property
    def is_own(self) -> bool:
        """Whether the mirror of the organization made it."""
        identifier = self.discovered.repository_id if self.discovered else None
        return identifier is not None and self.local is not None and self.local.repository_id == identifier


class DiscoveredRepositories:
    """The repositories of organizations' mirrors."""

    def __init__(
        self,
        usage_log: UsageLog,
        stores: Stores,
        repositories: Callable[[], Repositories],
        runs: Runs,
        envelope: Callable[[], Envelope],
    ) -> None:
        self._usage_log, self._repositories, self._runs, self._envelope = usage_log, repositories, runs, envelope
        self._store, self._mirrors, self._permissions = stores.organization_mirrors, stores.mirrors, stores.permissions
        self._names, self._clock = stores.repositories, stores.clock

    def mirror(self, source: OrganizationSource, name: str) -> None:
        """Has a repository mirrored with the settings of the source: creates it, or changes what differs.

        One that somebody else made keeps its content and is skipped. Raises RunStopped if the discovery has ended.
        """
        retry_on_conflict(lambda: self._mirror(source, name))

    def _mirror(self, source: OrganizationSource, name: str) -> None:
        try:
            full = RepositoryName.within(source.organization, name)
        except FieldInvalid:
            self._fail(source, name)
            return
        found, transaction = self._begin(source, name)
        if found.local is not None and not found.is_own:
            transaction.put(_discovered(source, found, int(self._clock()), reason=TAKEN))
        elif found.local is not None:
            repository = Repository(found.local.repository_id, source.namespace_id, full)
            self._adopt(transaction, source, found.local, repository)
            self._put_mirror(transaction, source, repository, found.mirror)
            transaction.put(_discovered(source, found, int(self._clock()), repository.id))
        else:
            repository = self._create(transaction, source, full)
            self._put_mirror(transaction, source, repository, None)
            transaction.put(_discovered(source, found, int(self._clock()), repository.id))
        transaction.commit()

    def _begin(self, source: OrganizationSource, name: str) -> tuple[FoundRepository, Transaction]:
        """Reads a repository, and begins a change of it that fails if the discovery ends. Raises RunStopped."""
        found, transaction = self._find(source.namespace_id, name), Transaction()
        if not self._store.is_open(found.organization, source.row):
            raise RunStopped
        self._store.require_open(transaction, source.row)
        return found, transaction

    def _find(self, namespace_id: str, name: str) -> FoundRepository:
        batch = Batch()
        discovered = batch.add(DiscoveredRow, keys.discovered(namespace_id, name))
        local = batch.add(RepositoryNameRow, keys.repository_name(namespace_id, name))
        organization = batch.add(OrganizationMirrorRow, keys.organization_mirror(namespace_id))
        batch.read()
        identifier = discovered.row.repository_id if discovered.row else None
        mirror = self._mirrors.get(identifier) if identifier else None
        return FoundRepository(name, discovered.row, local.row, mirror, organization.row)

    def _create(self, transaction: Transaction, source: OrganizationSource, name: RepositoryName) -> Repository:
        new = NewRepository(name, source.settings.visibility)
        repository = self._repositories().add_mirrored(transaction, source.robot, new, source.namespace_id)
        self._mirrors.engage(transaction, source.robot.account_id or "", repository.id)
        self._record(transaction, source, ORG_MIRROR_CREATED, str(name))
        return repository

    def _adopt(
        self, transaction: Transaction, source: OrganizationSource, local: RepositoryNameRow, repository: Repository
    ) -> None:
        """Gives a repository that the mirror made to its robot of today."""
        robot = RoleHolder(source.robot.account_id or "", source.robot.name, HolderKind.ROBOT)
        self._mirrors.give_robot(transaction, local, robot.id, Mode.ORG_MIRROR)
        self._permissions.let_write(transaction, repository, robot)

    def _put_mirror(
        self, transaction: Transaction, source: OrganizationSource, repository: Repository, mirror: MirrorRow | None
    ) -> None:
        version = mirror.version if mirror else None
        row = mirror or MirrorRow.under(
            keys.mirror(repository.id), repository_id=repository.id, namespace_id=source.namespace_id
        )
        row.robot_id = source.robot.account_id or ""
        row.take(source.settings.mirror_of(repository.name.repository), self._envelope().seal)
        self._mirrors.schedule(transaction, row, Mode.ORG_MIRROR, self._clock())
        self._mirrors.put(transaction, row, version)

    def filled(self, namespace_id: str) -> dict[str, str]:
        """Returns the ids of the repositories that the mirror of an organization fills now, by name."""
        rows = self._names.in_namespace(namespace_id, "", 1000)
        return {row.name: row.repository_id for row in rows if row.mode is Mode.ORG_MIRROR}

    def leave_out(self, source: OrganizationSource, name: str, reason: str) -> None:
        """Ends the schedule of a repository that is no longer mirrored; what was copied stays. Raises RunStopped."""
        retry_on_conflict(lambda: self._leave_out(source, name, reason))

    def _leave_out(self, source: OrganizationSource, name: str, reason: str) -> None:
        found, transaction = self._begin(source, name)
        if found.discovered is None:
            return
        identifier = found.discovered.repository_id
        if identifier is None:
            transaction.delete(DiscoveredRow.under(found.discovered.key))
        else:
            transaction.put(_discovered(source, found, int(self._clock()), identifier, reason))
        if found.mirror is not None:
            version, found.mirror.is_enabled = found.mirror.version, 0
            self._mirrors.schedule(transaction, found.mirror, Mode.ORG_MIRROR, self._clock())
            self._mirrors.put(transaction, found.mirror, version)
        transaction.commit()

    def begin_run(self, discovered: DiscoveredRow) -> None:
        """Begins a run of a repository's mirror, unless one is open."""
        if discovered.repository_id and discovered.state is DiscoveredState.MIRRORED:
            self._runs.begin(discovered.repository_id)

    def _fail(self, source: OrganizationSource, name: str) -> None:
        """Says once that a repository cannot be made."""
        found, transaction = self._begin(source, name)
        if found.discovered is None:
            transaction.put(_discovered(source, found, int(self._clock()), reason=NAME_REFUSED))
            full = f"{source.organization}/{name}"
            self._record(transaction, source, ORG_MIRROR_NOT_CREATED, full, message=NAME_REFUSED)
            transaction.commit()

    def leave_all(self, namespace_id: str, has_time: HasTime) -> bool:
        """Makes all repositories NORMAL that a removed mirror made; returns whether it got through.

        Those of a mirror that was set up meanwhile stay as they are.
        """
        for row in self._store.discovered(namespace_id):
            if not has_time():
                return False
            retry_on_conflict(partial(self._leave, namespace_id, row.name))
        return True

    def _leave(self, namespace_id: str, name: str) -> None:
        found, transaction = self._find(namespace_id, name), Transaction()
        if found.discovered is None or found.organization is not None:
            return
        transaction.check(OrganizationMirrorRow, keys.organization_mirror(namespace_id), absent())
        if found.mirror is not None:
            self._mirrors.remove(transaction, found.mirror)
        if found.is_own and found.local is not None and found.local.mode is Mode.ORG_MIRROR:
            self._mirrors.give_robot(transaction, found.local, None, Mode.NORMAL)
        transaction.delete(DiscoveredRow.under(found.discovered.key))
        transaction.commit()

    def end_runs(self, namespace_id: str, before: str, has_time: HasTime) -> bool:
        """Cancels all runs that are open and began before a ULID; returns whether it got through."""
        identifiers = [row.repository_id for row in self._store.discovered(namespace_id) if row.repository_id]
        batch = Batch()
        reads = [batch.add(MirrorRow, keys.mirror(identifier)) for identifier in identifiers]
        if reads:
            batch.read()
        for row in (read.row for read in reads if read.row is not None):
            if not row.status.is_running or row.run is None or row.run >= before:
                continue
            if not has_time():
                return False
            found = self._runs.load(row.repository_id, row.run)
            if found is not None:
                self._runs.end(found, SyncStatus.CANCEL, CANCELLED)
        return True

    def _record(
        self, transaction: Transaction, source: OrganizationSource, kind: str, name: str, **metadata: object
    ) -> None:
        self._usage_log.record_for_namespace(
            source.robot, transaction, kind, source.namespace_id, {"repository": name, **metadata}
        )


def _discovered(
    source: OrganizationSource, found: FoundRepository, now: int, repository_id: str | None = None, reason: str = ""
) -> DiscoveredRow:
    """Returns the row of a discovered repository: without a reason it is mirrored."""
    state = DiscoveredState.FAILED if reason == NAME_REFUSED else DiscoveredState.SKIPPED
    return DiscoveredRow.under(
        keys.discovered(source.namespace_id, found.name),
        repository_id=repository_id,
        state=state if reason else DiscoveredState.MIRRORED,
        reason=reason,
        discovered_at=found.discovered.discovered_at if found.discovered else now,
        applied=source.row.settings_version,
    )
