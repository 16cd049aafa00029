"""State survives a `kill -9`.

ministack saves its state only when it is stopped cleanly. A way to save while it runs was proposed in
https://github.com/ministackorg/ministack/pull/1032, which 1.5.33 does not contain.
"""

from typing import Any

from infra.emulator.repairs.background import every
from infra.emulator.repairs.private import demand


def repair(emulator: Any, seconds: float) -> None:
    """Saves every so many seconds too. 100,000 rows take 3 s, during which ministack answers nothing."""
    demand(emulator, "save_all", "_build_persistence_save_dict")
    every(emulator, seconds, lambda: emulator.save_all(emulator._build_persistence_save_dict()))  # noqa: SLF001
