"""Partitions of the two indexes."""

import zlib

from chalicelib.storage.keys.key import SHARDS


def due_logs(shard: str, namespace_id: str = "") -> list[str]:
    """Index `due`: where a namespace's records are among everybody's; without a namespace, everywhere they are."""
    kind = f"LOG#{shard}"
    return [due(kind, namespace_id)] if namespace_id else [due_shard(kind, shard) for shard in range(SHARDS)]


def due(kind: str, target: str) -> str:
    """Index `due`: where a piece of work is among its kind."""
    return due_shard(kind, zlib.crc32(target.encode()) % SHARDS)


def due_shard(kind: str, shard: int) -> str:
    """Index `due`: one of the partitions of a kind of work."""
    return f"{kind}#{shard}"


def view_alive(repository_id: str) -> str:
    """Index `view`: tags that are alive, newest first."""
    return f"ALIVE#R#{repository_id}"


def view_lives(repository_id: str) -> str:
    """Index `view`: the history of tags."""
    return f"LIFE#R#{repository_id}"


def view_dead(namespace_id: str) -> str:
    """Index `view`: timers of what a namespace's Time Machine keeps, by when it died."""
    return f"DEAD#N#{namespace_id}"


def dead_at(died_at: int, target: str) -> str:
    """Index `view`: the place of a timer among those of the dead."""
    return f"{died_at:012d}#{target}"


def died_at(place: str) -> int:
    """When something died, by its place among the dead, in seconds."""
    return int(place.partition("#")[0])


def view_catalog(visibility: str) -> str:
    """Index `view`: repositories by full name."""
    return f"CATALOG#{visibility}"


def view_app_tokens() -> str:
    """Index `view`: app tokens of everybody by their age."""
    return "TOKENS#app"


def view_accounts(kind: str) -> str:
    """Index `view`: accounts by name."""
    return f"ACCOUNTS#{kind}"
