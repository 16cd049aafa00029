"""The clock's work, done at once: every timer that is due, again and again until none is."""

from chalicelib.domain.names import RepositoryName
from chalicelib.services.timers import LEFT_S
from tests.builders import someone
from tests.houses import House
from tests.rows import Plain, repository_of, rows_like

ROUNDS = 40
# The Time Machine's window that a namespace has when nobody says.
WINDOW_S = 14 * 86400
CONTENT = ("MAN#", "BODY#", "TAGGED#", "PARENT#", "REFERRER#", "USES#", "BLOB#", "TAG#")


def sweep(house: House) -> int:
    """Serves what is due; gives the bytes that were freed since the first day."""
    for _ in range(ROUNDS):
        if not due(house):
            return sum(row["bytes"] for row in rows_like(house, "SYSTEM", "GARBAGE"))
        turn = house.services.timers.run(lambda: LEFT_S + 5)
        assert turn.failed == 0, "a timer failed: see the log"
    raise AssertionError(f"still due after {ROUNDS} turns: {due(house)}")


def due(house: House) -> list[Plain]:
    """Timers whose time has come."""
    return [row for row in rows_like(house, "TIMER#") if row["due_at"] <= house.clock()]


def later(house: House, seconds: float) -> None:
    house.clock.ahead_s += seconds


def outlive(house: House) -> None:
    """Lets window, lease and grace pass, with a sweep after each."""
    for _ in range(3):
        later(house, WINDOW_S + house.settings.lease_s + house.settings.grace_s)
        sweep(house)


def delete_tag(house: House, tag: str, repository: str = "admin/app") -> None:
    house.services.tags.delete(someone(house, "admin", repository), RepositoryName.parse(repository), tag)


def held(house: House, repository: str = "admin/app") -> list[str]:
    """Sort keys of what a repository still holds."""
    rows = rows_like(house, f"R#{repository_of(house, repository).id}")
    return [row["sk"] for row in rows if row["sk"].startswith(CONTENT)]
