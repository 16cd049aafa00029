"""Checks again whether the credential of an access token is accepted, in a batch of reads that is made anyway."""

from collections.abc import Callable

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.credentials import Credential
from chalicelib.domain.federation import rules_from_text
from chalicelib.domain.permissions import Actor
from chalicelib.domain.states import NamespaceState
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountRow, NamespaceRow, RobotRow
from chalicelib.storage.identity.applications import ClientRow
from chalicelib.storage.identity.tokens import TokenKind, TokenRow
from chalicelib.storage.table import Batch


class CredentialRows:
    """The rows that a credential depends on: the token, its makers, applications and namespaces, a robot's rule."""

    def __init__(self, batch: Batch, actor: Actor, clock: Callable[[], float]) -> None:
        self._credential, self._clock = actor.credential or Credential(), clock
        credential, account_id = self._credential, actor.account_id or ""
        tokens = [(credential.kind, credential.uuid)] if credential.uuid else []
        tokens += [(TokenKind.OAUTH, uuid) for uuid in credential.makers]
        self._tokens = [batch.add(TokenRow, keys.account_token(account_id, kind, uuid)) for kind, uuid in tokens]
        self._clients = [batch.add(ClientRow, keys.client(client_id)) for client_id in credential.clients]
        self._namespaces = [batch.add(NamespaceRow, keys.namespace(one)) for one in credential.namespaces]
        # The user who owns a robot must be enabled; an organization has no such row.
        owners = credential.namespaces if actor.kind == AccountKind.ROBOT else ()
        self._owners = [batch.add(AccountRow, keys.account(one)) for one in owners]
        robot_key = keys.robot(credential.namespaces[0], credential.robot) if credential.robot else None
        self._robot = batch.add(RobotRow, robot_key) if robot_key else None

    def are_valid(self) -> bool:
        """Whether all rows exist and are in force. Without a random token or rule there is nothing to check."""
        now = self._clock()
        tokens = [read.row for read in self._tokens]
        return (
            all(row is not None and (row.expires_at is None or row.expires_at > now) for row in tokens)
            and all(read.row is not None for read in self._clients)
            and all(read.row is not None and read.row.state == NamespaceState.LIVE for read in self._namespaces)
            and all(read.row is None or read.row.enabled for read in self._owners)
            and self._is_rule_kept()
        )

    def _is_rule_kept(self) -> bool:
        row = self._robot.row if self._robot else None
        return self._robot is None or (row is not None and self._credential.rule in rules_from_text(row.federation))
