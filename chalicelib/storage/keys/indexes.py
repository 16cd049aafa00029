"""Builds partitions and sort values of the two indexes, `due` and `view`."""

import zlib

from chalicelib.storage.keys.key import SHARDS


def due_logs(shard: str, namespace_id: str = "") -> list[str]:
    """Index `due`: the partition of a namespace's log records; without a namespace, all partitions of log records."""
    return _due(f"LOG#{shard}", namespace_id)


def due_timers(target: str = "") -> list[str]:
    """Index `due`: the partition of a target's timers of all kinds; without a target, all partitions of timers."""
    return _due("TIMER", target)


def _due(rows: str, spread_by: str) -> list[str]:
    if spread_by:
        return [f"{rows}#{zlib.crc32(spread_by.encode()) % SHARDS}"]
    return [f"{rows}#{shard}" for shard in range(SHARDS)]


def view_alive(repository_id: str) -> str:
    """Index `view`: the live tags of a repository, by the start of their lives."""
    return f"ALIVE#R#{repository_id}"


def view_lives(repository_id: str) -> str:
    """Index `view`: the history of a repository's tags."""
    return f"LIFE#R#{repository_id}"


def view_dead(namespace_id: str) -> str:
    """Index `view`: the timers of what a namespace's Time Machine keeps, by time of death."""
    return f"DEAD#N#{namespace_id}"


def dead_at(died_at: int, target: str) -> str:
    """Index `view`: the sort value of a timer in `view_dead`."""
    return f"{died_at:012d}#{target}"


def died_at(sort_value: str) -> int:
    """Reads the time of death from a sort value of `view_dead`, in seconds."""
    return int(sort_value.partition("#")[0])


def view_catalog(visibility: str) -> str:
    """Index `view`: repositories of a visibility, by full name."""
    return f"CATALOG#{visibility}"


def view_app_tokens() -> str:
    """Index `view`: the app tokens of all users, by age."""
    return "TOKENS#app"


def view_accounts(kind: str) -> str:
    """Index `view`: namespaces of a kind, by name."""
    return f"ACCOUNTS#{kind}"
