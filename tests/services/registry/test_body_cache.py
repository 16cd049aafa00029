"""The cache of the bytes of manifests."""

from chalicelib.domain.digests import Digest
from chalicelib.services.registry.body_cache import BodyCache


def test_the_cache_is_bounded_and_drops_the_least_recently_used_bytes() -> None:
    cache, digests = BodyCache(limit=100), [Digest.of(bytes([number])) for number in range(3)]
    cache.put("r", digests[0], bytes(40))
    cache.put("r", digests[1], bytes(40))
    assert cache.get("r", digests[0]) is not None
    cache.put("r", digests[2], bytes(40))

    assert cache.get("r", digests[1]) is None
    assert cache.get("r", digests[0]) == cache.get("r", digests[2]) == bytes(40)
    assert cache.get("other", digests[0]) is None
    cache.put("r", digests[1], bytes(101))
    assert cache.get("r", digests[1]) is None
