"""Mirrors: the settings of repositories that are copied from other registries."""

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.errors import (
    DataInvalid,
    MirrorInvalid,
    MirrorTaken,
    NameInvalid,
    ResourceUnknown,
    RobotUnknown,
)
from chalicelib.domain.events import MIRROR_CHANGED, MIRROR_DISABLED, MIRROR_ENABLED
from chalicelib.domain.mirror_changes import FRESH, MirrorChanges, differences
from chalicelib.domain.mirrors import MirrorSettings, MirrorSource
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, HolderKind, Role
from chalicelib.domain.repositories import Mode
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.mirroring.hosts import MirrorHosts
from chalicelib.services.security.access import Access, RepositoryAccess
from chalicelib.services.security.sealing import Envelope
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountRow, RobotRow
from chalicelib.storage.accounts.permissions import RoleHolder
from chalicelib.storage.mirroring.mirrors import MirrorRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, Transaction, retry_on_conflict


@dataclass(frozen=True, slots=True)
class MirrorView:
    """A mirror as its administrators see it. `robot` is its robot's full name, None once the robot is deleted."""

    row: MirrorRow
    settings: MirrorSettings
    robot: str | None


@dataclass(frozen=True, slots=True)
class _MirrorChange:
    """A change of one repository's mirror, in one transaction."""

    actor: Actor
    access: RepositoryAccess
    transaction: Transaction


class Mirrors:
    """Manages mirrors."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores, envelope: Callable[[], Envelope]) -> None:
        self._access, self._usage_log, self._store, self._envelope = access, usage_log, stores.mirrors, envelope
        self._accounts, self._permissions, self._clock = stores.accounts, stores.permissions, stores.clock
        self._hosts = MirrorHosts(stores)

    def get(self, actor: Actor, name: RepositoryName) -> MirrorView:
        """Returns a repository's mirror. Raises ResourceUnknown, NameUnknown, Unauthenticated, Denied."""
        view, _ = self._view(self._access.require_role(actor, name, Role.ADMIN))
        return view

    def _view(self, access: RepositoryAccess) -> tuple[MirrorView, int]:
        """Returns the mirror of a repository, and the version that was read. Raises ResourceUnknown."""
        if access.row.mirror_robot is None:
            raise ResourceUnknown("mirror of", str(access.repository.name))
        batch = Batch()
        mirror = batch.add(MirrorRow, keys.mirror(access.repository.id))
        robot = batch.add(AccountRow, keys.account(access.row.mirror_robot))
        batch.read()
        if mirror.row is None:
            raise ResourceUnknown("mirror of", str(access.repository.name))
        settings = mirror.row.settings(self._envelope().open)
        return MirrorView(mirror.row, settings, robot.row.name if robot.row else None), mirror.row.version

    def create(self, actor: Actor, name: RepositoryName, changes: MirrorChanges) -> None:
        """Makes a repository a mirror: sets it up and the repository's state, and lets its robot write.

        Raises MirrorTaken, MirrorInvalid, RobotUnknown, DataInvalid, NameUnknown, Unauthenticated, Denied.
        """
        retry_on_conflict(lambda: self._create(actor, name, changes))

    def _create(self, actor: Actor, name: RepositoryName, changes: MirrorChanges) -> None:
        access = self._access.require_role(actor, name, Role.ADMIN)
        if access.row.mirror_robot is not None:
            raise MirrorTaken(str(name))
        namespace = self._accounts.namespace(access.repository.namespace_id)
        if namespace is not None and namespace.upstream is not None:
            raise _filled(access)
        change = _MirrorChange(actor, access, Transaction())
        robot, settings = self._robot(access, changes.robot or ""), changes.apply(FRESH)
        self._check_hosts(FRESH.source, settings.source)
        repository = access.repository
        row = MirrorRow.under(
            keys.mirror(repository.id),
            repository_id=repository.id,
            namespace_id=repository.namespace_id,
            robot_id=robot.account_id,
        )
        row.take(settings, self._envelope().seal)
        self._accounts.hold_robot(change.transaction, robot)
        self._let_write(change, robot, changes.robot or "")
        self._store.give_robot(change.transaction, access.row, robot.account_id, Mode.MIRROR)
        self._store.schedule(change.transaction, row, Mode.MIRROR, self._clock())
        self._store.put(change.transaction, row, None)
        self._record(change, MIRROR_ENABLED, robot_username=changes.robot, state=Mode.MIRROR)
        self._record(change, MIRROR_CHANGED, changed="external_reference", to=settings.source.reference)
        change.transaction.commit()

    def change(self, actor: Actor, name: RepositoryName, changes: MirrorChanges) -> None:
        """Changes settings of a mirror, all or none; a run that is open sees them.

        Raises ResourceUnknown, MirrorInvalid, RobotUnknown, DataInvalid, NameUnknown, Unauthenticated, Denied.
        """
        retry_on_conflict(lambda: self._change(actor, name, changes))

    def _change(self, actor: Actor, name: RepositoryName, changes: MirrorChanges) -> None:
        access = self._access.require_role(actor, name, Role.ADMIN)
        view, version = self._view(access)
        self._check_own(access)
        change = _MirrorChange(actor, access, Transaction())
        before, after = view.settings, changes.apply(view.settings)
        self._check_hosts(before.source, after.source)
        changed = differences(before, after)
        if changes.robot is not None:
            changed += self._change_robot(change, view.row, changes.robot)
        if changed:
            view.row.take(after, self._envelope().seal)
            if _schedule(before) != _schedule(after):
                self._store.schedule(change.transaction, view.row, access.row.mode, self._clock())
            self._store.put(change.transaction, view.row, version)
        for field, value in changed:
            self._record(change, MIRROR_CHANGED, changed=field, to=value)
        if not change.transaction.is_empty:
            change.transaction.commit()

    def _change_robot(self, change: _MirrorChange, row: MirrorRow, name: str) -> list[tuple[str, object]]:
        """Lets a robot mirror in place of the former one, which keeps its role."""
        robot = self._robot(change.access, name)
        self._let_write(change, robot, name)
        if robot.account_id == row.robot_id:
            return []
        self._accounts.hold_robot(change.transaction, robot)
        row.robot_id = robot.account_id
        self._store.give_robot(change.transaction, change.access.row, robot.account_id, change.access.row.mode)
        return [("robot_username", name)]

    def delete(self, actor: Actor, name: RepositoryName) -> None:
        """Removes a mirror; what it copied stays, and a repository in state MIRROR becomes NORMAL.

        Raises ResourceUnknown, NameUnknown, Unauthenticated, Denied.
        """
        retry_on_conflict(lambda: self._delete(actor, name))

    def _delete(self, actor: Actor, name: RepositoryName) -> None:
        access = self._access.require_role(actor, name, Role.ADMIN)
        row = self._store.get(access.repository.id)
        if row is None:
            raise ResourceUnknown("mirror of", str(name))
        self._check_own(access)
        change = _MirrorChange(actor, access, Transaction())
        mode = Mode.NORMAL if access.row.mode == Mode.MIRROR else access.row.mode
        self._store.remove(change.transaction, row)
        self._store.give_robot(change.transaction, access.row, None, mode)
        self._record(change, MIRROR_DISABLED, state=mode)
        change.transaction.commit()

    def _check_hosts(self, before: MirrorSource, after: MirrorSource) -> None:
        """Raises FieldInvalid for a new upstream and MirrorInvalid for a new proxy that may not be called."""
        if after.reference != before.reference:
            self._hosts.check(after.reference, "The provided registry location is not allowed")
        self._hosts.check_proxies(before, after)

    def _check_own(self, access: RepositoryAccess) -> None:
        """Raises MirrorInvalid for a repository that the mirror of its organization fills."""
        if access.row.mode is Mode.ORG_MIRROR:
            raise _filled(access)

    def _robot(self, access: RepositoryAccess, name: str) -> RobotRow:
        """Returns a robot of the repository's namespace. Raises RobotUnknown, DataInvalid."""
        try:
            robot_name = RobotName.parse(name)
        except NameInvalid:
            raise RobotUnknown(name) from None
        namespace = access.repository.name.namespace
        if robot_name.namespace != namespace:
            raise DataInvalid(
                "", f"Invalid robot: say in robot_username one of {namespace}, such as {namespace}+mirror"
            )
        row = self._accounts.robot(access.repository.namespace_id, robot_name.robot)
        if row is None:
            raise RobotUnknown(name)
        return row

    def _let_write(self, change: _MirrorChange, robot: RobotRow, name: str) -> None:
        """Gives a robot the role WRITE if it has less."""
        holder = RoleHolder(robot.account_id, name, HolderKind.ROBOT)
        kind = self._permissions.let_write(change.transaction, change.access.repository, holder)
        if kind:
            self._record(change, kind, username=name, role=Role.WRITE)

    def _record(self, change: _MirrorChange, kind: str, **metadata: object) -> None:
        self._usage_log.record_for_repository(
            change.actor, change.transaction, kind, change.access.repository, metadata
        )


def _schedule(settings: MirrorSettings) -> tuple[bool, int, int]:
    return settings.is_enabled, settings.start_at, settings.interval_s


def _filled(access: RepositoryAccess) -> MirrorInvalid:
    namespace = access.repository.name.namespace
    return MirrorInvalid("", f"the repositories of {namespace} come from another registry as a whole: change that")
