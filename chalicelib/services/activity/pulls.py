"""Counts how often a tag and a manifest were pulled, and when last.

A timer adds the records of the log to sums, hour by hour. A request adds the records that are not summed yet, so that a
pull counts at once.
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

# How many records are read at once. A request adds at most this many unsummed records, the oldest first.
PAGE = 1000
# Sums that one transaction changes; of its hundred items others are the cursor and the repository.
MOST_SUMS = 90


@dataclass(frozen=True, slots=True)
class TagPulls:
    """The pulls of a tag, and the pulls by any tag or digest of the manifest that it names now."""

    digest: Digest
    of_tag: Sum
    of_manifest: Sum


class Pulls:
    """Counts the pulls of repositories."""

    def __init__(self, access: Access, stores: Stores) -> None:
        self._access, self._store, self._usage_log, self._clock = access, stores.pulls, stores.usage_log, stores.clock

    def of_tag(self, actor: Actor, name: RepositoryName, tag: Tag) -> TagPulls:
        """Returns the pulls of a live tag. The right that everybody has on a public repository is not enough.

        Raises ResourceUnknown, NameUnknown, Denied.
        """
        repository = self._access.require_own_role(actor, name, Role.READ).repository
        batch = Batch()
        read = batch.add(TagRow, keys.tag(repository.id, tag))
        cursor = batch.add(PullCursorRow, keys.pulls_upto(repository.id))
        batch.read()
        if read.row is None or not read.row.is_alive(self._clock()):
            raise ResourceUnknown("tag", tag)
        digest = read.row.digest
        of_tag, of_manifest = self._current_sums(repository.id, cursor.row, (tag, str(digest)))
        return TagPulls(digest, of_tag, of_manifest)

    def of_manifest(self, actor: Actor, name: RepositoryName, digest: Digest) -> Sum:
        """Returns the pulls of a manifest, for the same actors. Raises ResourceUnknown, NameUnknown, Denied."""
        repository = self._access.require_own_role(actor, name, Role.READ).repository
        batch = Batch()
        read = batch.add(ManifestRow, keys.manifest(repository.id, digest))
        cursor = batch.add(PullCursorRow, keys.pulls_upto(repository.id))
        batch.read()
        if read.row is None or not read.row.is_living:
            raise ResourceUnknown("manifest", str(digest))
        return self._current_sums(repository.id, cursor.row, (str(digest),))[0]

    def _current_sums(self, repository_id: str, cursor: PullCursorRow | None, references: Sequence[str]) -> list[Sum]:
        """Returns the sums plus the unsummed pulls. The sums are read after the cursor and may be ahead of it."""
        rows = self._store.sums(repository_id, references)
        upto = cursor.upto if cursor else ""
        ends = {one: max(upto, rows[one].upto) if one in rows else upto for one in references}
        last = earliest(self._clock() + HOUR_S)
        unsummed, _ = self._usage_log.pulls(repository_id, past(min(ends.values())), last, PAGE)
        result = []
        for one in references:
            total = rows[one].sum if one in rows else Sum()
            for pull in unsummed:
                total = total.plus(pull.at) if one in pull.references and pull.position > ends[one] else total
            result.append(total)
        return result

    def work(self, due: Due, has_time: HasTime) -> Later | None:
        """Sums a repository's pulls of all settled hours, whichever hour the timer was for.

        Raises ValueError for a target that is not an hour of a repository.
        """
        target = read_target(due.target)
        if not isinstance(target, HourTarget):
            raise ValueError(f"{due.target} is not an hour of a repository")
        now = self._clock()
        last = before(earliest(settled_at(now)))
        while retry_on_conflict(lambda: self._add_page(target.repository_id, last)):
            if not has_time():
                return Later(int(now))
        return None

    def _add_page(self, repository_id: str, last: str) -> bool:
        """Sums a page of pulls up to and including the ULID `last`; returns whether there are more.

        Raises WriteConflict.
        """
        upto = self._store.upto(repository_id)
        if upto is None:
            return False
        pulls, is_all = self._usage_log.pulls(repository_id, past(upto), last, PAGE)
        for part in parts(pulls, MOST_SUMS):
            self._store.add(repository_id, (upto, part[-1].position), sums(part))
            upto = part[-1].position
        return not is_all
