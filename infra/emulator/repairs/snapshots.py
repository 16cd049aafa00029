"""State that outlives a `kill -9`: ministack saves only when it is stopped in good order."""

from typing import Any

from infra.emulator.repairs.background import every
from infra.emulator.repairs.private import demand


def repair(emulator: Any, seconds: float) -> None:
    """Saves every so many seconds, too. 100,000 rows take 3 s, in which nothing is answered."""
    demand(emulator, "save_all", "_build_persistence_save_dict")
    every(emulator, seconds, lambda: emulator.save_all(emulator._build_persistence_save_dict()))  # noqa: SLF001
