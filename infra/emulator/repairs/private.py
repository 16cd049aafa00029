"""Looks up the private names of ministack that repairs change, and exits with a sentence if one is missing."""

from typing import Any

WRITTEN_FOR = "1.5.33"


def demand(owner: Any, *names: str) -> None:
    """Exits with a sentence unless `owner`, a module or class of ministack, has all the names."""
    where = getattr(owner, "__name__", type(owner).__name__)
    for name in names:
        if not hasattr(owner, name):
            raise SystemExit(
                f"ministack has no {where}.{name}, which a repair in infra/emulator changes: the repairs are"
                f" written for ministack {WRITTEN_FOR}; install what requirements/ministack.txt pins, or check whether"
                " the repair is still needed."
            )


def service(emulator: Any, name: str, *names: str) -> Any:
    """Returns a service of the emulator by its module's name. Exits with a sentence if it lacks one of the names."""
    demand(emulator, "_get_module")
    found = emulator._get_module(name)  # noqa: SLF001  (there is no public way)
    demand(found, *names)
    return found
