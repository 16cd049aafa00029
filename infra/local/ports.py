"""Sixteen neighbouring ports for the servers of one stack, remembered in its data directory."""

import random
import socket
from pathlib import Path

FILE = "ports"
SIZE = 16
# SeaweedFS's admin server is found by its worker at its port + 10000, whatever else is asked for.
OFFSET = 10_000
# Below the ports that Linux and macOS hand out by themselves, so that no outgoing connection takes one of ours.
LOWEST, HIGHEST = 12_000, 22_000
ATTEMPTS = 200


def choose(remembered: Path, *, fresh: bool = False) -> int:
    """The first port of a free block: the remembered one (SeaweedFS names its raft state after a port), or a new one.

    Presigned addresses, too, outlive a restart when the port stays.
    """
    if not fresh and (base := read(remembered)) and is_free(base):
        return base
    for _ in range(ATTEMPTS):
        base = random.randrange(LOWEST, HIGHEST - SIZE, SIZE)
        if is_free(base):
            remembered.write_text(f"{base}\n", "ascii")
            return base
    raise OSError(f"no {SIZE} neighbouring ports are free between {LOWEST} and {HIGHEST}")


def is_free(base: int) -> bool:
    """Nobody listens on any port of the block."""
    return all(_is_free(port) for port in block(base))


def block(base: int) -> list[int]:
    """The sixteen ports, and the sixteen that lie 10000 higher."""
    return [port for first in (base, base + OFFSET) for port in range(first, first + SIZE)]


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            # On every address, as SeaweedFS looks; bound and never listened on.
            probe.bind(("", port))
        except OSError:
            return False
        return True


def read(remembered: Path) -> int | None:
    """The block of the last start; None for a file that is missing or not ours."""
    text = remembered.read_text("ascii", errors="replace").strip() if remembered.exists() else ""
    if text.isascii() and text.isdigit() and LOWEST <= int(text) < HIGHEST:
        return int(text)
    return None
