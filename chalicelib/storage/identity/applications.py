"""Stores OAuth applications, their tokens and codes."""

from collections.abc import Sequence

from pynamodb.attributes import UnicodeAttribute

from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer, OptionalBytes, OptionalInteger, OptionalText
from chalicelib.storage.identity.tokens import TokenKind, TokenRow, TokenStore
from chalicelib.storage.table import Batch, Row, Transaction, absent, at_version, get, query


class ApplicationRow(Row):
    """An application of an organization. Its secret is stored as a hash, and sealed for those who may read it."""

    client_id = UnicodeAttribute()
    namespace_id = UnicodeAttribute()
    name = UnicodeAttribute()
    description = UnicodeAttribute(default="")
    application_uri = UnicodeAttribute(default="")
    redirect_uri = UnicodeAttribute(default="")
    avatar_email = OptionalText()
    secret_sha256 = UnicodeAttribute(default="")
    sealed_secret = OptionalBytes()
    key_id = OptionalText()
    created_at = Integer(default=0)
    version = Integer(default=0)


class ClientRow(Row):
    """An application, found by its client id. Without this row, none of its tokens is accepted."""

    client_id = UnicodeAttribute()
    namespace_id = UnicodeAttribute()
    organization = UnicodeAttribute()
    name = UnicodeAttribute()


class CodeRow(Row):
    """An authorization code, used once within seconds. `token_uuid` is the token for which it was exchanged."""

    client_id = UnicodeAttribute()
    user_id = UnicodeAttribute()
    epoch = Integer()
    scopes = UnicodeAttribute()
    redirect_uri = UnicodeAttribute()
    challenge = OptionalText()
    token_uuid = OptionalText()
    expires_at = OptionalInteger()

    def get_redirect_uri(self) -> str:
        """Returns the redirect URI. Authlib requires this name."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """Returns the scopes, separated by spaces. Authlib requires this name."""
        return self.scopes


class ApplicationStore:
    """The applications in the table."""

    def __init__(self, tokens: TokenStore) -> None:
        self._tokens = tokens

    def of_organization(self, namespace_id: str) -> list[ApplicationRow]:
        """Returns an organization's applications."""
        return list(query(ApplicationRow, keys.application(namespace_id)))

    def get(self, namespace_id: str, client_id: str) -> ApplicationRow | None:
        """Returns an application of an organization."""
        return get(ApplicationRow, keys.application(namespace_id, client_id)) if client_id else None

    def clients(self, client_ids: Sequence[str]) -> dict[str, ClientRow]:
        """Returns the applications that exist, by client id."""
        batch = Batch()
        reads = {client_id: batch.add(ClientRow, keys.client(client_id)) for client_id in client_ids}
        if reads:
            batch.read()
        return {client_id: read.row for client_id, read in reads.items() if read.row}

    def add(self, transaction: Transaction, row: ApplicationRow, organization: str) -> None:
        """Writes a new application if its client id is new."""
        client = ClientRow.under(
            keys.client(row.client_id),
            client_id=row.client_id,
            namespace_id=row.namespace_id,
            organization=organization,
            name=row.name,
        )
        transaction.put(row, absent())
        transaction.put(client, absent())

    def change(self, transaction: Transaction, row: ApplicationRow) -> None:
        """Writes an application if it still has the version that was read."""
        version, row.version = row.version, row.version + 1
        transaction.put(row, at_version(ApplicationRow.version, version))
        client = ClientRow.under(keys.client(row.client_id))
        transaction.update(client, ClientRow.name.set(row.name), condition=ClientRow.pk.exists())

    def remove(self, transaction: Transaction, row: ApplicationRow) -> None:
        """Removes an application. Its tokens are no longer accepted."""
        transaction.delete(ApplicationRow.under(row.key), ApplicationRow.pk.exists())
        transaction.delete(ClientRow.under(keys.client(row.client_id)))

    def tokens(self, namespace_id: str, client_id: str) -> list[TokenRow]:
        """Returns an application's tokens from its organization's list."""
        return list(query(TokenRow, keys.application_token(namespace_id, client_id)))

    def token(self, namespace_id: str, client_id: str, uuid: str) -> TokenRow | None:
        """Returns a token of an application from its organization's list."""
        return get(TokenRow, keys.application_token(namespace_id, client_id, uuid)) if uuid else None

    def tokens_of_user(self, account_id: str) -> list[TokenRow]:
        """Returns the OAuth tokens of a user from the user's list."""
        return self._tokens.listed(account_id, TokenKind.OAUTH)

    def add_token(self, transaction: Transaction, token: TokenRow) -> None:
        """Writes a token under its hash and into the lists of its user and its application's organization."""
        self._tokens.add(transaction, token, keys.account_token(token.owner_id, TokenKind.OAUTH, token.uuid))
        listed = TokenRow.from_raw_data(token.serialize())
        listed.pk, listed.sk = self._listed_under(token)
        transaction.put(listed)

    def revoke(self, transaction: Transaction, token: TokenRow) -> None:
        """Removes a token and its list entries if it exists. `token` is its row in any of the lists."""
        transaction.delete(TokenRow.under(keys.token(token.sha256 or "")), TokenRow.pk.exists())
        transaction.delete(TokenRow.under(keys.account_token(token.owner_id, TokenKind.OAUTH, token.uuid)))
        transaction.delete(TokenRow.under(self._listed_under(token)))

    def unlist(self, transaction: Transaction, token: TokenRow) -> None:
        """Removes a token from its organization's list. Does nothing if it is not there."""
        transaction.delete(TokenRow.under(self._listed_under(token)))

    def _listed_under(self, token: TokenRow) -> keys.Key:
        return keys.application_token(token.namespace_id or "", token.client_id or "", token.uuid)

    def code(self, sha256: str) -> CodeRow | None:
        """Returns a code by its hash."""
        return get(CodeRow, keys.code(sha256))

    def add_code(self, transaction: Transaction, row: CodeRow) -> None:
        """Writes a new code."""
        transaction.put(row, absent())

    def use_code(self, transaction: Transaction, row: CodeRow, token_uuid: str) -> None:
        """Marks a code as exchanged for a token, if it exists and is unused."""
        action = CodeRow.token_uuid.set(token_uuid)
        transaction.update(row, action, condition=CodeRow.token_uuid.does_not_exist() & CodeRow.pk.exists())
