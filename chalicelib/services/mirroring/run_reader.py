"""Shows the runs of mirrors, also while they go on, and what became of each tag."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from chalicelib.domain.errors import ResourceUnknown
from chalicelib.domain.ids import is_ulid
from chalicelib.domain.mirror_runs import KEPT_RUNS
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, Role
from chalicelib.services.security.access import Access
from chalicelib.services.security.sealing import PageTokens
from chalicelib.storage.mirroring.runs import MirroredTagRow, MirrorRunRow
from chalicelib.storage.stores import Stores

PAGE = 100
# What is shown, by names for those who show it.
Run = MirrorRunRow
RunTag = MirroredTagRow


@dataclass(frozen=True, slots=True)
class RunPage:
    """A run with a page of its tags; `following` is the token of the next page, None after the last one."""

    run: MirrorRunRow
    tags: Sequence[MirroredTagRow]
    following: str | None


class RunReader:
    """Reads runs and plans."""

    def __init__(self, access: Access, stores: Stores, pages: PageTokens) -> None:
        self._access, self._store, self._pages = access, stores.mirror_runs, pages

    def latest(self, actor: Actor, name: RepositoryName) -> list[MirrorRunRow]:
        """Returns the last runs and plans of a mirror, newest first. Raises NameUnknown, Unauthenticated, Denied."""
        return self._store.latest(self._access.require_role(actor, name, Role.ADMIN).repository.id, KEPT_RUNS)

    def get(self, actor: Actor, name: RepositoryName, run: str, page: str | None = None) -> RunPage:
        """Returns a run with the tags that it is about, those that did not change left out.

        Raises ResourceUnknown, NameUnknown, Unauthenticated, Denied.
        """
        repository = self._access.require_role(actor, name, Role.ADMIN).repository
        row = self._store.get(repository.id, run) if is_ulid(run) else None
        if row is None:
            raise ResourceUnknown("run", run)
        about = f"tags of run {run}"
        tags = list(islice(self._store.tags(run, self._pages.open(about, page), PAGE + 1), PAGE + 1))
        following = self._pages.seal(about, tags[PAGE - 1].tag) if len(tags) > PAGE else None
        return RunPage(row, tags[:PAGE], following)
