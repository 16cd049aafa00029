"""Builds keys of mirrors and of their runs."""

import zlib

from chalicelib.domain.digests import Digest
from chalicelib.storage.keys.key import META, SHARDS, Key


def mirror(repository_id: str) -> Key:
    """The mirror of a repository: settings and status."""
    return f"R#{repository_id}", "MIRROR"


def robot_mirror(robot_id: str, repository_id: str = "") -> Key:
    """Says that a robot mirrors into a repository; without a repository, the prefix of all."""
    return f"A#{robot_id}", f"MIRROR#{repository_id}"


def mirror_run(repository_id: str, run: str = "") -> Key:
    """A run of a repository's mirror, by its ULID; without one, the prefix of all."""
    return f"R#{repository_id}", f"RUN#{run}"


def mirrored_tag(run: str, tag: str = "") -> Key:
    """A tag that a run changes; without one, the prefix of all."""
    return f"RUN#{run}", f"TAG#{tag}"


def mirrored_blob(run: str, digest: Digest) -> Key:
    """A blob that a run fetches."""
    return f"RUN#{run}", f"BLOB#{digest}"


def upstream(host: str, username: str) -> Key:
    """Another registry, as one of its users sees it."""
    return f"UPSTREAM#{host}#{username}", META


def view_mirrors(repository_id: str = "") -> list[str]:
    """Index `view`: the partition of a repository's mirror; without a repository, all partitions of mirrors."""
    if repository_id:
        return [f"MIRRORS#{zlib.crc32(repository_id.encode()) % SHARDS}"]
    return [f"MIRRORS#{shard}" for shard in range(SHARDS)]


def view_organization_mirrors() -> str:
    """Index `view`: the partition of the repositories that mirrors of organizations fill; nobody reads it."""
    return "ORGMIRRORS"


def organization_mirror(namespace_id: str) -> Key:
    """The mirror of an organization: settings and status."""
    return f"N#{namespace_id}", "ORGMIRROR"


def discovered(namespace_id: str, name: str = "") -> Key:
    """A repository that the mirror of an organization discovered; without a name, the prefix of all."""
    return f"N#{namespace_id}", f"ORGMIRROR#{name}"


def proxy_cache(namespace_id: str) -> Key:
    """The proxy cache that an organization is."""
    return f"N#{namespace_id}", "PROXYCACHE"


def checked_tag(repository_id: str, tag: str) -> Key:
    """What another registry last said of a tag that a proxy cache serves."""
    return f"R#{repository_id}", f"CHECKED#{tag}"
