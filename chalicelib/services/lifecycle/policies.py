"""Lists, creates, changes and deletes the policies of namespaces and repositories, for their administrators."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from chalicelib.domain.errors import AlreadyThere, FieldInvalid, ResourceUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, Role
from chalicelib.domain.policies import MOST, Policy, PolicyKind, Prune, TagNames
from chalicelib.domain.states import NamespaceState
from chalicelib.domain.timers import IMMUTABILITY, PRUNE
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.security import patterns
from chalicelib.services.security.access import Access
from chalicelib.storage.lifecycle.policies import PolicyOwner
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, retry_on_conflict
from chalicelib.storage.timers import timer

TIMERS = {PolicyKind.PRUNE: PRUNE, PolicyKind.IMMUTABILITY: IMMUTABILITY}
Change = Callable[[PolicyOwner, Transaction, list[Policy]], tuple[str, Policy]]


@dataclass(frozen=True, slots=True)
class PolicyHolder:
    """Names an organization, a repository, or, if both are empty, the actor's own namespace."""

    organization: str = ""
    repository: RepositoryName | None = None


@dataclass(frozen=True, slots=True)
class PolicyRequest:
    """The fields of a policy as a client sent them; `method` is None for an immutability policy."""

    pattern: str | None = None
    matches: bool = True
    method: str | None = None
    value: object = None

    @property
    def kind(self) -> PolicyKind:
        """The kind of the policy."""
        return PolicyKind.IMMUTABILITY if self.method is None else PolicyKind.PRUNE

    def policy(self, uuid: str) -> Policy:
        """Returns the policy with these fields. Raises FieldInvalid in Quay's words."""
        prune = None if self.method is None else Prune.parse(self.method, self.value)
        if prune is None and not self.pattern:
            raise FieldInvalid("", "tag_pattern is required and must be a non-empty string")
        if self.pattern:
            patterns.check(self.pattern)
        return Policy(uuid, TagNames(self.pattern or None, self.matches), prune)


class Policies:
    """Manages policies. Methods raise ResourceUnknown, NameUnknown, Unauthenticated, Denied where one is no admin."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores) -> None:
        self._access, self._usage_log, self._accounts, self._store = access, usage_log, stores.accounts, stores.policies
        self._clock = stores.clock

    def list(self, actor: Actor, holder: PolicyHolder, kind: PolicyKind) -> Sequence[Policy]:
        """Returns all policies of a kind, the oldest first."""
        return self._store.of_owner(self.owner(actor, holder), kind)

    def get(self, actor: Actor, holder: PolicyHolder, kind: PolicyKind, uuid: str) -> Policy:
        """Returns one policy."""
        return _known(self.list(actor, holder, kind), uuid)

    def create(self, actor: Actor, holder: PolicyHolder, fields: PolicyRequest) -> Policy:
        """Creates a policy, which is applied at once. Raises FieldInvalid, AlreadyThere."""

        def change(owner: PolicyOwner, transaction: Transaction, others: list[Policy]) -> tuple[str, Policy]:
            policy = fields.policy(str(uuid4()))
            _check_new(owner, policy, others)
            self._store.put(transaction, owner, policy, int(self._clock()))
            others.append(policy)
            return "create", policy

        return self._change(actor, holder, fields.kind, change)

    def change(self, actor: Actor, holder: PolicyHolder, uuid: str, fields: PolicyRequest) -> Policy:
        """Replaces the fields of a policy. Raises as `create` does."""

        def change(owner: PolicyOwner, transaction: Transaction, others: list[Policy]) -> tuple[str, Policy]:
            changed = fields.policy(uuid)
            others.remove(_known(others, uuid))
            _check_new(owner, changed, others)
            self._store.put(transaction, owner, changed)
            others.append(changed)
            return "update", changed

        return self._change(actor, holder, fields.kind, change)

    def delete(self, actor: Actor, holder: PolicyHolder, kind: PolicyKind, uuid: str) -> None:
        """Deletes a policy; the tags that it pruned or made immutable stay so."""

        def change(owner: PolicyOwner, transaction: Transaction, others: list[Policy]) -> tuple[str, Policy]:
            policy = _known(others, uuid)
            others.remove(policy)
            self._store.remove(transaction, owner, uuid)
            return "delete", policy

        self._change(actor, holder, kind, change)

    def owner(self, actor: Actor, holder: PolicyHolder) -> PolicyOwner:
        """Returns the rows of a namespace or repository that the actor administers."""
        if holder.repository is not None:
            repository_access = self._access.require_role(actor, holder.repository, Role.ADMIN)
            return PolicyOwner(repository_access.row, repository_access.repository)
        if holder.organization:
            namespace_id = self._access.administered(actor, holder.organization).id
        else:
            namespace_id = self._access.require_user(actor)
        row = self._accounts.namespace(namespace_id)
        if row is None or row.state != NamespaceState.LIVE:
            raise ResourceUnknown("namespace", holder.organization or actor.name)
        return PolicyOwner(row)

    def _change(self, actor: Actor, holder: PolicyHolder, kind: PolicyKind, change: Change) -> Policy:
        """Changes the policies of a kind, records that and arms the timer that applies them, in one transaction."""

        def attempt() -> Policy:
            owner, transaction = self.owner(actor, holder), Transaction()
            policies = self._store.of_owner(owner, kind)
            action, policy = change(owner, transaction, policies)
            rules = [one.names for one in policies] if kind is PolicyKind.IMMUTABILITY else None
            self._store.update_owner(transaction, owner, rules)
            if action != "delete":
                transaction.put(timer(TIMERS[kind], owner.target, int(self._clock())))
            self._record(actor, transaction, owner, f"{action}_{_word(owner, kind)}_policy", policy)
            transaction.commit()
            return policy

        return retry_on_conflict(attempt)

    def _record(self, actor: Actor, transaction: Transaction, owner: PolicyOwner, kind: str, policy: Policy) -> None:
        metadata: dict[str, object] = {
            "policy_uuid": policy.uuid,
            "tag_pattern": policy.names.pattern,
            "tag_pattern_matches": policy.names.matches,
        }
        if policy.prune is not None:
            metadata |= {"method": policy.prune.method, "value": policy.prune.value}
        if owner.repository is None:
            self._usage_log.record_for_namespace(
                actor, transaction, kind, owner.id, {"namespace": owner.row.name, **metadata}
            )
            return
        name = owner.repository.name
        metadata |= {"namespace": name.namespace, "repo": name.repository}
        self._usage_log.record_for_repository(actor, transaction, kind, owner.repository, metadata)


def _word(owner: PolicyOwner, kind: PolicyKind) -> str:
    if kind is PolicyKind.IMMUTABILITY:
        return "immutability"
    return "repository_autoprune" if owner.repository else "namespace_autoprune"


def _known(policies: Sequence[Policy], uuid: str) -> Policy:
    policy = next((policy for policy in policies if policy.uuid == uuid), None)
    if policy is None:
        raise ResourceUnknown("policy", uuid)
    return policy


def _check_new(owner: PolicyOwner, policy: Policy, others: Sequence[Policy]) -> None:
    if any(policy.is_like(other) for other in others):
        if policy.prune is None:
            raise AlreadyThere("A policy with the same tag_pattern already exists")
        place = "repository" if owner.repository else "namespace"
        raise AlreadyThere(f"Existing policy with same values for this {place}, duplicate policies are not permitted")
    if len(others) >= MOST:
        raise FieldInvalid("", f"there are {MOST} policies of this kind already: delete one first")
