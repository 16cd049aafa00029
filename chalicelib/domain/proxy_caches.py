"""Proxy caches: organizations whose repositories are those of another registry, fetched when they are pulled."""

from dataclasses import dataclass, replace

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.mirror_sources import is_authority, parse_namespace
from chalicelib.domain.mirrors import MirrorSource

UPSTREAM = "upstream_registry"
USUAL_EXPIRATION_S = 86_400
# Blobs up to this size go through the function, whose answers have at most 6 MB, a third of it for base64.
INLINE = 4 * 1024 * 1024
# The other registry has so many seconds to answer while a client waits: Lambda ends after 29. Where it fails, a tag is
# served as it is here for so many seconds before it is asked again.
PATIENCE_S, STALE_S = 8, 60
# A client waits so many seconds for a larger blob before it is sent to the same address again, and so often at most.
WAIT_S, MOST_WAITS = 20, 8


@dataclass(frozen=True, slots=True)
class ProxyCacheSettings:
    """The settings of a proxy cache: `source.reference` is the other registry, with a namespace or without.

    After `expiration_s` seconds the other registry is asked again what a tag names.
    """

    source: MirrorSource
    expiration_s: int = USUAL_EXPIRATION_S

    def source_of(self, repository: str) -> MirrorSource:
        """Returns the source of a repository, by its name within the organization."""
        return replace(self.source, reference=f"{self.source.reference}/{repository}")


def parse_upstream(text: str) -> str:
    """Returns another registry, `host[:port]` or `host[:port]/namespace`. Raises FieldInvalid."""
    host, slash, namespace = text.removesuffix("/").partition("/")
    if not host:
        raise FieldInvalid("", "URL must include a hostname")
    if "://" in text or not is_authority(host):
        raise FieldInvalid(UPSTREAM, "say a host such as docker.io, or a namespace there such as quay.io/team")
    if slash:
        parse_namespace(UPSTREAM, namespace)
    return text.removesuffix("/")
