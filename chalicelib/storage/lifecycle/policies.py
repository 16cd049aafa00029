"""Stores policies in the partition of their owner, a namespace or a repository.

Every change of a policy also writes its owner's row if that has the version that was read, so that one of two
concurrent changes is repeated. The owner's row also holds what a push has to know of the policies.
"""

import json
from dataclasses import dataclass

from pynamodb.attributes import UnicodeAttribute

from chalicelib.domain.policies import Method, Policy, PolicyKind, Prune, TagNames, to_text
from chalicelib.domain.repositories import Repository
from chalicelib.domain.states import NamespaceState, RepositoryState
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.attributes import EnumText, Integer, OptionalEnumText, OptionalText
from chalicelib.storage.registry.repositories import RepositoryNameRow
from chalicelib.storage.table import Row, Transaction, absent, at_version, query


class PolicyRow(Row):
    """A policy. `value` is JSON: a number, or a text as the client sent it."""

    uuid = UnicodeAttribute()
    kind = EnumText(PolicyKind)
    method = OptionalEnumText(Method)
    value = OptionalText()
    pattern = OptionalText()
    matches = Integer(default=1)
    created_at = Integer()

    @property
    def policy(self) -> Policy:
        """The policy as a value of the domain."""
        prune = Prune(self.method, json.loads(self.value)) if self.method and self.value else None
        return Policy(self.uuid, TagNames(self.pattern, bool(self.matches)), prune)


@dataclass(frozen=True, slots=True)
class PolicyOwner:
    """The owner of policies: a namespace or, with `repository`, a repository; `row` is its row as it was read."""

    row: NamespaceRow | RepositoryNameRow
    repository: Repository | None = None

    @property
    def id(self) -> str:
        """The id of the repository, or of the namespace if there is none."""
        return self.repository.id if self.repository else self.namespace_id

    @property
    def namespace_id(self) -> str:
        """The id of the namespace."""
        return self.repository.namespace_id if self.repository else keys.namespace_id(self.row.pk)

    def key(self, uuid: str = "") -> keys.Key:
        """Returns the key of a policy; without a uuid, the prefix of all."""
        return keys.repository_policy(self.id, uuid) if self.repository else keys.namespace_policy(self.id, uuid)

    @property
    def target(self) -> str:
        """The target of the timer that applies these policies."""
        return keys.repository_target(self.id) if self.repository else keys.namespace_target(self.id)


class PolicyStore:
    """The policies in the table."""

    def of_namespace(self, namespace_id: str, kind: PolicyKind) -> list[Policy]:
        """Returns a namespace's policies of a kind, oldest first."""
        return _policies(keys.namespace_policy(namespace_id), kind)

    def of_repository(self, repository_id: str, kind: PolicyKind) -> list[Policy]:
        """Returns a repository's policies of a kind, oldest first."""
        return _policies(keys.repository_policy(repository_id), kind)

    def of_owner(self, owner: PolicyOwner, kind: PolicyKind) -> list[Policy]:
        """Returns an owner's policies of a kind, oldest first."""
        return _policies(owner.key(), kind)

    def put(self, transaction: Transaction, owner: PolicyOwner, policy: Policy, now: int | None = None) -> None:
        """Writes a policy: a new one with `now` as its creation time, or, without `now`, over the existing one."""
        prune = policy.prune
        row = PolicyRow.under(
            owner.key(policy.uuid),
            uuid=policy.uuid,
            kind=policy.kind,
            method=prune.method if prune else None,
            value=json.dumps(prune.value) if prune else None,
            pattern=policy.names.pattern,
            matches=int(policy.names.matches),
            created_at=now or 0,
        )
        if now is not None:
            transaction.put(row, absent())
            return
        attributes = {name: getattr(PolicyRow, name) for name in ("method", "value", "pattern", "matches")}
        actions = [
            attribute.remove() if getattr(row, name) is None else attribute.set(getattr(row, name))
            for name, attribute in attributes.items()
        ]
        transaction.update(row, *actions, condition=PolicyRow.pk.exists())

    def remove(self, transaction: Transaction, owner: PolicyOwner, uuid: str) -> None:
        """Removes a policy if it exists."""
        transaction.delete(PolicyRow.under(owner.key(uuid)), PolicyRow.pk.exists())

    def update_owner(self, transaction: Transaction, owner: PolicyOwner, rules: list[TagNames] | None) -> None:
        """Raises the version of the owner's row if it is as it was read, and writes changed immutability rules.

        `rules` is None if they did not change. Other attributes of the row stay as they are.
        """
        row, kind = owner.row, type(owner.row)
        actions = [kind.version.set(row.version + 1)]
        if rules is not None:
            text = to_text(rules)
            actions.append(kind.immutability.set(text) if text else kind.immutability.remove())
        live = RepositoryState.LIVE if isinstance(row, RepositoryNameRow) else NamespaceState.LIVE
        is_same = at_version(kind.version, row.version) & (kind.state == live)
        if isinstance(row, RepositoryNameRow):
            is_same &= RepositoryNameRow.repository_id == row.repository_id
        transaction.update(kind.under(row.key), *actions, condition=is_same)


def _policies(key: keys.Key, kind: PolicyKind) -> list[Policy]:
    rows = sorted(query(PolicyRow, key), key=lambda row: (row.created_at, row.uuid))
    return [row.policy for row in rows if row.kind == kind]
