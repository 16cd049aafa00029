"""Storage of policies, which change together with their owner's row."""

import pytest

from chalicelib.domain.policies import Method, Policy, PolicyKind, Prune, TagNames
from chalicelib.storage.lifecycle.policies import PolicyOwner, PolicyStore
from chalicelib.storage.table import Transaction, WriteConflict
from tests.support.backends import Backend
from tests.support.builders import a_repository
from tests.support.rows import rows_like

PRUNE = Policy("a", TagNames("v.*", matches=False), Prune(Method.AGE, "7d"))
RULE = Policy("b", TagNames("release-.*"))


@pytest.fixture
def owner(backend: Backend) -> PolicyOwner:
    repository = a_repository(backend)
    row = backend.services.stores.repositories.find(repository.namespace_id, repository.name)
    assert row is not None
    return PolicyOwner(row, repository)


def write(owner: PolicyOwner, *policies: Policy, now: int | None = 1) -> None:
    transaction = Transaction()
    for policy in policies:
        PolicyStore().put(transaction, owner, policy, now)
    transaction.commit()


def test_a_policy_is_read_as_it_was_written(owner: PolicyOwner) -> None:
    write(owner, PRUNE, RULE)
    store = PolicyStore()

    assert store.of_owner(owner, PolicyKind.PRUNE) == store.of_repository(owner.id, PolicyKind.PRUNE) == [PRUNE]
    assert store.of_owner(owner, PolicyKind.IMMUTABILITY) == [RULE]
    assert store.of_namespace(owner.namespace_id, PolicyKind.PRUNE) == []


def test_a_changed_policy_keeps_its_place_in_the_list(owner: PolicyOwner) -> None:
    write(owner, PRUNE, now=1)
    other = Policy("c", TagNames(), Prune(Method.NUMBER, 3))
    write(owner, other, now=2)
    changed = Policy("a", TagNames(), Prune(Method.NUMBER, 9))
    write(owner, changed, now=None)

    assert PolicyStore().of_owner(owner, PolicyKind.PRUNE) == [changed, other]


def test_a_missing_policy_can_be_neither_changed_nor_removed(owner: PolicyOwner) -> None:
    with pytest.raises(WriteConflict):
        write(owner, PRUNE, now=None)
    transaction = Transaction()
    PolicyStore().remove(transaction, owner, "a")
    with pytest.raises(WriteConflict):
        transaction.commit()


def test_the_owner_s_row_changes_only_in_the_version_that_was_read_and_keeps_other_attributes(
    backend: Backend, owner: PolicyOwner
) -> None:
    for rules, is_written in (([RULE.names], True), ([], False)):
        transaction = Transaction()
        PolicyStore().update_owner(transaction, owner, rules)
        if is_written:
            transaction.commit()
        else:
            with pytest.raises(WriteConflict):
                transaction.commit()

    (row,) = rows_like(backend, "N#", "REPO#app")
    assert (row["version"], row["immutability"], row["visibility"]) == (1, '[["release-.*", true]]', "private")


def test_a_namespace_has_its_own_policies(backend: Backend, owner: PolicyOwner) -> None:
    namespace = backend.services.stores.accounts.namespace(owner.namespace_id)
    assert namespace is not None
    mine = PolicyOwner(namespace)
    write(mine, PRUNE)

    assert (mine.id, mine.namespace_id) == (owner.namespace_id, owner.namespace_id)
    assert PolicyStore().of_namespace(mine.id, PolicyKind.PRUNE) == [PRUNE]
    assert PolicyStore().of_owner(owner, PolicyKind.PRUNE) == []
