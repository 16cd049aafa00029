"""Services of the room `accounts`."""

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.storage.stores import Stores
from chalicelib.wiring.activity import ActivityRoom
from chalicelib.wiring.security import SecurityRoom

if TYPE_CHECKING:
    from chalicelib.services.accounts.account_deletion import AccountDeletion
    from chalicelib.services.accounts.accounts import Accounts
    from chalicelib.services.accounts.messages import Messages
    from chalicelib.services.accounts.namespace_purge import NamespacePurge
    from chalicelib.services.accounts.organizations import Organizations
    from chalicelib.services.accounts.permissions import Permissions
    from chalicelib.services.accounts.prototypes import Prototypes
    from chalicelib.services.accounts.quotas import Quotas
    from chalicelib.services.accounts.registry_size import RegistrySizes
    from chalicelib.services.accounts.renames import Renames
    from chalicelib.services.accounts.robots import Robots
    from chalicelib.services.accounts.superusers import Superusers
    from chalicelib.services.accounts.teams import Teams
    from chalicelib.services.accounts.user_notifications import UserNotifications


class AccountsRoom:
    """Users, organizations, teams and robots, their permissions, quotas and messages."""

    def __init__(self, stores: Stores, security: SecurityRoom, activity: ActivityRoom) -> None:
        self._stores, self._security, self._activity = stores, security, activity

    @cached_property
    def accounts(self) -> "Accounts":
        from chalicelib.services.accounts.accounts import Accounts

        return Accounts(self._security.access, self._activity.usage_log, self._stores, self._security.throttles)

    @cached_property
    def account_deletion(self) -> "AccountDeletion":
        from chalicelib.services.accounts.account_deletion import AccountDeletion

        return AccountDeletion(self._security.access, self._activity.usage_log, self._stores)

    @cached_property
    def messages(self) -> "Messages":
        from chalicelib.services.accounts.messages import Messages

        return Messages(self._security.access, self._activity.usage_log, self._stores)

    @cached_property
    def namespace_purge(self) -> "NamespacePurge":
        from chalicelib.services.accounts.namespace_purge import NamespacePurge

        return NamespacePurge(self._stores, self.account_deletion)

    @cached_property
    def organizations(self) -> "Organizations":
        from chalicelib.services.accounts.organizations import Organizations

        return Organizations(self._security.access, self._activity.usage_log, self._stores)

    @cached_property
    def permissions(self) -> "Permissions":
        from chalicelib.services.accounts.permissions import Permissions

        return Permissions(self._security.access, self._activity.usage_log, self._stores)

    @cached_property
    def prototypes(self) -> "Prototypes":
        from chalicelib.services.accounts.prototypes import Prototypes

        return Prototypes(self._security.access, self._activity.usage_log, self._stores)

    @cached_property
    def quotas(self) -> "Quotas":
        from chalicelib.services.accounts.quotas import Quotas

        return Quotas(self._security.access, self._activity.usage_log, self._stores)

    @cached_property
    def registry_sizes(self) -> "RegistrySizes":
        from chalicelib.services.accounts.registry_size import RegistrySizes

        return RegistrySizes(self._security.access, self._stores)

    @cached_property
    def renames(self) -> "Renames":
        from chalicelib.services.accounts.renames import Renames

        return Renames(self._security.access, self._activity.usage_log, self._stores)

    @cached_property
    def robots(self) -> "Robots":
        from chalicelib.services.accounts.robots import Robots

        return Robots(self._security.access, self._activity.usage_log, self._stores, self._security.envelope)

    @cached_property
    def superusers(self) -> "Superusers":
        from chalicelib.services.accounts.superusers import Superusers

        return Superusers(
            self._security.access, self._activity.usage_log, self._stores, self.accounts, self._security.epochs
        )

    @cached_property
    def teams(self) -> "Teams":
        from chalicelib.services.accounts.teams import Teams

        return Teams(self._security.access, self._activity.usage_log, self._stores)

    @cached_property
    def user_notifications(self) -> "UserNotifications":
        from chalicelib.services.accounts.user_notifications import UserNotifications

        return UserNotifications(self._security.access, self._stores)
