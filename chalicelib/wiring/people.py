"""Services of accounts: who somebody is, what belongs to whom."""

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.services.identity.authentication import Authentication
from chalicelib.services.identity.tokens import Tokens
from chalicelib.services.security.signing import Signing
from chalicelib.services.security.throttles import Throttles
from chalicelib.storage.security.throttles import ThrottleStore
from chalicelib.wiring.foundations import Foundations

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
    from chalicelib.services.identity.app_tokens import AppTokens
    from chalicelib.services.identity.applications import Applications
    from chalicelib.services.identity.assignments import Assignments
    from chalicelib.services.identity.authorizations import Authorizations
    from chalicelib.services.identity.federation import Federation
    from chalicelib.services.identity.oauth import OAuth
    from chalicelib.services.identity.sessions import Sessions
    from chalicelib.services.identity.setup import Setup


class People(Foundations):
    """Services of accounts and of who they are."""

    @cached_property
    def accounts(self) -> "Accounts":
        """Users."""
        from chalicelib.services.accounts.accounts import Accounts

        return Accounts(self.access, self.usage, self._accounts, self._clock)

    @cached_property
    def departures(self) -> "AccountDeletion":
        """The end of users."""
        from chalicelib.services.accounts.account_deletion import AccountDeletion
        from chalicelib.storage.accounts.account_deletion import AccountDeletionStore

        store = AccountDeletionStore(self._applications, self._teams, self._permissions)
        return AccountDeletion(self.access, self.usage, self._accounts, self._teams, store, self._clock)

    @cached_property
    def setup(self) -> "Setup":
        """The first user."""
        from chalicelib.services.identity.setup import Setup

        return Setup(
            self.usage, self.accounts, self.authorizations, self._applications, self.secrets.setup, self._clock
        )

    @cached_property
    def superusers(self) -> "Superusers":
        """Accounts of others."""
        from chalicelib.services.accounts.superusers import Superusers
        from chalicelib.storage.accounts.user_notifications import UserNotificationStore

        return Superusers(self.access, self.usage, self.accounts, self._accounts, UserNotificationStore(), self._clock)

    @cached_property
    def registry_sizes(self) -> "RegistrySizes":
        """Bytes of everybody."""
        from chalicelib.services.accounts.registry_size import RegistrySizes
        from chalicelib.storage.accounts.registry_size import RegistrySizeStore

        return RegistrySizes(self.access, RegistrySizeStore(self._accounts), self._clock)

    @cached_property
    def notices(self) -> "UserNotifications":
        """What users are told."""
        from chalicelib.services.accounts.user_notifications import UserNotifications
        from chalicelib.storage.accounts.user_notifications import UserNotificationStore

        return UserNotifications(self.access, UserNotificationStore())

    @cached_property
    def robots(self) -> "Robots":
        """Robots."""
        from chalicelib.services.accounts.robots import Robots

        return Robots(
            self.access,
            self.usage,
            self._accounts,
            self._tokens,
            self._teams,
            self._permissions,
            self._repositories,
            self._envelope,
            self._clock,
        )

    @cached_property
    def organizations(self) -> "Organizations":
        """Organizations."""
        from chalicelib.services.accounts.organizations import Organizations

        return Organizations(
            self.access,
            self.usage,
            self._accounts,
            self._teams,
            self._permissions,
            self._repositories,
            self._clock,
        )

    @cached_property
    def teams(self) -> "Teams":
        """Teams."""
        from chalicelib.services.accounts.teams import Teams

        return Teams(
            self.access,
            self.usage,
            self._teams,
            self._accounts,
            self._permissions,
            self._repositories,
            self._clock,
        )

    @cached_property
    def permissions(self) -> "Permissions":
        """Roles on repositories."""
        from chalicelib.services.accounts.permissions import Permissions

        return Permissions(self.access, self.usage, self._permissions, self._accounts, self._teams)

    @cached_property
    def renames(self) -> "Renames":
        """Other names of organizations."""
        from chalicelib.domain.timers import SETTLED_S
        from chalicelib.services.accounts.renames import Renames
        from chalicelib.storage.accounts.renames import RenameStore

        settled_s = self.settings.token_s + SETTLED_S
        return Renames(self.access, self.usage, self._accounts, RenameStore(), settled_s, self._clock)

    @cached_property
    def purges(self) -> "NamespacePurge":
        """What deleted namespaces and teams leave."""
        from chalicelib.services.accounts.namespace_purge import NamespacePurge
        from chalicelib.storage.accounts.namespace_purge import NamespacePurgeStore
        from chalicelib.storage.accounts.renames import RenameStore

        store = NamespacePurgeStore(
            self._repositories, self._teams, self._permissions, self._applications, RenameStore()
        )
        settled_s = self.settings.token_s + self.settings.lease_s
        return NamespacePurge(store, self._accounts, self.departures, settled_s, self._clock)

    @cached_property
    def prototypes(self) -> "Prototypes":
        """Default permissions."""
        from chalicelib.services.accounts.prototypes import Prototypes
        from chalicelib.storage.accounts.prototypes import PrototypeStore

        return Prototypes(
            self.access,
            self.usage,
            PrototypeStore(),
            self._accounts,
            self._teams,
            self._permissions,
            self._clock,
        )

    @cached_property
    def applications(self) -> "Applications":
        """OAuth applications."""
        from chalicelib.services.identity.applications import Applications

        is_plain = self.settings.url.startswith("http:")
        return Applications(self.access, self.usage, self._applications, self._envelope, self._clock, is_plain=is_plain)

    @cached_property
    def apptokens(self) -> "AppTokens":
        """App tokens."""
        from chalicelib.services.identity.app_tokens import AppTokens

        return AppTokens(self.access, self.usage, self._accounts, self._tokens, self._envelope, self._clock)

    @cached_property
    def authorizations(self) -> "Authorizations":
        """OAuth tokens."""
        from chalicelib.services.identity.authorizations import Authorizations

        return Authorizations(
            self.access,
            self.usage,
            self._accounts,
            self._applications,
            self._tokens,
            self.settings.oauth_token_s,
            self._clock,
        )

    @cached_property
    def oauth(self) -> "OAuth":
        """OAuth's endpoints, whose library takes its time to import."""
        from chalicelib.services.identity.oauth import OAuth
        from chalicelib.storage.identity.assignments import AssignmentStore

        return OAuth(
            self.access,
            self.usage,
            self._accounts,
            self._applications,
            self.authorizations,
            AssignmentStore(),
            self.settings.url,
            self._clock,
        )

    @cached_property
    def assignments(self) -> "Assignments":
        """Offers of OAuth tokens."""
        from chalicelib.services.identity.assignments import Assignments
        from chalicelib.storage.identity.assignments import AssignmentStore

        return Assignments(
            self.access,
            self.usage,
            self._accounts,
            self._applications,
            AssignmentStore(),
            self.settings.url,
            self._clock,
        )

    @cached_property
    def doors(self) -> Authentication:
        """Who somebody is."""
        throttles = Throttles(ThrottleStore(), self._clock)
        return Authentication(self._accounts, self._tokens, throttles, self.usage, lambda: self.federation, self._clock)

    @cached_property
    def signing(self) -> Signing:
        """Our own signed tokens."""
        return Signing(self.secrets.signing, self.settings.url, self.settings.service, self._clock)

    @cached_property
    def federation(self) -> "Federation":
        """Robots that sign in with tokens of others."""
        from chalicelib.services.identity.federation import Federation
        from chalicelib.services.identity.issuers import Issuers
        from chalicelib.storage.identity.federation import FederationStore

        issuers = Issuers(FederationStore(), self._outgoing, self._clock)
        return Federation(self.robots, self.usage, self._accounts, issuers, self.signing, self._clock)

    @cached_property
    def sessions(self) -> "Sessions":
        """Sessions of people."""
        from chalicelib.services.identity.sessions import Sessions

        signing, lives = self.secrets.upload, (self.settings.session_s, self.settings.fresh_s)
        return Sessions(self.doors, self.usage, self._tokens, signing, *lives, self._clock)

    @cached_property
    def tokens(self) -> Tokens:
        """Access tokens."""
        return Tokens(self.doors, self.access, self.signing, self.settings.token_s, self._clock)

    @cached_property
    def quotas(self) -> "Quotas":
        """Quotas."""
        from chalicelib.services.accounts.quotas import Quotas

        full = self.settings.superusers_full_access
        return Quotas(self.access, self.usage, self._accounts, self._clock, full_access=full)

    @cached_property
    def messages(self) -> "Messages":
        """Messages to everybody."""
        from chalicelib.services.accounts.messages import Messages
        from chalicelib.storage.accounts.messages import MessageStore

        return Messages(self.access, self.usage, MessageStore(), self._clock)
