"""Manages the OAuth applications of organizations."""

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.domain.applications import Application
from chalicelib.domain.errors import FieldInvalid, ResourceUnknown
from chalicelib.domain.permissions import Actor
from chalicelib.domain.redirects import parse_redirect
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.security.access import Access, NamespaceAccess
from chalicelib.services.security.sealing import Envelope, hashed
from chalicelib.storage import keys
from chalicelib.storage.identity.applications import ApplicationRow
from chalicelib.storage.identity.tokens import TokenRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, WriteConflict, retry_on_conflict

# Quay uses capital letters and digits.
ALPHABET = string.ascii_uppercase + string.digits
CLIENT_ID, CLIENT_SECRET = 20, 40
LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class ApplicationFields:
    """The fields of an application that its organization sets."""

    name: str
    redirect_uri: str = ""
    application_uri: str = ""
    description: str = ""
    avatar_email: str | None = None


class Applications:
    """Manages applications, for the admins of their organization."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores, envelope: Envelope) -> None:
        self._access, self._usage_log, self._store = access, usage_log, stores.applications
        self._envelope, self._clock = envelope, stores.clock
        self._is_plain = stores.settings.url.startswith("http:")

    def of_organization(self, actor: Actor, organization: str) -> list[Application]:
        """Returns the applications of an organization, by name. Raises ResourceUnknown, Unauthenticated, Denied."""
        access = self._access.administered(actor, organization)
        rows = sorted(self._store.of_organization(access.id), key=lambda row: (row.name, row.client_id))
        return [self._application(row, access) for row in rows]

    def get(self, actor: Actor, organization: str, client_id: str) -> Application:
        """Returns one application. Raises ResourceUnknown, Unauthenticated, Denied."""
        access = self._access.administered(actor, organization)
        return self._application(self._require_row(access, client_id), access)

    def _require_row(self, access: NamespaceAccess, client_id: str) -> ApplicationRow:
        row = self._store.get(access.id, client_id)
        if row is None:
            raise ResourceUnknown("application", client_id)
        return row

    def public(self, client_id: str) -> Application:
        """Returns the public fields of an application, without its secret. Raises ResourceUnknown."""
        client = self._store.clients([client_id]).get(client_id) if client_id else None
        row = self._store.get(client.namespace_id, client_id) if client else None
        if client is None or row is None:
            raise ResourceUnknown("application", client_id)
        return Application(client_id, client.organization, row.name, row.description, row.application_uri)

    def create(self, actor: Actor, organization: str, fields: ApplicationFields) -> Application:
        """Creates an application with a secret. Raises FieldInvalid, ResourceUnknown, Unauthenticated, Denied."""
        access = self._access.administered(actor, organization)
        self._check(fields)
        client_id = _random(CLIENT_ID)
        row = ApplicationRow.under(
            keys.application(access.id, client_id),
            client_id=client_id,
            namespace_id=access.id,
            created_at=int(self._clock()),
        )
        _set_fields(row, fields)
        self._give_secret(row)
        transaction = Transaction()
        self._store.add(transaction, row, access.name)
        self._record(actor, transaction, "create_application", row)
        transaction.commit()
        return self._application(row, access)

    def change(self, actor: Actor, organization: str, client_id: str, fields: ApplicationFields) -> Application:
        """Changes the fields of an application. Raises FieldInvalid, ResourceUnknown, Unauthenticated, Denied."""
        self._check(fields)
        return self._rewrite(actor, organization, client_id, "update_application", lambda row: _set_fields(row, fields))

    def reset_secret(self, actor: Actor, organization: str, client_id: str) -> Application:
        """Gives an application a new secret. Raises ResourceUnknown, Unauthenticated, Denied."""
        return self._rewrite(actor, organization, client_id, "reset_application_client_secret", self._give_secret)

    def _rewrite(
        self, actor: Actor, organization: str, client_id: str, kind: str, change: Callable[[ApplicationRow], None]
    ) -> Application:
        access = self._access.administered(actor, organization)

        def attempt() -> Application:
            row = self._require_row(access, client_id)
            change(row)
            transaction = Transaction()
            self._store.change(transaction, row)
            self._record(actor, transaction, kind, row)
            transaction.commit()
            return self._application(row, access)

        return retry_on_conflict(attempt)

    def delete(self, actor: Actor, organization: str, client_id: str) -> None:
        """Removes an application with all its tokens.

        Raises ResourceUnknown, Unauthenticated, Denied.
        """
        access = self._access.administered(actor, organization)
        row = self._require_row(access, client_id)
        transaction = Transaction()
        self._store.remove(transaction, row)
        self._record(actor, transaction, "delete_application", row)
        try:
            transaction.commit()
        except WriteConflict:
            raise ResourceUnknown("application", client_id) from None
        # The tokens are not accepted any more: the following only removes their rows.
        for token in self._store.tokens(access.id, client_id):
            self._forget(token)

    def _forget(self, token: TokenRow) -> None:
        transaction = Transaction()
        self._store.revoke(transaction, token)
        try:
            transaction.commit()
        except WriteConflict:
            return

    def _application(self, row: ApplicationRow, access: NamespaceAccess) -> Application:
        secret = None if access.is_audit else self._secret(row)
        return Application(
            row.client_id,
            access.name,
            row.name,
            row.description,
            row.application_uri,
            row.redirect_uri,
            row.avatar_email,
            secret,
        )

    def _secret(self, row: ApplicationRow) -> str:
        return self._envelope.open(_about(row), row.key_id or "", row.sealed_secret or b"")

    def _check(self, fields: ApplicationFields) -> None:
        if not 1 <= len(fields.name.strip()) <= LONGEST_NAME:
            raise FieldInvalid("name", f"an application's name has 1 to {LONGEST_NAME} characters")
        if fields.redirect_uri:
            parse_redirect(fields.redirect_uri, is_plain=self._is_plain)

    def _give_secret(self, row: ApplicationRow) -> None:
        secret = _random(CLIENT_SECRET)
        row.secret_sha256 = hashed(secret)
        row.key_id, row.sealed_secret = self._envelope.seal(_about(row), secret)

    def _record(self, actor: Actor, transaction: Transaction, kind: str, row: ApplicationRow) -> None:
        metadata = {"application_name": row.name, "client_id": row.client_id}
        self._usage_log.record_for_namespace(actor, transaction, kind, row.namespace_id, metadata)


def _about(row: ApplicationRow) -> str:
    return f"{row.client_id}/secret"


def _set_fields(row: ApplicationRow, fields: ApplicationFields) -> None:
    row.name, row.description, row.avatar_email = fields.name.strip(), fields.description, fields.avatar_email
    row.redirect_uri, row.application_uri = fields.redirect_uri, fields.application_uri


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
