"""Manages assignments: offers of an organization to a user for a token of its application.

An offer lets a user who is no admin of the organization authorize its application. It gives no right by itself: the
user sees the scopes and decides, and the token acts as the user.
"""

from collections.abc import Mapping
from uuid import uuid4

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.assignments import KINDS, Assignment
from chalicelib.domain.errors import FieldInvalid, ResourceUnknown
from chalicelib.domain.permissions import Actor
from chalicelib.domain.redirects import LOCAL_PAGE
from chalicelib.domain.scopes import ORG_ADMIN, parse_scopes
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.security.access import Access
from chalicelib.storage import keys
from chalicelib.storage.identity.applications import ClientRow
from chalicelib.storage.identity.assignments import AssignmentRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, WriteConflict

# The most offers that wait for one user.
MOST = 100


class Assignments:
    """Manages offers of tokens.

    Any application may send a token to the registry's own page, besides its redirect URI.
    """

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores) -> None:
        self._access, self._usage_log, self._accounts = access, usage_log, stores.accounts
        self._applications, self._store, self._url = stores.applications, stores.assignments, stores.settings.url
        self._clock = stores.clock

    def assign(self, actor: Actor, parameters: Mapping[str, str], name: str) -> None:
        """Offers a user a token. Raises FieldInvalid, ScopeInvalid, ResourceUnknown, Unauthenticated, Denied."""
        client = self._client(actor, parameters.get("client_id", ""))
        account_id = self._check(client, parameters, name)
        transaction, uuid = Transaction(), str(uuid4())
        row = AssignmentRow.under(
            keys.assignment(account_id, uuid),
            uuid=uuid,
            client_id=client.client_id,
            redirect_uri=parameters["redirect_uri"],
            scopes=" ".join(sorted(parse_scopes(parameters["scope"]))),
            response_type=parameters["response_type"],
            created_at=int(self._clock()),
        )
        self._store.add(transaction, row)
        metadata = {"assigning_user": actor.name, "assigned_user": name, "application": client.name}
        metadata |= {"client_id": client.client_id}
        self._usage_log.record_for_namespace(actor, transaction, "oauth_token_assigned", client.namespace_id, metadata)
        transaction.commit()

    def _client(self, actor: Actor, client_id: str) -> ClientRow:
        self._access.require_user(actor, ORG_ADMIN)
        client = self._applications.clients([client_id]).get(client_id) if client_id else None
        if client is None:
            raise ResourceUnknown("application", client_id)
        self._access.administered(actor, client.organization)
        return client

    def _check(self, client: ClientRow, parameters: Mapping[str, str], name: str) -> str:
        """Checks an offer and returns the id of the user who gets it."""
        row = self._applications.get(client.namespace_id, client.client_id)
        redirects = (row.redirect_uri if row else "", self._url + LOCAL_PAGE)
        if not parameters.get("redirect_uri") or parameters["redirect_uri"] not in redirects:
            raise FieldInvalid("redirect_uri", "it must equal the redirect URI of the application")
        if parameters.get("response_type") not in KINDS:
            raise FieldInvalid("response_type", f"say one of {', '.join(KINDS)}")
        parse_scopes(parameters.get("scope", ""))
        pointer = self._accounts.find(name)
        if pointer is None or pointer.kind != AccountKind.USER:
            raise FieldInvalid("username", "Unknown user")
        if len(self._store.of_user(pointer.id)) >= MOST:
            raise FieldInvalid("username", f"{MOST} tokens wait for this user already")
        return pointer.id

    def of_oneself(self, actor: Actor) -> list[Assignment]:
        """Returns the actor's own offers of existing applications, oldest first. Raises Unauthenticated, Denied."""
        rows = self._store.of_user(self._access.require_user(actor))
        clients = self._applications.clients(sorted({row.client_id for row in rows}))
        return [row.to_assignment(clients[row.client_id]) for row in rows if row.client_id in clients]

    def decline(self, actor: Actor, uuid: str) -> None:
        """Declines one of the actor's offers. Raises ResourceUnknown, Unauthenticated, Denied."""
        account_id = self._access.require_user(actor)
        if self._store.get(account_id, uuid) is None:
            raise ResourceUnknown("assignment", uuid)
        transaction = Transaction()
        self._store.remove(transaction, account_id, uuid)
        try:
            transaction.commit()
        except WriteConflict:
            raise ResourceUnknown("assignment", uuid) from None
