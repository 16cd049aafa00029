"""Reconcile: what lies in the bucket and is no blob's goes, a while after the last push that could have wanted it.

Looked at are the keys that the upload edge or a grant wrote, since nobody calls us back for those. A round takes as
many runs as it needs, each of which goes on where the one before it stopped, by whatever cause.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chalicelib.services.arrivals import Arrivals
from chalicelib.storage import bucket_keys
from chalicelib.storage.objects import ObjectStore, Stored
from chalicelib.storage.reconcile import ReconcileStore

# A round begins a day after the last one ended: what it costs is a list of the bucket and a read for each old key.
ROUND_S = 23 * 3600


@dataclass(frozen=True, slots=True)
class Run:
    """One run: objects looked at, objects removed and their bytes, and whether it ended a round."""

    looked_at: int = 0
    removed: int = 0
    freed_bytes: int = 0
    ended_round: bool = False


class Reconcile:
    """The bucket against the table. `settled_s` is how long after its write a key may still be adopted, in seconds."""

    def __init__(
        self,
        arrivals: Arrivals,
        objects: ObjectStore,
        store: ReconcileStore,
        settled_s: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._arrivals, self._objects, self._store = arrivals, objects, store
        self._settled_s, self._clock = settled_s, clock

    def run(self, has_time: Callable[[], bool]) -> Run:
        """Goes on with the round while there is time, at least by a list of a thousand keys. Raises Unavailable."""
        place, looked_at, removed = self._store.place(), 0, list[Stored]()
        if not place.after and self._clock() < place.ended_at + ROUND_S:
            return Run()
        for page in self._objects.pages(bucket_keys.INCOMING, place.after):
            if not page:
                break
            removed += self._removed(page)
            looked_at += len(page)
            place.after = page[-1].key
            self._store.put(place)
            if not has_time():
                return _run(looked_at, removed, ended_round=False)
        place.after, place.ended_at = "", int(self._clock())
        self._store.put(place)
        return _run(looked_at, removed, ended_round=True)

    def _removed(self, page: Sequence[Stored]) -> list[Stored]:
        settled = self._clock() - self._settled_s
        old = {entry.key: entry for entry in page if entry.written_at < settled}
        arrived = {key: digest for key in old if (digest := bucket_keys.edge_digest(key))}
        return [old[key] for key in self._arrivals.remove_unnamed(arrived)] if arrived else []


def _run(looked_at: int, removed: Sequence[Stored], *, ended_round: bool) -> Run:
    return Run(looked_at, len(removed), sum(entry.size for entry in removed), ended_round)
