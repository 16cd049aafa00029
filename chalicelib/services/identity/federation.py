"""Lets robots sign in with a token of another issuer, such as that of a CI job, instead of a secret of this registry.

The rules of a robot name the issuer and subject of such tokens; nothing is fetched for others. The token works as the
robot's password, or can be exchanged for a token of this registry, which lasts for the rest of the hour.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.accounts import AccountKind, RobotName
from chalicelib.domain.credentials import Credential
from chalicelib.domain.errors import (
    FieldInvalid,
    NameInvalid,
    OutgoingRefused,
    Unauthenticated,
    WrongCredentials,
)
from chalicelib.domain.federation import Rule, check_claims, matching, parse_rules, rules_from_text
from chalicelib.domain.permissions import Actor
from chalicelib.domain.states import NamespaceState
from chalicelib.services.accounts.robots import Robots
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.identity.issuers import Issuers
from chalicelib.services.security.signing import Signing
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountRow, NamespaceRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, Transaction, retry_on_conflict
from chalicelib.telemetry import logger

FEDERATED = "federated"
# Ids that no account has, which are read for what does not exist.
NOBODY, NOBODY_ELSE = "nobody", "nobody-else"
LARGEST_TOKEN = 16 * 1024


@dataclass(frozen=True, slots=True)
class FederatedIdentity:
    """A robot that signed in with a token of another issuer.

    `ends_at` is the end of that token, `latest` that of a token exchanged for it, in seconds since the epoch.
    """

    account: AccountRow
    namespace_id: str
    rule: Rule
    ends_at: int
    latest: int

    @property
    def credential(self) -> Credential:
        """The rule that let the robot in, as an access token names it."""
        robot = RobotName.parse(self.account.name).robot
        return Credential(namespaces=(self.namespace_id,), robot=robot, rule=self.rule)


@dataclass(frozen=True, slots=True)
class FederatedRobot:
    """A robot that may sign in, with its rules."""

    account: AccountRow
    namespace_id: str
    rules: Sequence[Rule]


class Federation:
    """Manages the rules of robots, and verifies the tokens that they admit."""

    def __init__(self, usage_log: UsageLog, stores: Stores, robots: Robots, issuers: Issuers, signing: Signing) -> None:
        self._robots, self._usage_log, self._accounts = robots, usage_log, stores.accounts
        self._issuers, self._signing, self._clock = issuers, signing, stores.clock

    def rules(self, actor: Actor, name: RobotName) -> tuple[Rule, ...]:
        """Returns the rules of a robot. Raises RobotUnknown, AccountUnknown, Unauthenticated, Denied."""
        return rules_from_text(self._robots.administered(actor, name)[1].federation)

    def put(self, actor: Actor, name: RobotName, documents: Sequence[Mapping[str, object]]) -> tuple[Rule, ...]:
        """Replaces the rules of a robot. Raises FieldInvalid, and as `rules` does."""
        self._robots.administered(actor, name)
        rules = parse_rules(documents)
        for rule in rules:
            self._check_issuer(rule.issuer)
        metadata = {"config": [rule.to_document() for rule in rules]}
        retry_on_conflict(lambda: self._put(actor, name, rules, "create_robot_federation", metadata))
        return rules

    def _check_issuer(self, issuer: str) -> None:
        try:
            self._issuers.check(issuer)
        except OutgoingRefused as error:
            raise FieldInvalid("issuer", f"Issuer must be a URL (https://): {error}") from None

    def delete(self, actor: Actor, name: RobotName) -> None:
        """Removes all rules of a robot, so that it accepts no token of another issuer. Raises as `rules` does."""
        retry_on_conflict(lambda: self._put(actor, name, (), "delete_robot_federation", {}))

    def _put(
        self, actor: Actor, name: RobotName, rules: tuple[Rule, ...], kind: str, metadata: Mapping[str, object]
    ) -> None:
        access, row = self._robots.administered(actor, name)
        if not rules and row.federation is None:
            return
        row.federation = json.dumps([rule.to_document() for rule in rules]) if rules else None
        transaction = Transaction()
        self._accounts.put_robot(transaction, row)
        self._usage_log.record_for_namespace(actor, transaction, kind, access.id, {"robot": name.robot, **metadata})
        transaction.commit()

    def exchange(self, name: str, token: str, address: str = "") -> str:
        """Exchanges a token of another issuer for one of this registry, which is the robot's password for an hour.

        The result cannot be exchanged again, so nothing lasts longer than an hour after the issuer's token was issued.
        Raises WrongCredentials, OutgoingFailed.
        """
        identity = self._verified(name, token, self._by_issuer)
        rule, account = identity.rule, identity.account
        claims = {"sub": account.id, "name": account.name, "epoch": account.epoch, "rule": rule.to_document()}
        now = self._clock()
        exchanged = self._signing.sign(FEDERATED, claims, now, identity.latest - int(now))
        robot = Actor(account.id, account.name, account.kind, account.epoch, address=address)
        metadata = {"issuer": rule.issuer, "subject": rule.subject, "robot": name.partition("+")[2]}
        transaction = Transaction()
        self._usage_log.record_for_namespace(
            robot, transaction, "federated_robot_token_exchange", identity.namespace_id, metadata
        )
        transaction.commit()
        return exchanged

    def believe(self, name: str, token: str) -> FederatedIdentity:
        """Returns the robot of a token of another issuer, or of a token that was exchanged for one.

        Raises WrongCredentials, OutgoingFailed.
        """
        is_ours = _unverified_parts(token)[1].get("iss") == self._signing.issuer
        return self._verified(name, token, self._by_exchanged if is_ours else self._by_issuer)

    def _verified(self, name: str, token: str, verify: Callable[[str, str], FederatedIdentity]) -> FederatedIdentity:
        """Returns the robot if `verify` accepts the token. The reason for a refusal is only logged."""
        try:
            return verify(name, token)
        except (WrongCredentials, Unauthenticated) as error:
            logger.info("federated token refused", robot=name[:300], why=str(error))
            raise WrongCredentials from None

    def _candidate(self, text: str) -> FederatedRobot:
        """Returns a robot that may sign in, with as many reads whether it exists or not. Raises WrongCredentials."""
        try:
            name = RobotName.parse(text)
        except NameInvalid:
            raise WrongCredentials("there is no such robot") from None
        pointer = self._accounts.find(name.namespace)
        namespace_id = pointer.id if pointer else NOBODY
        robot = self._accounts.robot(namespace_id, name.robot)
        batch = Batch()
        account = batch.add(AccountRow, keys.account(robot.account_id if robot else NOBODY))
        namespace = batch.add(NamespaceRow, keys.namespace(namespace_id))
        owner = batch.add(AccountRow, keys.account(pointer.id if pointer and robot else NOBODY_ELSE))
        batch.read()
        if pointer is None or robot is None:
            raise WrongCredentials("there is no such robot")
        is_live = namespace.row is not None and namespace.row.state == NamespaceState.LIVE
        is_owned = pointer.kind == AccountKind.ORGANIZATION or (owner.row is not None and owner.row.enabled)
        if account.row is None or not account.row.enabled or not is_live or not is_owned:
            raise WrongCredentials("the robot, its namespace or its owner is disabled")
        return FederatedRobot(account.row, pointer.id, rules_from_text(robot.federation))

    def _by_issuer(self, name: str, token: str) -> FederatedIdentity:
        candidate = self._candidate(name)
        header, unverified = _unverified_parts(token)
        rule = matching(candidate.rules, unverified.get("iss"), unverified.get("sub"))
        if rule is None:
            raise WrongCredentials("no rule of the robot names the token's issuer and subject")
        audience = rule.audience or self._signing.issuer
        check_claims(unverified, audience, self._clock())
        claims = self._issuers.verify(token, header, rule.issuer)
        ends_at, latest = check_claims(claims, audience, self._clock())
        return FederatedIdentity(candidate.account, candidate.namespace_id, rule, ends_at, latest)

    def _by_exchanged(self, name: str, token: str) -> FederatedIdentity:
        claims, candidate = self._signing.verify(FEDERATED, token), self._candidate(name)
        document = claims["rule"]
        rule = Rule(document["issuer"], document["subject"], document.get("audience"))
        account = candidate.account
        if (claims["sub"], claims["epoch"]) != (account.id, account.epoch) or rule not in candidate.rules:
            raise WrongCredentials("the robot or the rule of the exchanged token has changed")
        return FederatedIdentity(account, candidate.namespace_id, rule, int(claims["exp"]), int(claims["exp"]))


def _unverified_parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns header and claims of a token without verifying it; empty if they cannot be read."""
    parts = token.split(".") if len(token) <= LARGEST_TOKEN else []
    if len(parts) != 3:
        return {}, {}
    header, claims = _read(parts[0]), _read(parts[1])
    return header, claims


def _read(part: str) -> dict[str, Any]:
    try:
        document = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
