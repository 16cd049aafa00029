"""Implements OAuth's authorization code grant (RFC 6749 §4.1, with PKCE) and implicit grant (§4.2) with Authlib.

This is stricter than Quay: a redirect URI must equal the registered one; a code is valid for a minute and used once,
and its second use revokes the token of the first; PKCE accepts S256 only; a secret is compared in constant time.

This module is imported by the first request that needs it: Authlib takes 50 ms.
"""

import hmac
from collections.abc import Mapping
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer, OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749.errors import InvalidGrantError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, ImplicitGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge

from chalicelib.domain.applications import Application
from chalicelib.domain.consents import Consent, ConsentAnswer
from chalicelib.domain.errors import Denied, FieldInvalid, ResourceUnknown, ScopeInvalid
from chalicelib.domain.permissions import Actor
from chalicelib.domain.redirects import LOCAL_PAGE
from chalicelib.domain.scopes import OFFERED, grantable, implied, parse_scopes
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.identity.authorizations import Authorizations, NewAuthorization
from chalicelib.services.security.access import Access
from chalicelib.services.security.sealing import hashed, random_secret
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountRow
from chalicelib.storage.identity.applications import ApplicationRow, ClientRow, CodeRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, WriteConflict

CODE_S = 60
CODE_PREFIX = "cbc_"
# The parameter with the id of an offer.
OFFERED_BY = "assignment_uuid"
# Authlib requires https, which is the operator's choice here; the host of this address is never used.
ADDRESS = "https://registry.invalid"


class OAuthClient:
    """An application in Authlib's interface."""

    def __init__(self, client: ClientRow, row: ApplicationRow, url: str) -> None:
        self.client, self.row, self._redirects = client, row, (row.redirect_uri, url + LOCAL_PAGE)

    def check_redirect_uri(self, address: str) -> bool:
        """Whether it equals the registered one or the registry's own page."""
        return bool(address) and address in self._redirects

    def get_default_redirect_uri(self) -> None:
        """Returns None: the application must name a redirect URI."""

    def check_client_secret(self, secret: str) -> bool:
        """Compares the secret in constant time."""
        return hmac.compare_digest(self.row.secret_sha256, hashed(secret))

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Whether it is a method of the token endpoint; the implicit grant checks the client with `none`."""
        return endpoint == "token" and method in ("client_secret_basic", "client_secret_post", "none")

    def check_response_type(self, kind: str) -> bool:
        """Whether it is `code` or `token`."""
        return kind in ("code", "token")

    def check_grant_type(self, kind: str) -> bool:
        """Whether it is the code grant: there are no refresh tokens."""
        return kind == "authorization_code"

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """Returns the scopes, or None if one of them is unknown."""
        try:
            return " ".join(sorted(parse_scopes(scope or "")))
        except ScopeInvalid:
            return None


class OAuthRequest(OAuth2Request):  # type: ignore[misc]  # Authlib has no types
    """A request in Authlib's interface: its parameters and the Authorization header."""

    def __init__(self, method: str, parameters: Mapping[str, str], authorization: str = "") -> None:
        headers = {"Authorization": authorization} if authorization else {}
        super().__init__(method, ADDRESS, headers=headers)
        self.payload = BasicOAuth2Payload(dict(parameters))

    @property
    def args(self) -> Mapping[str, str]:
        """The parameters; Authlib reads the id of a client without a secret here."""
        found: Mapping[str, str] = self.payload.data
        return found

    form = args


class CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    """Exchanges a code and the application's secret for a token."""

    def generate_authorization_code(self) -> str:
        """Returns 256 random bits."""
        return random_secret(CODE_PREFIX)

    def save_authorization_code(self, code: str, request: OAuthRequest) -> None:
        """Stores the code by its hash."""
        self.server.oauth.keep_code(code, request)

    def query_authorization_code(self, code: str, client: OAuthClient) -> CodeRow | None:
        """Returns the code if it belongs to this client and is valid."""
        found: CodeRow | None = self.server.oauth.fresh_code(code, client)
        return found

    def delete_authorization_code(self, authorization_code: CodeRow) -> None:
        """Does nothing: the transaction that wrote the token has used the code."""

    def authenticate_user(self, authorization_code: CodeRow) -> AccountRow | None:
        """Returns the user who gave the code, if their tokens were not revoked since."""
        found: AccountRow | None = self.server.oauth.code_owner(authorization_code)
        return found


class TokenGrant(ImplicitGrant):  # type: ignore[misc]
    """Returns a token in the fragment of the redirect."""


class Challenge(CodeChallenge):  # type: ignore[misc]
    """PKCE with S256 only."""

    DEFAULT_CODE_CHALLENGE_METHOD = "S256"
    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def get_authorization_code_challenge(self, authorization_code: CodeRow) -> str | None:
        """Returns the challenge stored with the code."""
        return authorization_code.challenge

    def get_authorization_code_challenge_method(self, authorization_code: CodeRow) -> str:  # noqa: ARG002 - Authlib's
        """Returns S256, the only method."""
        return "S256"


class OAuthServer(AuthorizationServer):  # type: ignore[misc]
    """Authlib's server with the table as its store."""

    def __init__(self, oauth: "OAuth") -> None:
        super().__init__(scopes_supported=list(OFFERED))
        self.oauth = oauth
        self.register_token_generator("default", oauth.make_token)
        self.register_grant(CodeGrant, [Challenge(required=False)])
        self.register_grant(TokenGrant)

    def query_client(self, client_id: str) -> OAuthClient | None:
        """Returns an application by its client id."""
        return self.oauth.client(client_id)

    def save_token(self, token: Mapping[str, Any], request: OAuthRequest) -> None:
        """Writes the token and marks its code as used."""
        self.oauth.keep_token(token["access_token"], request)

    def create_oauth2_request(self, request: OAuthRequest) -> OAuthRequest:
        """Returns the request, which has the right type already."""
        return request

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> ConsentAnswer:
        """Converts Authlib's response."""
        document = body if isinstance(body, dict) else {}
        return ConsentAnswer(status, document, dict(headers).get("Location", ""))

    def send_signal(self, name: str, *unused: Any, **more: Any) -> None:
        """Does nothing: no signal is used."""


class OAuth:
    """The authorization endpoint and the token endpoint."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores, authorizations: Authorizations) -> None:
        self._access, self._usage_log, self._accounts, self._store = (
            access,
            usage_log,
            stores.accounts,
            stores.applications,
        )
        self._authorizations, self._assignments, self._url = authorizations, stores.assignments, stores.settings.url
        self._clock = stores.clock
        self._prepared: dict[str, Any] = {}

    def check_application(self, parameters: Mapping[str, str]) -> None:
        """Checks, before anybody enters a password, that the application exists and that the redirect is its own.

        Raises ResourceUnknown, FieldInvalid.
        """
        client = self._known_client(parameters)
        if not client.check_redirect_uri(parameters.get("redirect_uri", "")):
            raise FieldInvalid("redirect_uri", "it is not the address that the application registered")

    def consider(self, actor: Actor, parameters: Mapping[str, str]) -> Consent | ConsentAnswer:
        """Returns the consent to ask a signed-in user for, or the error of the request.

        Raises ResourceUnknown for an unknown application, Unauthenticated, and Denied if the user may not authorize it.
        """
        client = self._allowed_client(actor, parameters)
        try:
            grant = OAuthServer(self).get_consent_grant(OAuthRequest("GET", parameters), end_user=actor)
        except OAuth2Error as error:
            return _refusal(error)
        scopes = tuple(
            sorted(grantable(parse_scopes(grant.request.scope), is_superuser=actor.may_grant_superusers_scope))
        )
        application = Application(
            client.client.client_id, client.client.organization, client.row.name, client.row.description,
            client.row.application_uri,
        )  # fmt: skip
        return Consent(application, scopes, self._is_known_consent(actor, client, parameters, scopes))

    def _is_known_consent(
        self, actor: Actor, client: OAuthClient, parameters: Mapping[str, str], scopes: tuple[str, ...]
    ) -> bool:
        is_harmless = not any(OFFERED[scope].dangerous for scope in scopes)
        if parameters.get("response_type") != "code" or not parameters.get("code_challenge") or not is_harmless:
            return False
        authorizations = self._authorizations.of_user(actor)
        earlier_scopes = [one.scopes for one in authorizations if one.application.client_id == client.client.client_id]
        return any(frozenset(scopes) <= implied(earlier) for earlier in earlier_scopes)

    def decide(self, actor: Actor, parameters: Mapping[str, str], *, allow: bool) -> ConsentAnswer:
        """Redirects the user to the application, with a code or token if they allow it. Raises as `consider` does."""
        self._allowed_client(actor, parameters)
        server, request = OAuthServer(self), OAuthRequest("POST", parameters)
        user = self._accounts.get(self._access.require_user(actor)) if allow else None
        try:
            grant = server.get_consent_grant(request, end_user=user)
            outcome: ConsentAnswer = server.create_authorization_response(request, grant_user=user, grant=grant)
        except OAuth2Error as error:
            return _refusal(error)
        return outcome

    def exchange(self, form: Mapping[str, str], authorization: str) -> ConsentAnswer:
        """Exchanges a code and the application's secret for a token."""
        outcome: ConsentAnswer = OAuthServer(self).create_token_response(OAuthRequest("POST", form, authorization))
        return outcome

    def _allowed_client(self, actor: Actor, parameters: Mapping[str, str]) -> OAuthClient:
        """Returns an application that this user may authorize: as admin of its organization, or by a matching offer.

        This needs a session, as the new token could have more rights than a token that asks for it.
        """
        account_id = self._access.require_user(actor)
        if not actor.is_session:
            raise Denied(parameters.get("client_id", ""), "let in")
        client = self._known_client(parameters)
        offer = self._assignments.get(account_id, parameters.get(OFFERED_BY, ""))
        if offer is None or not offer.to_assignment(client.client).answers(parameters):
            self._access.administered(actor, client.client.organization)
        return client

    def _known_client(self, parameters: Mapping[str, str]) -> OAuthClient:
        client_id = parameters.get("client_id", "")
        client = self.client(client_id)
        if client is None:
            raise ResourceUnknown("application", client_id)
        return client

    def _take_offer(self, transaction: Transaction, request: OAuthRequest) -> None:
        """Removes the offer that the request answers, if it names one."""
        if uuid := request.payload.data.get(OFFERED_BY):
            self._assignments.remove(transaction, request.user.id, uuid)

    def client(self, client_id: str) -> OAuthClient | None:
        """Returns an application in Authlib's interface, None if it does not exist."""
        client = self._store.clients([client_id]).get(client_id) if client_id else None
        row = self._store.get(client.namespace_id, client_id) if client else None
        return OAuthClient(client, row, self._url) if client and row else None

    def keep_code(self, code: str, request: OAuthRequest) -> None:
        """Writes a code for the scopes that the user allowed."""
        row = CodeRow.under(
            keys.code(hashed(code)),
            client_id=request.client.client.client_id,
            user_id=request.user.id,
            epoch=request.user.epoch,
            scopes=request.scope,
            redirect_uri=request.payload.redirect_uri,
            challenge=request.payload.data.get("code_challenge"),
            expires_at=int(self._clock()) + CODE_S,
        )
        transaction = Transaction()
        self._store.add_code(transaction, row)
        self._take_offer(transaction, request)
        try:
            transaction.commit()
        except WriteConflict:
            raise InvalidGrantError("This offer has been taken.") from None

    def fresh_code(self, code: str, client: OAuthClient) -> CodeRow | None:
        """Returns a valid code of this client. A second use of a code revokes the token of its first use."""
        row = self._store.code(hashed(code))
        if row is None or row.client_id != client.client.client_id:
            return None
        if row.token_uuid:
            self._authorizations.revoke_stolen(row.user_id, row.token_uuid)
            return None
        return row if row.expires_at is not None and row.expires_at > self._clock() else None

    def code_owner(self, code: CodeRow) -> AccountRow | None:
        """Returns the user who gave a code, if they are enabled and their epoch is unchanged."""
        row = self._accounts.get(code.user_id)
        return row if row and row.enabled and row.epoch == code.epoch else None

    def make_token(self, *, client: OAuthClient, user: AccountRow, scope: str, **_: Any) -> dict[str, Any]:
        """Creates a token, which `keep_token` writes."""
        new = NewAuthorization(parse_scopes(scope))
        row, secret = self._authorizations.prepared(user, client.client, new, user.name)
        self._prepared[secret] = row
        lasts = (row.expires_at or 0) - int(self._clock())
        return {"access_token": secret, "token_type": "Bearer", "expires_in": lasts, "scope": row.scopes}

    def keep_token(self, secret: str, request: OAuthRequest) -> None:
        """Writes a token and the use of its code. Raises Authlib's InvalidGrantError for a used code."""
        token, transaction = self._prepared.pop(secret), Transaction()
        self._store.add_token(transaction, token)
        if request.authorization_code is not None:
            self._store.use_code(transaction, request.authorization_code, token.uuid)
        else:
            self._take_offer(transaction, request)
        metadata = {"client_id": token.client_id, "application_name": request.client.row.name, "scope": token.scopes}
        performer = Actor(request.user.id, request.user.name)
        self._usage_log.record_for_namespace(
            performer, transaction, "create_oauth_api_token", token.namespace_id or "", metadata
        )
        try:
            transaction.commit()
        except WriteConflict:
            raise InvalidGrantError("This code, or offer, has been used.") from None


def _refusal(error: OAuth2Error) -> ConsentAnswer:
    status, document, headers = error()
    return ConsentAnswer(status, document if isinstance(document, dict) else {}, dict(headers).get("Location", ""))
