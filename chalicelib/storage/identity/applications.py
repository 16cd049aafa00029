"""OAuth applications, their tokens and codes as they are kept."""

from collections.abc import Sequence

from pynamodb.attributes import UnicodeAttribute

from chalicelib.storage import keys
from chalicelib.storage.attributes import Integer, OptionalBytes, OptionalInteger, OptionalText
from chalicelib.storage.identity.tokens import TokenKind, TokenRow, TokenStore
from chalicelib.storage.table import Batch, Row, Transaction, absent, at_version, get, query


class ApplicationRow(Row):
    """An application of an organization. Its secret is known by its hash, and sealed for those who may read it back."""

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
    """An application, found by its client id. Without it none of its tokens is believed."""

    client_id = UnicodeAttribute()
    namespace_id = UnicodeAttribute()
    organization = UnicodeAttribute()
    name = UnicodeAttribute()


class CodeRow(Row):
    """A code on its way to becoming a token: used once, within seconds. `token_uuid` is what its use gave."""

    client_id = UnicodeAttribute()
    user_id = UnicodeAttribute()
    epoch = Integer()
    scopes = UnicodeAttribute()
    redirect_uri = UnicodeAttribute()
    challenge = OptionalText()
    token_uuid = OptionalText()
    expires_at = OptionalInteger()

    def get_redirect_uri(self) -> str:
        """Authlib's word for where its token may be sent."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """Authlib's word for what was allowed."""
        return self.scopes


class ApplicationStore:
    """Applications in the table."""

    def __init__(self, tokens: TokenStore) -> None:
        self._tokens = tokens

    def of_organization(self, namespace_id: str) -> list[ApplicationRow]:
        """An organization's applications."""
        return list(query(ApplicationRow, keys.application(namespace_id)))

    def get(self, namespace_id: str, client_id: str) -> ApplicationRow | None:
        """One of an organization's applications."""
        return get(ApplicationRow, keys.application(namespace_id, client_id)) if client_id else None

    def clients(self, client_ids: Sequence[str]) -> dict[str, ClientRow]:
        """Applications by their client ids, those that are there."""
        batch = Batch()
        reads = {known: batch.add(ClientRow, keys.client(known)) for known in client_ids}
        if reads:
            batch.read()
        return {known: read.row for known, read in reads.items() if read.row}

    def add(self, transaction: Transaction, row: ApplicationRow, organization: str) -> None:
        """Writes a new application, on condition that its client id is new."""
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
        """Writes an application over the version that was read."""
        version, row.version = row.version, row.version + 1
        transaction.put(row, at_version(ApplicationRow.version, version))
        client = ClientRow.under(keys.client(row.client_id))
        transaction.update(client, ClientRow.name.set(row.name), condition=ClientRow.pk.exists())

    def remove(self, transaction: Transaction, row: ApplicationRow) -> None:
        """Removes an application; from then on none of its tokens is believed."""
        transaction.delete(ApplicationRow.under(row.key), ApplicationRow.pk.exists())
        transaction.delete(ClientRow.under(keys.client(row.client_id)))

    def tokens(self, namespace_id: str, client_id: str) -> list[TokenRow]:
        """An application's tokens, as its organization lists them."""
        return list(query(TokenRow, keys.application_token(namespace_id, client_id)))

    def token(self, namespace_id: str, client_id: str, uuid: str) -> TokenRow | None:
        """One of an application's tokens, as its organization lists it."""
        return get(TokenRow, keys.application_token(namespace_id, client_id, uuid)) if uuid else None

    def tokens_of_user(self, account_id: str) -> list[TokenRow]:
        """The tokens that speak for a user, as the user lists them."""
        return self._tokens.listed(account_id, TokenKind.OAUTH)

    def add_token(self, transaction: Transaction, token: TokenRow) -> None:
        """Writes a token, found by its hash, and listed by its user and its application's organization."""
        self._tokens.add(transaction, token, keys.account_token(token.owner_id, TokenKind.OAUTH, token.uuid))
        listed = TokenRow.from_raw_data(token.serialize())
        listed.pk, listed.sk = self._listed_under(token)
        transaction.put(listed)

    def revoke(self, transaction: Transaction, token: TokenRow) -> None:
        """Removes a token from everywhere, on condition that it is there; `token` is its row in any of the lists."""
        transaction.delete(TokenRow.under(keys.token(token.sha256 or "")), TokenRow.pk.exists())
        transaction.delete(TokenRow.under(keys.account_token(token.owner_id, TokenKind.OAUTH, token.uuid)))
        transaction.delete(TokenRow.under(self._listed_under(token)))

    def unlist(self, transaction: Transaction, token: TokenRow) -> None:
        """Takes a token out of its organization's list, whether it is in it or not."""
        transaction.delete(TokenRow.under(self._listed_under(token)))

    def _listed_under(self, token: TokenRow) -> keys.Key:
        return keys.application_token(token.namespace_id or "", token.client_id or "", token.uuid)

    def code(self, sha256: str) -> CodeRow | None:
        """A code by its hash."""
        return get(CodeRow, keys.code(sha256))

    def add_code(self, transaction: Transaction, row: CodeRow) -> None:
        """Writes a new code."""
        transaction.put(row, absent())

    def use_code(self, transaction: Transaction, row: CodeRow, token_uuid: str) -> None:
        """Uses a code for a token, on condition that nobody has."""
        action = CodeRow.token_uuid.set(token_uuid)
        transaction.update(row, action, condition=CodeRow.token_uuid.does_not_exist() & CodeRow.pk.exists())
