"""Policies as they are kept: under the namespace or the repository they are for.

Whoever changes one changes that place's row with it, over the version that was read, so that of two at once the second
sees the first; and what a push has to know of them stands in that row.
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
    """A policy. `value` is JSON: a number, or a text as it was written."""

    uuid = UnicodeAttribute()
    kind = EnumText(PolicyKind)
    method = OptionalEnumText(Method)
    value = OptionalText()
    pattern = OptionalText()
    matches = Integer(default=1)
    created_at = Integer()

    @property
    def policy(self) -> Policy:
        """The policy in the domain's words."""
        prune = Prune(self.method, json.loads(self.value)) if self.method and self.value else None
        return Policy(self.uuid, TagNames(self.pattern, bool(self.matches)), prune)


@dataclass(frozen=True, slots=True)
class PolicyOwner:
    """Whose policies: a namespace's, or, with `repository`, one repository's; with the row that was read."""

    row: NamespaceRow | RepositoryNameRow
    repository: Repository | None = None

    @property
    def id(self) -> str:
        """The id of the repository, else of the namespace."""
        return self.repository.id if self.repository else self.namespace_id

    @property
    def namespace_id(self) -> str:
        """The id of the namespace, whose the repository is."""
        return self.repository.namespace_id if self.repository else keys.namespace_id(self.row.pk)

    def key(self, uuid: str = "") -> keys.Key:
        """Where a policy lies; without a uuid, the prefix of all."""
        return keys.repository_policy(self.id, uuid) if self.repository else keys.namespace_policy(self.id, uuid)

    @property
    def target(self) -> str:
        """What a timer is for that looks after these policies."""
        return keys.repository_target(self.id) if self.repository else keys.namespace_target(self.id)


class PolicyStore:
    """Policies in the table."""

    def of_namespace(self, namespace_id: str, kind: PolicyKind) -> list[Policy]:
        """All of a kind for a namespace, the oldest first."""
        return _policies(keys.namespace_policy(namespace_id), kind)

    def of_repository(self, repository_id: str, kind: PolicyKind) -> list[Policy]:
        """All of a kind for a repository, the oldest first."""
        return _policies(keys.repository_policy(repository_id), kind)

    def of(self, owner: PolicyOwner, kind: PolicyKind) -> list[Policy]:
        """All of a kind, the oldest first."""
        return _policies(owner.key(), kind)

    def put(self, transaction: Transaction, owner: PolicyOwner, policy: Policy, now: int | None = None) -> None:
        """Writes a policy: a new one made at a second, or, without one, over the one of its uuid."""
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
        changed = {name: getattr(PolicyRow, name) for name in ("method", "value", "pattern", "matches")}
        actions = [
            attribute.remove() if getattr(row, name) is None else attribute.set(getattr(row, name))
            for name, attribute in changed.items()
        ]
        transaction.update(row, *actions, condition=PolicyRow.pk.exists())

    def remove(self, transaction: Transaction, owner: PolicyOwner, uuid: str) -> None:
        """Removes a policy, on condition that it is there."""
        transaction.delete(PolicyRow.under(owner.key(uuid)), PolicyRow.pk.exists())

    def seal(self, transaction: Transaction, owner: PolicyOwner, rules: list[TagNames] | None) -> None:
        """Writes the owner's row over the version that was read, with the rules of its immutability where they changed.

        Only what is said here is changed: the rest of the row is others'.
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


def _policies(place: keys.Key, kind: PolicyKind) -> list[Policy]:
    rows = sorted(query(PolicyRow, place), key=lambda row: (row.created_at, row.uuid))
    return [row.policy for row in rows if row.kind == kind]
