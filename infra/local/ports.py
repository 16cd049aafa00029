"""Chooses sixteen neighbouring ports for the servers of a stack and remembers them in its data directory."""

import random
import socket
from pathlib import Path

FILE = "ports"
SIZE = 16
# The worker of SeaweedFS finds the admin server only at its port + 10000, whatever the options say.
OFFSET = 10_000
# These lie below the ports that Linux and macOS give to outgoing connections, so that none takes one of the stack's.
LOWEST, HIGHEST = 12_000, 22_000
ATTEMPTS = 200


def choose(remembered: Path, *, fresh: bool = False) -> int:
    """Returns the first port of a free block: the remembered one if it is free, else a new one.

    SeaweedFS names its raft state after a port, and presigned URLs survive a restart only on the same port.
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
    """Tells whether no program listens on any port of the block."""
    return all(_is_free(port) for port in block(base))


def block(base: int) -> list[int]:
    """Returns the sixteen ports, and the sixteen ports that are 10000 higher."""
    return [port for first in (base, base + OFFSET) for port in range(first, first + SIZE)]


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            # It binds every address, as SeaweedFS checks, and never listens.
            probe.bind(("", port))
        except OSError:
            return False
        return True


def read(remembered: Path) -> int | None:
    """Returns the first port of the last start, or None if the file is missing or holds no port of ours."""
    text = remembered.read_text("ascii", errors="replace").strip() if remembered.exists() else ""
    if text.isascii() and text.isdigit() and LOWEST <= int(text) < HIGHEST:
        return int(text)
    return None
