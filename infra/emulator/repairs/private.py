"""The private names that repairs change: looked up, or refused in a sentence."""

from typing import Any

WRITTEN_FOR = "1.5.33"


def demand(owner: Any, *names: str) -> None:
    """Exits with a sentence unless `owner`, a module or class of ministack, has all the names."""
    where = getattr(owner, "__name__", type(owner).__name__)
    for name in names:
        if not hasattr(owner, name):
            raise SystemExit(
                f"ministack has no {where}.{name}, which a repair in infra/emulator changes: the repairs are"
                f" written for ministack {WRITTEN_FOR}; install what requirements/ministack.txt pins, or look whether"
                " the repair is still needed."
            )


def service(emulator: Any, name: str, *names: str) -> Any:
    """A service of the emulator by the name of its module, with all the names. Exits with a sentence without them."""
    demand(emulator, "_get_module")
    found = emulator._get_module(name)  # noqa: SLF001  (there is no public way)
    demand(found, *names)
    return found
