"""Pulls, counted: how often a tag and a manifest were pulled, and when last.

The records of the log are added up behind the scenes, hour by hour; what was not yet is read with the answer, so that a
pull shows at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ResourceUnknown
from chalicelib.domain.log_cursors import before, earliest, past
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import Actor, Role
from chalicelib.domain.pulls import HOUR_S, Sum, parts, settled_at, sums
from chalicelib.domain.timers import Due, HasTime, Later
from chalicelib.services.security.access import Access
from chalicelib.storage import keys
from chalicelib.storage.activity.pulls import PullCursorRow
from chalicelib.storage.keys.timer_targets import HourTarget, read_target
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.registry.tags import TagRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Batch, retry_on_conflict

# Records that are read at once: of those behind the sums an answer looks at so many, the oldest first.
PAGE = 1000
# Sums that one transaction changes, of its hundred items; the others are the cursor and the repository.
MOST_SUMS = 90


@dataclass(frozen=True, slots=True)
class TagPulls:
    """The pulls of a tag, and those of the manifest that it names now, by whatever tag or by its digest."""

    digest: Digest
    of_tag: Sum
    of_manifest: Sum


class Pulls:
    """Pulls of repositories."""

    def __init__(self, access: Access, stores: Stores) -> None:
        self._access, self._store, self._usage_log, self._clock = access, stores.pulls, stores.usage_log, stores.clock

    def of_tag(self, actor: Actor, name: RepositoryName, tag: Tag) -> TagPulls:
        """The pulls of a tag that is alive, for those with a right of their own, be the repository public or not.

        Raises NothingThere, NameUnknown, Denied.
        """
        repository = self._access.require_own_role(actor, name, Role.READ).repository
        batch = Batch()
        read = batch.add(TagRow, keys.tag(repository.id, tag))
        cursor = batch.add(PullCursorRow, keys.pulls_upto(repository.id))
        batch.read()
        if read.row is None or not read.row.is_alive(self._clock()):
            raise ResourceUnknown("tag", tag)
        digest = read.row.digest
        of_tag, of_manifest = self._told(repository.id, cursor.row, (tag, str(digest)))
        return TagPulls(digest, of_tag, of_manifest)

    def of_manifest(self, actor: Actor, name: RepositoryName, digest: Digest) -> Sum:
        """The pulls of a manifest that is kept, for the same. Raises NothingThere, NameUnknown, Denied."""
        repository = self._access.require_own_role(actor, name, Role.READ).repository
        batch = Batch()
        read = batch.add(ManifestRow, keys.manifest(repository.id, digest))
        cursor = batch.add(PullCursorRow, keys.pulls_upto(repository.id))
        batch.read()
        if read.row is None or not read.row.is_living:
            raise ResourceUnknown("manifest", str(digest))
        return self._told(repository.id, cursor.row, (str(digest),))[0]

    def _told(self, repository_id: str, cursor: PullCursorRow | None, references: Sequence[str]) -> list[Sum]:
        """Sums with what lies behind them. They are read after the cursor, and may be ahead of it."""
        rows = self._store.sums(repository_id, references)
        upto = cursor.upto if cursor else ""
        ends = {one: max(upto, rows[one].upto) if one in rows else upto for one in references}
        last = earliest(self._clock() + HOUR_S)
        behind, _ = self._usage_log.pulls(repository_id, past(min(ends.values())), last, PAGE)
        told = []
        for one in references:
            found = rows[one].sum if one in rows else Sum()
            for pull in behind:
                found = found.plus(pull.at) if one in pull.references and pull.position > ends[one] else found
            told.append(found)
        return told

    def work(self, due: Due, has_time: HasTime) -> Later | None:
        """Adds up a repository's pulls of all hours that are settled, whichever the timer was for.

        Raises ValueError for what has no pulls.
        """
        found = read_target(due.target)
        if not isinstance(found, HourTarget):
            raise ValueError(f"no pulls are of {due.target}")
        now = self._clock()
        last = before(earliest(settled_at(now)))
        while retry_on_conflict(lambda: self._add_page(found.repository_id, last)):
            if not has_time():
                return Later(int(now))
        return None

    def _add_page(self, repository_id: str, last: str) -> bool:
        """Adds some pulls up, up to the ULID `last` included; whether there are more. Raises LostRace."""
        upto = self._store.upto(repository_id)
        if upto is None:
            return False
        pulls, is_all = self._usage_log.pulls(repository_id, past(upto), last, PAGE)
        for part in parts(pulls, MOST_SUMS):
            self._store.add(repository_id, (upto, part[-1].position), sums(part))
            upto = part[-1].position
        return not is_all
