"""Looks up the tags of another registry and those of a repository, without reading what they name."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from chalicelib.domain.digests import Digest
from chalicelib.domain.mirrors import NamePatterns
from chalicelib.domain.names import TAG
from chalicelib.remote.registries import RegistryClient
from chalicelib.storage.registry.tags import TagStore
from chalicelib.telemetry import same_line

# How many tags are asked for at once, and after how many the place is kept.
AT_ONCE, SLICE = 8, 1000


@dataclass(frozen=True, slots=True)
class ListedTags:
    """The tags to look up, in order, and how many names upstream lists that are no tags."""

    names: list[str]
    refused: int = 0


def tag_names(registry: RegistryClient, patterns: NamePatterns, pulse: Callable[[], None]) -> ListedTags:
    """Returns the tags that patterns name outright, or else those that upstream lists and the patterns take.

    Raises UpstreamFailed, and what `pulse` raises.
    """
    named = patterns.names
    if named is not None:
        return ListedTags(sorted(named))
    found, refused = set[str](), set[str]()
    for page in registry.tags():
        pulse()
        refused |= {name for name in page if not TAG.fullmatch(name)}
        found |= {name for name in page if name not in refused and patterns.takes(name)}
    return ListedTags(sorted(found), len(refused))


def tags_here(tags: TagStore, repository_id: str, now: float) -> dict[str, Digest]:
    """Returns the tags of a repository with what they name."""
    return {row.name: row.digest for row in tags.walk(repository_id, "", SLICE) if row.is_alive(now)}


def tags_there(registry: RegistryClient, names: Sequence[str], pulse: Callable[[], None]) -> dict[str, Digest]:
    """Returns what tags name upstream, without those that it does not have. Raises as `tag_names` does."""

    def head(name: str) -> Digest | None:
        pulse()
        manifest = registry.head(name)
        return manifest.digest if manifest else None

    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="compare", initializer=same_line())
    try:
        found = zip(names, pool.map(head, names), strict=True)
        return {name: digest for name, digest in found if digest is not None}
    finally:
        # After a failure the others need not be asked.
        pool.shutdown(cancel_futures=True)


def slices(names: Sequence[str], after: str) -> Iterator[Sequence[str]]:
    """Yields the names after the last one that was compared, a slice at a time."""
    rest = [name for name in names if name > after]
    yield from (rest[start : start + SLICE] for start in range(0, len(rest), SLICE))
