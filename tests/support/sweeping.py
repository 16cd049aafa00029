"""Serves all due timers at once, as the clock does."""

from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.timers import EXPIRY, GARBAGE, Work
from chalicelib.services.lifecycle.timers import LEFT_S, Timers
from chalicelib.storage.lifecycle.garbage import GarbageStore
from chalicelib.storage.timers import TimerStore
from tests.support.backends import Backend
from tests.support.builders import token_actor
from tests.support.rows import repository_of, rows_like

ROUNDS = 40
# The Time Machine's default window.
WINDOW_S = 14 * 86400
CONTENT = ("MAN#", "BODY#", "TAGGED#", "PARENT#", "REFERRER#", "USES#", "BLOB#", "TAG#")


def sweep(backend: Backend, *kinds: str) -> int:
    """Serves timers of some kinds or of all until none is due; returns the bytes that were ever freed."""
    timers = backend.services.lifecycle.timers
    if kinds:
        owners: dict[str, Work] = {
            EXPIRY: backend.services.lifecycle.tag_expiry.work,
            GARBAGE: backend.services.lifecycle.garbage.work,
        }
        timers = Timers(TimerStore(), {kind: owners[kind] for kind in kinds}, backend.clock)
    for _ in range(ROUNDS):
        turn = timers.run(lambda: LEFT_S + 5)
        assert turn.failed == 0, "a timer failed: see the log"
        if turn.is_idle:
            return GarbageStore().total().bytes
    raise AssertionError(f"something is still due after {ROUNDS} turns")


def advance_clock(backend: Backend, seconds: float) -> None:
    backend.clock.ahead_s += seconds


def expire_everything(backend: Backend) -> None:
    """Lets window, lease and grace pass three times, with a sweep after each."""
    for _ in range(3):
        advance_clock(backend, WINDOW_S + backend.settings.lease_s + backend.settings.grace_s)
        sweep(backend)


def delete_tag(backend: Backend, tag: str, repository: str = "admin/app") -> None:
    backend.services.registry.tags.delete_granted(
        token_actor(backend, "admin", repository), RepositoryName.parse(repository), Tag(tag)
    )


def content_keys(backend: Backend, repository: str = "admin/app") -> list[str]:
    """Returns the sort keys of the content that a repository still has."""
    rows = rows_like(backend, f"R#{repository_of(backend, repository).id}")
    return [row["sk"] for row in rows if row["sk"].startswith(CONTENT)]
