"""Policies of namespaces and repositories: listed, made, changed, taken away by who administers them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from chalicelib.domain.errors import AlreadyThere, Denied, FieldInvalid, ResourceUnknown, Unauthenticated
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
Alter = Callable[[PolicyOwner, Transaction, list[Policy]], tuple[str, Policy]]


@dataclass(frozen=True, slots=True)
class PolicyHolder:
    """Whose policies: an organization's, a repository's, or, with neither, one's own namespace's."""

    organization: str = ""
    repository: RepositoryName | None = None


@dataclass(frozen=True, slots=True)
class PolicyRequest:
    """What somebody wants of a policy, as it was written; `method` is None for one of immutability."""

    pattern: str | None = None
    matches: bool = True
    method: str | None = None
    value: object = None

    @property
    def kind(self) -> PolicyKind:
        """Which kind of policy."""
        return PolicyKind.IMMUTABILITY if self.method is None else PolicyKind.PRUNE

    def policy(self, uuid: str) -> Policy:
        """The policy of that. Raises FieldInvalid in Quay's words."""
        prune = None if self.method is None else Prune.parse(self.method, self.value)
        if prune is None and not self.pattern:
            raise FieldInvalid("", "tag_pattern is required and must be a non-empty string")
        if self.pattern:
            patterns.check(self.pattern)
        return Policy(uuid, TagNames(self.pattern or None, self.matches), prune)


class Policies:
    """Policies. Every method raises NothingThere, NameUnknown, Unauthenticated or Denied for what is not one's own."""

    def __init__(self, access: Access, usage: UsageLog, stores: Stores) -> None:
        self._access, self._usage, self._accounts, self._store = access, usage, stores.accounts, stores.policies
        self._clock = stores.clock

    def list(self, actor: Actor, holder: PolicyHolder, kind: PolicyKind) -> Sequence[Policy]:
        """All of a kind, the oldest first."""
        return self._store.of_owner(self.owner(actor, holder), kind)

    def get(self, actor: Actor, holder: PolicyHolder, kind: PolicyKind, uuid: str) -> Policy:
        """One of them."""
        return _known(self.list(actor, holder, kind), uuid)

    def create(self, actor: Actor, holder: PolicyHolder, asked: PolicyRequest) -> Policy:
        """Makes one, which is followed at once. Raises FieldInvalid, AlreadyThere."""

        def alter(owner: PolicyOwner, transaction: Transaction, others: list[Policy]) -> tuple[str, Policy]:
            made = asked.policy(str(uuid4()))
            _check_new(owner, made, others)
            self._store.put(transaction, owner, made, int(self._clock()))
            others.append(made)
            return "create", made

        return self._change(actor, holder, asked.kind, alter)

    def change(self, actor: Actor, holder: PolicyHolder, uuid: str, asked: PolicyRequest) -> Policy:
        """Says a policy anew. Raises as `create` does."""

        def alter(owner: PolicyOwner, transaction: Transaction, others: list[Policy]) -> tuple[str, Policy]:
            changed = asked.policy(uuid)
            others.remove(_known(others, uuid))
            _check_new(owner, changed, others)
            self._store.put(transaction, owner, changed)
            others.append(changed)
            return "update", changed

        return self._change(actor, holder, asked.kind, alter)

    def delete(self, actor: Actor, holder: PolicyHolder, kind: PolicyKind, uuid: str) -> None:
        """Takes one away; what it has done stays done."""

        def alter(owner: PolicyOwner, transaction: Transaction, others: list[Policy]) -> tuple[str, Policy]:
            gone = _known(others, uuid)
            others.remove(gone)
            self._store.remove(transaction, owner, uuid)
            return "delete", gone

        self._change(actor, holder, kind, alter)

    def owner(self, actor: Actor, holder: PolicyHolder) -> PolicyOwner:
        """Whose policies the actor may see and change."""
        if holder.repository is not None:
            repository_access = self._access.require_role(actor, holder.repository, Role.ADMIN)
            return PolicyOwner(repository_access.row, repository_access.repository)
        if holder.organization:
            namespace_id = self._administered(actor, holder.organization)
        else:
            namespace_id = self._access.require_user(actor)
        row = self._accounts.namespace(namespace_id)
        if row is None or row.state != NamespaceState.LIVE:
            raise ResourceUnknown("namespace", holder.organization or actor.name)
        return PolicyOwner(row)

    def _administered(self, actor: Actor, organization: str) -> str:
        try:
            return self._access.administered(actor, organization).id
        except Unauthenticated:
            # Quay tells strangers of policies what it tells everybody else.
            raise Denied(organization, "administer") from None

    def _change(self, actor: Actor, holder: PolicyHolder, kind: PolicyKind, alter: Alter) -> Policy:
        """Alters the policies of a kind, with the record and the timer of who follows them, over what was read."""

        def attempt() -> Policy:
            owner, transaction = self.owner(actor, holder), Transaction()
            policies = self._store.of_owner(owner, kind)
            action, policy = alter(owner, transaction, policies)
            rules = [one.names for one in policies] if kind is PolicyKind.IMMUTABILITY else None
            self._store.update_owner(transaction, owner, rules)
            if action != "delete":
                transaction.put(timer(TIMERS[kind], owner.target, int(self._clock())))
            self._record(actor, transaction, owner, f"{action}_{_word(owner, kind)}_policy", policy)
            transaction.commit()
            return policy

        return retry_on_conflict(attempt)

    def _record(self, actor: Actor, transaction: Transaction, owner: PolicyOwner, kind: str, policy: Policy) -> None:
        told: dict[str, object] = {
            "policy_uuid": policy.uuid,
            "tag_pattern": policy.names.pattern,
            "tag_pattern_matches": policy.names.matches,
        }
        if policy.prune is not None:
            told |= {"method": policy.prune.method, "value": policy.prune.value}
        if owner.repository is None:
            self._usage.note(actor, transaction, kind, owner.id, {"namespace": owner.row.name, **told})
            return
        name = owner.repository.name
        told |= {"namespace": name.namespace, "repo": name.repository}
        self._usage.record(actor, transaction, kind, owner.repository, told)


def _word(owner: PolicyOwner, kind: PolicyKind) -> str:
    if kind is PolicyKind.IMMUTABILITY:
        return "immutability"
    return "repository_autoprune" if owner.repository else "namespace_autoprune"


def _known(policies: Sequence[Policy], uuid: str) -> Policy:
    found = next((policy for policy in policies if policy.uuid == uuid), None)
    if found is None:
        raise ResourceUnknown("policy", uuid)
    return found


def _check_new(owner: PolicyOwner, policy: Policy, others: Sequence[Policy]) -> None:
    if any(policy.is_like(other) for other in others):
        if policy.prune is None:
            raise AlreadyThere("A policy with the same tag_pattern already exists")
        place = "repository" if owner.repository else "namespace"
        raise AlreadyThere(f"Existing policy with same values for this {place}, duplicate policies are not permitted")
    if len(others) >= MOST:
        raise FieldInvalid("", f"there are {MOST} policies of this kind already: take one away first")
