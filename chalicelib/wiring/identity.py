"""Services of the room `identity`."""

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.services.identity.authentication import Authentication
from chalicelib.storage.stores import Stores
from chalicelib.wiring.accounts import AccountsRoom
from chalicelib.wiring.activity import ActivityRoom
from chalicelib.wiring.security import SecurityRoom

if TYPE_CHECKING:
    from chalicelib.services.identity.app_tokens import AppTokens
    from chalicelib.services.identity.applications import Applications
    from chalicelib.services.identity.assignments import Assignments
    from chalicelib.services.identity.authorizations import Authorizations
    from chalicelib.services.identity.client_keys import ClientKeys
    from chalicelib.services.identity.federation import Federation
    from chalicelib.services.identity.oauth import OAuth
    from chalicelib.services.identity.sessions import Sessions
    from chalicelib.services.identity.setup import Setup
    from chalicelib.services.identity.tokens import Tokens


class IdentityRoom:
    """Authentication, sessions and tokens."""

    def __init__(self, stores: Stores, security: SecurityRoom, activity: ActivityRoom, accounts: AccountsRoom) -> None:
        self._stores, self._security, self._activity, self._accounts = stores, security, activity, accounts
        self.authentication = Authentication(
            self._activity.usage_log,
            self._stores,
            self._security.throttles,
            self._security.epochs,
            lambda: self.federation,
        )

    @cached_property
    def app_tokens(self) -> "AppTokens":
        from chalicelib.services.identity.app_tokens import AppTokens

        return AppTokens(self._security.access, self._activity.usage_log, self._stores, self._security.envelope)

    @cached_property
    def applications(self) -> "Applications":
        from chalicelib.services.identity.applications import Applications

        return Applications(self._security.access, self._activity.usage_log, self._stores, self._security.envelope)

    @cached_property
    def assignments(self) -> "Assignments":
        from chalicelib.services.identity.assignments import Assignments

        return Assignments(self._security.access, self._activity.usage_log, self._stores)

    @cached_property
    def authorizations(self) -> "Authorizations":
        from chalicelib.services.identity.authorizations import Authorizations

        return Authorizations(self._security.access, self._activity.usage_log, self._stores)

    @cached_property
    def client_keys(self) -> "ClientKeys":
        from chalicelib.services.identity.client_keys import ClientKeys

        return ClientKeys(self._security.access, self._activity.usage_log, self.authentication, self._security.epochs)

    @cached_property
    def federation(self) -> "Federation":
        from chalicelib.services.identity.federation import Federation
        from chalicelib.services.identity.issuers import Issuers

        return Federation(
            self._activity.usage_log,
            self._stores,
            self._accounts.robots,
            Issuers(self._stores.federation, self._security.outgoing, self._stores.clock),
            self._security.signing,
        )

    @cached_property
    def oauth(self) -> "OAuth":
        from chalicelib.services.identity.oauth import OAuth

        return OAuth(self._security.access, self._activity.usage_log, self._stores, self.authorizations)

    @cached_property
    def sessions(self) -> "Sessions":
        from chalicelib.services.identity.sessions import Sessions

        return Sessions(self._activity.usage_log, self._stores, self.authentication)

    @cached_property
    def setup(self) -> "Setup":
        from chalicelib.services.identity.setup import Setup

        return Setup(
            self._activity.usage_log,
            self._stores,
            self._accounts.accounts,
            self.authorizations,
            self._security.epochs,
        )

    @cached_property
    def tokens(self) -> "Tokens":
        from chalicelib.services.identity.tokens import Tokens

        return Tokens(self._security.access, self._stores, self.authentication, self._security.signing)
