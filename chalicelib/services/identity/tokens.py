"""Issues and verifies the registry's access tokens: ES256 JWTs with grants, ids and the source of each grant.

https://distribution.github.io/distribution/spec/auth/jwt/
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from chalicelib.domain.credentials import Credential, UploadRight
from chalicelib.domain.errors import NameInvalid, ScopeInvalid, Unauthenticated
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, ANY, CLOSE_UPLOAD, Actor, Grant, Scope, Source
from chalicelib.services.identity.authentication import Authentication
from chalicelib.services.security.access import Access
from chalicelib.services.security.signing import Signing
from chalicelib.storage.accounts.accounts import AccountRow
from chalicelib.storage.stores import Stores
from chalicelib.telemetry import note

ACCESS = "access"
REMEMBERED = 4096
# How many of the granted scopes the log's line has: clients ask for one, or for two to mount a blob.
NOTED = 4
# Bytes of a token: an HTTP API takes 10,240 of request line and headers, and clients send others beside it.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
LARGEST_TOKEN = 7 * 1024
LEAST_ENTRY = len('{"type":"repository","name":"","actions":[]},')


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token for a client. Times are in seconds."""

    token: str
    issued_at: float
    expires_in: int


class Tokens:
    """Issues and verifies access tokens. They end no later than the credential that they were issued for."""

    def __init__(self, access: Access, stores: Stores, authentication: Authentication, signing: Signing) -> None:
        self._authentication, self._access, self._signing = authentication, access, signing
        self._life_s, self._clock = stores.settings.token_s, stores.clock
        self._verified: OrderedDict[str, tuple[float, Actor]] = OrderedDict()
        self._lock = Lock()

    def issue(
        self, credentials: tuple[str, str] | None, service: str | None, scopes: Sequence[str], address: str = ""
    ) -> IssuedToken:
        """Issues a token for a name and password, or an anonymous one, with those of the scopes that the account has.

        Raises WrongCredentials, TooManyAttempts, and ScopeInvalid for another service, for invalid scopes and for more
        than fit.
        """
        if service not in (None, "", self._signing.audience):
            raise ScopeInvalid(f"this registry's service is {self._signing.audience!r}")
        requested = Scope.merge(Scope.parse_all(scopes))
        # In base64, and before anything is read for it.
        _check_size(sum(LEAST_ENTRY + len(scope.name) for scope in requested) * 4 // 3, requested)
        identity = self._authentication.recognise(*credentials, address) if credentials else None
        account = identity.account if identity else None
        allowed_scopes = identity.scopes if identity else None
        access = [entry for scope in requested if (entry := self._entry(account, scope, allowed_scopes))]
        actor = ANONYMOUS
        if account:
            until = (identity.ends_at if identity else None) or 0
            credential = identity.credential if identity else None
            actor = Actor(account.id, account.name, account.kind, account.epoch, until=until, credential=credential)
        note(actor=actor.name, granted=[f"{one['name']}:{','.join(one['actions'])}" for one in access[:NOTED]])
        issued = self._sign(actor, access, self._clock(), self._life_s)
        _check_size(len(issued.token), requested)
        return issued

    def prolong(self, actor: Actor, name: RepositoryName, upload: UploadRight, life_s: int) -> str:
        """Returns a token with which the same actor can end one long upload, and do nothing else.

        It lives `life_s` seconds from the issue of the actor's first token, however often it is prolonged, but never
        longer than their credential. The write checks the rights and the credential again.
        """
        grant = actor.grants[str(name)]
        entry = {"type": "repository", "name": grant.name, "actions": [CLOSE_UPLOAD], **_ids(grant)}
        return self._sign(replace(actor, upload=upload), [entry], actor.issued_at, life_s).token

    def _entry(
        self, account: AccountRow | None, scope: Scope, allowed_scopes: frozenset[str] | None
    ) -> dict[str, Any] | None:
        if scope.type == "registry":
            return {"type": scope.type, "name": scope.name, "actions": list(scope.actions)}
        if scope.type != "repository":
            return None
        try:
            name = RepositoryName.parse(scope.name)
        except NameInvalid:
            return None
        grant = self._access.walk(account, name, allowed_scopes)
        actions = [action for action in scope.actions if action in grant.actions]
        if ANY in scope.actions:
            actions = sorted(grant.actions)
        entry: dict[str, Any] = {"type": scope.type, "name": str(name), "actions": actions}
        if actions:
            entry |= _ids(grant)
        return entry | ({"state": grant.state} if grant.state else {})

    def _sign(self, actor: Actor, access: list[dict[str, Any]], now: float, life_s: int) -> IssuedToken:
        claims = {
            "sub": actor.account_id or "",
            "name": actor.name,
            "kind": actor.kind,
            "epoch": actor.epoch,
            "access": access,
            "credential": actor.credential.to_claim() if actor.credential else {},
        }
        if actor.upload:
            claims["upload"] = [actor.upload.upload_id, actor.upload.digest]
        if actor.until:
            claims["until"] = actor.until
            life_s = min(life_s, actor.until - int(now))
        return IssuedToken(self._signing.sign(ACCESS, claims, now, life_s), now, life_s)

    def believe(self, token: str) -> Actor:
        """Returns the actor of a token. Raises Unauthenticated if it is foreign, for another use, or expired.

        What is remembered is what the token says, which does not change; what may end, the rows of its credential, is
        read by each write. A token that names no credential was issued by an earlier version, perhaps for a day and
        for a whole repository: it is refused, and its client gets a new one.
        """
        digest = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
        with self._lock:
            verified = self._verified.get(digest)
        if verified is None:
            claims = self._signing.verify(ACCESS, token)
            if "credential" not in claims:
                raise Unauthenticated("the token was issued by an earlier version: get a new one", "invalid_token")
            verified = float(claims["exp"]), _actor(claims)
            with self._lock:
                self._verified[digest] = verified
                if len(self._verified) > REMEMBERED:
                    self._verified.popitem(last=False)
        expires_at, actor = verified
        if expires_at <= self._clock():
            raise Unauthenticated("the token has expired: get a new one", "invalid_token")
        return actor


def _check_size(size: int, requested: Sequence[Scope]) -> None:
    """Raises ScopeInvalid if a token of `size` bytes would not fit into a request."""
    if size > LARGEST_TOKEN:
        asked = f"a token has at most {LARGEST_TOKEN} bytes, and one for these {len(requested)} would have more"
        raise ScopeInvalid(f"{asked}: ask for fewer repositories at once")


def _ids(grant: Grant) -> dict[str, str | bool | None]:
    source = grant.source or None
    ids: dict[str, str | bool | None] = {"id": grant.repository_id, "namespace": grant.namespace_id, "source": source}
    ids |= {"team": grant.team_id} if grant.team_id else {}
    return ids | {"limited": True} if grant.is_limited else ids


def _actor(claims: Mapping[str, Any]) -> Actor:
    grants = {entry["name"]: _grant(entry) for entry in claims["access"] if entry["type"] == "repository"}
    return Actor(
        claims["sub"] or None,
        claims["name"],
        claims["kind"],
        claims["epoch"],
        grants,
        has_token=True,
        issued_at=int(claims["iat"]),
        until=claims.get("until", 0),
        credential=Credential.from_claim(claims["credential"]),
        upload=UploadRight(*claims["upload"]) if "upload" in claims else None,
    )


def _grant(entry: Mapping[str, Any]) -> Grant:
    source = entry.get("source")
    return Grant(
        entry["name"],
        frozenset(entry["actions"]),
        entry.get("id"),
        entry.get("namespace"),
        Source(source) if source else None,
        entry.get("team"),
        entry.get("state"),
        is_limited=entry.get("limited", False),
    )
