"""Assignments: an organization offers a user a token of its application, which the user takes, or does not.

An offer lets a user who does not administer the organization answer its application's question. It gives nothing by
itself: the user sees what is asked, and the token acts as the user.
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

# How many offers wait for one user.
MOST = 100


class Assignments:
    """Offers of tokens. `url` is where the registry is, whose own page any application may send a token to."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores) -> None:
        self._access, self._usage_log, self._accounts = access, usage_log, stores.accounts
        self._applications, self._store, self._url = stores.applications, stores.assignments, stores.settings.url
        self._clock = stores.clock

    def assign(self, actor: Actor, asked: Mapping[str, str], name: str) -> None:
        """Offers a user a token. Raises FieldInvalid, ScopeInvalid, NothingThere, Unauthenticated, Denied."""
        client = self._client(actor, asked.get("client_id", ""))
        account_id = self._check(client, asked, name)
        transaction, uuid = Transaction(), str(uuid4())
        row = AssignmentRow.under(
            keys.assignment(account_id, uuid),
            uuid=uuid,
            client_id=client.client_id,
            redirect_uri=asked["redirect_uri"],
            scopes=" ".join(sorted(parse_scopes(asked["scope"]))),
            response_type=asked["response_type"],
            created_at=int(self._clock()),
        )
        self._store.add(transaction, row)
        told = {"assigning_user": actor.name, "assigned_user": name, "application": client.name}
        told |= {"client_id": client.client_id}
        self._usage_log.note(actor, transaction, "oauth_token_assigned", client.namespace_id, told)
        transaction.commit()

    def _client(self, actor: Actor, client_id: str) -> ClientRow:
        self._access.require_user(actor, ORG_ADMIN)
        client = self._applications.clients([client_id]).get(client_id) if client_id else None
        if client is None:
            raise ResourceUnknown("application", client_id)
        self._access.administered(actor, client.organization)
        return client

    def _check(self, client: ClientRow, asked: Mapping[str, str], name: str) -> str:
        """The id of the account that is offered a token that can be taken."""
        row = self._applications.get(client.namespace_id, client.client_id)
        redirects = (row.redirect_uri if row else "", self._url + LOCAL_PAGE)
        if not asked.get("redirect_uri") or asked["redirect_uri"] not in redirects:
            raise FieldInvalid("redirect_uri", "it is not the application's, to the letter")
        if asked.get("response_type") not in KINDS:
            raise FieldInvalid("response_type", f"say one of {', '.join(KINDS)}")
        parse_scopes(asked.get("scope", ""))
        pointer = self._accounts.find(name)
        if pointer is None or pointer.kind != AccountKind.USER:
            raise FieldInvalid("username", "Unknown user")
        if len(self._store.of_user(pointer.id)) >= MOST:
            raise FieldInvalid("username", f"{MOST} tokens wait for this user already")
        return pointer.id

    def of_oneself(self, actor: Actor) -> list[Assignment]:
        """What oneself is offered, oldest first, of applications that are there. Raises Unauthenticated, Denied."""
        rows = self._store.of_user(self._access.require_user(actor))
        clients = self._applications.clients(sorted({row.client_id for row in rows}))
        return [row.to_assignment(clients[row.client_id]) for row in rows if row.client_id in clients]

    def decline(self, actor: Actor, uuid: str) -> None:
        """Takes an offer off one's list. Raises NothingThere, Unauthenticated, Denied."""
        account_id = self._access.require_user(actor)
        if self._store.get(account_id, uuid) is None:
            raise ResourceUnknown("assignment", uuid)
        transaction = Transaction()
        self._store.remove(transaction, account_id, uuid)
        try:
            transaction.commit()
        except WriteConflict:
            raise ResourceUnknown("assignment", uuid) from None
