"""Lists the repositories of another registry, and brings those of an organization in line with them."""

from collections.abc import Callable, Mapping

from chalicelib.domain.errors import FieldInvalid, OutgoingRefused
from chalicelib.domain.ids import ulid
from chalicelib.domain.mirror_runs import MOST_TRIES, RunCause
from chalicelib.domain.mirrors import NamePatterns, SyncStatus
from chalicelib.domain.names import MAXIMUM_LENGTH
from chalicelib.domain.organization_mirrors import (
    FILTERS,
    GONE,
    LEFT_OUT,
    MOST_REPOSITORIES,
    NAMESPACE,
    NONE_LISTED,
    NONE_MATCHED,
    URL,
    DiscoveredState,
)
from chalicelib.services.mirroring.discovered_repositories import DiscoveredRepositories, OrganizationSource
from chalicelib.services.mirroring.discoveries import Discoveries
from chalicelib.services.mirroring.pulse import OutOfTime, Pulse, PulseRules, RunStopped
from chalicelib.services.mirroring.upstreams import Upstreams
from chalicelib.storage.mirroring.organization_mirrors import DiscoveredRow
from chalicelib.storage.stores import Stores
from chalicelib.telemetry import note

# A list that goes on for longer would begin again in the next worker, for ever.
LONGEST_LIST_S, MOST_LISTED = 600, 100_000
GIVEN_UP = f"{MOST_TRIES} workers ended while they discovered the repositories"


class DiscoveryWorkers:
    """Works on discoveries."""

    def __init__(
        self, stores: Stores, discoveries: Discoveries, repositories: DiscoveredRepositories, upstreams: Upstreams
    ) -> None:
        self._store, self._clock, self._discoveries = stores.organization_mirrors, stores.clock, discoveries
        self._repositories, self._upstreams = repositories, upstreams

    def work(self, message: Mapping[str, str], left_s: Callable[[], float]) -> None:
        """Does the discovery that a message names, or nothing if it has ended or another worker has it.

        A failure of the other registry ends it and changes nothing. Raises KeyError for a message that names none.
        """
        note(namespace_id=message["namespace"], discovery=message["discovery"])
        source = self._discoveries.load(message["namespace"], message["discovery"])
        if source is None:
            return
        if source.row.workers >= MOST_TRIES:
            self._discoveries.end(source, SyncStatus.FAIL, GIVEN_UP)
        elif self._store.claim(source.row, ulid(self._clock()), int(self._clock())):
            self._work(source, left_s)

    def _work(self, source: OrganizationSource, left_s: Callable[[], float]) -> None:
        try:
            message = self._discover(source, self._pulse(source, left_s))
        except OutOfTime:
            self._store.put_back(source.row)
            self._discoveries.wake(source.row)
        except RunStopped:
            return
        except (FieldInvalid, OutgoingRefused) as error:
            self._discoveries.end(source, SyncStatus.FAIL, str(error))
        else:
            self._discoveries.end(source, SyncStatus.SUCCESS, message)

    def _pulse(self, source: OrganizationSource, left_s: Callable[[], float]) -> Pulse:
        row = source.row

        def is_open() -> bool:
            return self._store.is_open(self._store.get(row.namespace_id), row)

        return Pulse(PulseRules(left_s, is_open, lambda _: self._store.renew(row, int(self._clock())), self._clock))

    def _discover(self, source: OrganizationSource, pulse: Pulse) -> str:
        """Does the work of a discovery and returns what is to be said of it; a worker that follows does it again."""
        row, namespace_id = source.row, source.namespace_id
        known = {one.name: one for one in self._store.discovered(namespace_id)}
        self._change_known(source, known, pulse)
        if not row.is_enabled and row.cause is not RunCause.REQUEST:
            return ""
        listed, taken = self._list(source, pulse)
        if not taken:
            return NONE_MATCHED if listed else NONE_LISTED
        filled = self._repositories.filled(namespace_id)
        for name in sorted(taken):
            pulse()
            if not _is_settled(known.get(name), row.settings_version, filled.get(name)):
                self._repositories.mirror(source, name)
        for name in sorted(known.keys() - taken):
            if known[name].repository_id is None or known[name].state is DiscoveredState.MIRRORED:
                pulse()
                self._repositories.leave_out(source, name, LEFT_OUT if name in listed else GONE)
        if row.cause is RunCause.REQUEST:
            self._begin_runs(namespace_id, pulse)
        return ""

    def _change_known(self, source: OrganizationSource, known: Mapping[str, DiscoveredRow], pulse: Pulse) -> None:
        """Brings changed settings to the repositories that are mirrored: a new password must not wait for the list."""
        for name, row in known.items():
            if row.state is DiscoveredState.MIRRORED and row.applied != source.row.settings_version:
                pulse()
                self._repositories.mirror(source, name)
                row.applied = source.row.settings_version

    def _list(self, source: OrganizationSource, pulse: Pulse) -> tuple[set[str], set[str]]:
        """Returns the names of all repositories there, and of those that the filters take. Raises FieldInvalid."""
        patterns, listed, taken = NamePatterns(source.settings.filters or ("*",)), set[str](), set[str]()
        until = self._clock() + LONGEST_LIST_S
        with self._upstreams.listing(source.settings) as pages:
            for page in pages:
                pulse()
                names = {_short(name) for name in page}
                listed |= names
                taken |= {name for name in names if patterns.takes(name)}
                if len(taken) > MOST_REPOSITORIES:
                    raise FieldInvalid(FILTERS, f"they take more than {MOST_REPOSITORIES} repositories: take fewer")
                if len(listed) > MOST_LISTED:
                    raise FieldInvalid(NAMESPACE, f"it has more than {MOST_LISTED} repositories")
                if self._clock() > until:
                    raise FieldInvalid(URL, f"its list of repositories takes more than {LONGEST_LIST_S} seconds")
        return listed, taken

    def _begin_runs(self, namespace_id: str, pulse: Pulse) -> None:
        for row in self._store.discovered(namespace_id):
            pulse()
            self._repositories.begin_run(row)


def _is_settled(row: DiscoveredRow | None, version: int, filled: str | None) -> bool:
    """Whether a repository is mirrored with the settings of today; `filled` is the id of the one that has its name."""
    if row is None or row.repository_id is None or row.repository_id != filled:
        return False
    return row.state is DiscoveredState.MIRRORED and row.applied == version


def _short(name: str) -> str:
    """Returns a name that is short enough for the key of a row: a longer one fails all the same."""
    return name.encode("utf-8", "replace")[:MAXIMUM_LENGTH].decode("utf-8", "ignore")
