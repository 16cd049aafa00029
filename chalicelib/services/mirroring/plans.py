"""Plans runs: compares as a run does and adds up the bytes that it would fetch, but copies and removes nothing.

A plan is a run of its own kind: it begins in the request that asks for it, and a worker goes on if that takes too long.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from chalicelib.domain import media_types
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import FieldInvalid, OutgoingRefused, RegistryError, ResourceUnknown
from chalicelib.domain.errors.upstreams import UpstreamLimited
from chalicelib.domain.ids import ulid
from chalicelib.domain.manifests import Descriptor, parse_manifest
from chalicelib.domain.mirror_runs import (
    RunCause,
    TagChange,
    TagDifference,
    compare,
    gone,
    warning_of,
)
from chalicelib.domain.mirrors import NamePatterns, SyncStatus
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, Role
from chalicelib.domain.platforms import children_for
from chalicelib.remote.registries import RegistryClient
from chalicelib.services.mirroring.comparing import AT_ONCE, slices, tag_names, tags_here, tags_there
from chalicelib.services.mirroring.pulse import RESERVE_S, OutOfTime, Pulse, RunStopped, pulse_of_run
from chalicelib.services.mirroring.runs import OpenRun, Runs
from chalicelib.services.mirroring.upstreams import Upstreams
from chalicelib.services.security.access import Access
from chalicelib.storage import keys
from chalicelib.storage.mirroring.runs import MirrorRunRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, WriteConflict
from chalicelib.telemetry import same_line

# How many seconds a request waits for its plan.
WAITS_S = 18.0


@dataclass(frozen=True, slots=True)
class _Planning:
    """A plan that is being made."""

    found: OpenRun
    registry: RegistryClient
    architectures: Sequence[str]
    pulse: Pulse


class Plans:
    """Plans runs of mirrors."""

    def __init__(self, access: Access, stores: Stores, runs: Runs, upstreams: Upstreams) -> None:
        self._access, self._stores, self._runs, self._upstreams = access, stores, runs, upstreams
        self._store, self._mirrors, self._clock = stores.mirror_runs, stores.mirrors, stores.clock

    def plan(self, actor: Actor, name: RepositoryName) -> str:
        """Plans a run; returns the id of the plan, which may not be finished yet.

        Raises ResourceUnknown without a mirror, NameUnknown, Unauthenticated, Denied.
        """
        access = self._access.require_role(actor, name, Role.ADMIN)
        row = self._mirrors.get(access.repository.id)
        if row is None:
            raise ResourceUnknown("mirror of", str(name))
        now = self._clock()
        run = MirrorRunRow.under(
            keys.mirror_run(access.repository.id, ulid(now)),
            cause=RunCause.PLAN,
            status=SyncStatus.SYNCING,
            asked_by=actor.name,
            settings_version=row.settings_version,
            began_at=int(now),
        )
        transaction = Transaction()
        self._store.add(transaction, run)
        transaction.commit()
        until = now + WAITS_S
        self.work(OpenRun(access.repository, row, run), lambda: until - self._clock() + RESERVE_S)
        return run.id

    def work(self, found: OpenRun, left_s: Callable[[], float]) -> None:
        """Makes a plan, or goes on with it, unless another worker is at it."""
        run = found.run
        if not self._store.claim(run, ulid(self._clock()), int(self._clock())):
            return
        settings = self._upstreams.settings(found.mirror)
        try:
            with self._upstreams.opened(settings.source) as registry:
                pulse = pulse_of_run(self._runs, self._store, found, left_s, self._clock)
                self._plan(_Planning(found, registry, settings.architectures, pulse), NamePatterns(settings.patterns))
        except UpstreamLimited as limited:
            self._end(found, SyncStatus.FAIL, str(limited))
        except OutOfTime:
            self._store.put_run_back(run)
            self._runs.wake(found.repository.id, run)
        except (RunStopped, WriteConflict):
            return
        except (FieldInvalid, OutgoingRefused) as error:
            self._end(found, SyncStatus.FAIL, str(error))

    def _end(self, found: OpenRun, status: SyncStatus, reason: str = "") -> None:
        transaction = Transaction()
        self._store.end(transaction, found.run, status, reason, int(self._clock()))
        transaction.commit()
        self._runs.forget_old(found.repository.id)

    def _plan(self, planning: _Planning, patterns: NamePatterns) -> None:
        found, run = planning.found, planning.found.run
        listed = tag_names(planning.registry, patterns, planning.pulse)
        names = listed.names
        here = tags_here(self._stores.tags, found.repository.id, self._clock())
        present = {name for name in names if name <= run.place}
        for some in slices(names, run.place):
            there = tags_there(planning.registry, some, planning.pulse)
            differences = compare(there, here, completes=False)
            self._note(planning, differences)
            present |= there.keys()
            run.place, run.matched = some[-1], run.matched + len(there)
            run.same += len(there) - len(differences)
            self._store.keep_comparison(run)
        removals = gone(here, present)
        self._store.add_plan(run.id, removals, {}, int(self._clock()))
        run.removed += len(removals)
        run.warning = warning_of(patterns.names, present, listed.refused)
        self._end(found, SyncStatus.SUCCESS)

    def _note(self, planning: _Planning, differences: Sequence[TagDifference]) -> None:
        """Writes what would be copied, with the bytes that would be fetched for each tag."""
        run, counted = planning.found.run, set[Digest]()
        pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="plan", initializer=same_line())
        try:
            blobs = dict(
                zip(
                    [one.tag for one in differences],
                    pool.map(lambda one: self._blobs(planning, one.tag), differences),
                    strict=True,
                )
            )
        finally:
            pool.shutdown(cancel_futures=True)
        sizes = {}
        for tag, descriptors in blobs.items():
            new = {one.digest: one.size or 0 for one in descriptors if one.digest not in counted}
            counted |= new.keys()
            sizes[tag] = sum(new.values())
        self._store.add_plan(run.id, differences, sizes, int(self._clock()))
        run.added += sum(one.change is TagChange.ADD for one in differences)
        run.changed += sum(one.change is TagChange.CHANGE for one in differences)
        run.bytes_done += sum(sizes.values())

    def _blobs(self, planning: _Planning, reference: str) -> list[Descriptor]:
        """Returns the blobs that a tag or digest needs and the repository does not have."""
        planning.pulse()
        found = planning.registry.manifest(reference)
        if found is None or found.content is None:
            return []
        try:
            manifest = parse_manifest(found.content, found.media_type, found.digest.algorithm)
        except RegistryError:
            return []
        if manifest.media_type in media_types.INDEXES:
            wanted = children_for(manifest, planning.architectures)
            children = [child for child in manifest.children if child.digest in wanted]
            return [blob for child in children for blob in self._blobs(planning, str(child.digest))]
        linked = self._stores.blobs.linked(planning.found.repository.id, [blob.digest for blob in manifest.blobs])
        return [blob for blob in manifest.blobs if blob.digest not in linked]
