"""Manifests: what a push writes beside them."""

from tests import invariants
from tests.builders import a_bare_push, a_push, a_referrer, an_index
from tests.houses import House


def test_every_edge_carries_the_ulid_of_its_manifest(house: House) -> None:
    child = a_push(house)
    a_bare_push(house, an_index([child.digest]), "v1")
    a_referrer(house, child.digest)

    invariants.check(house)
    invariants.check_edges(house)


def test_a_manifest_pushed_again_keeps_edges_of_its_own_ulid(house: House) -> None:
    """An edge of another push counts for a lease only: then the collector would take what a pullable manifest names."""
    child = a_push(house, "v1")
    index = a_bare_push(house, an_index([child.digest]), "v2")
    referrer = a_referrer(house, child.digest)
    for manifest in (child, index, referrer):
        a_bare_push(house, manifest, "again")

    invariants.check(house)
    invariants.check_edges(house)


def test_a_manifest_pushed_with_more_tags_than_one_transaction_takes_keeps_edges_of_its_own_ulid(house: House) -> None:
    a_push(house, *(f"v{number}" for number in range(11)))

    invariants.check(house)
    invariants.check_edges(house)
