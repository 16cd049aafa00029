"""Storage of lookups: the last one of a puller and a digest."""

from dataclasses import replace

from chalicelib.domain.pulls import LOOKUP_S, Puller
from chalicelib.storage.activity.lookups import LookupStore
from tests.support.backends import Backend

STORE = LookupStore()
PULLER = Puller("alice", "192.0.2.1", "r")


def test_the_last_lookup_of_a_puller_and_a_digest_is_kept_until_no_pull_belongs_to_it(backend: Backend) -> None:
    STORE.put(PULLER, "sha256:a", "v1", 100)
    STORE.put(PULLER, "sha256:a", "v2", 200)
    row = STORE.get(PULLER, "sha256:a")

    assert row is not None
    assert (row.tag, row.at, row.expires_at) == ("v2", 200, 200 + LOOKUP_S)


def test_other_pullers_digests_and_repositories_have_their_own(backend: Backend) -> None:
    STORE.put(PULLER, "sha256:a", "v1", 100)
    others = [{"name": "bob"}, {"address": "192.0.2.2"}, {"repository_id": "s"}]

    assert [STORE.get(replace(PULLER, **other), "sha256:a") for other in others] == [None] * 3
    assert STORE.get(PULLER, "sha256:b") is None
