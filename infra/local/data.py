"""Makes the data directory of a stack, checks its free space, and locks it for one stack at a time."""

import fcntl
import os
import shutil
import time
from pathlib import Path

from infra.local.errors import StackError

LEAST_FREE_BYTES = 200_000_000
# SeaweedFS refuses writes when less than this share of the disk is free.
LEAST_FREE_SHARE = 0.01
# The children of a killed supervisor die with it, but only after a moment.
PATIENCE_S = 3.0


def prepare(data: Path) -> None:
    """Makes the directory, readable by its owner only. Raises StackError if it cannot be made or its disk is full."""
    if "," in str(data):
        raise StackError(f"{data} has a comma in its name, which SeaweedFS takes for two directories; choose another.")
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        (data / "logs").mkdir(exist_ok=True)
        usage = shutil.disk_usage(data)
    except OSError as error:
        raise StackError(
            f"The data directory {data} cannot be made ({error.strerror}); choose another with CLOUDBERTH_DATA."
        ) from None
    check_space(data, total=usage.total, free=usage.free)


def check_space(data: Path, *, total: int, free: int) -> None:
    """Raises StackError if so few bytes of the disk are free that a push would fail half-way."""
    needed = max(LEAST_FREE_BYTES, int(total * LEAST_FREE_SHARE))
    if free < needed:
        raise StackError(
            f"The disk of {data} is full: {free // 1_000_000} MB are free and the stack needs"
            f" {needed // 1_000_000} MB; free some, or choose another disk with CLOUDBERTH_DATA."
        )


def hold(data: Path) -> int:
    """Locks the directory for this stack. The lock lasts as long as any process has the returned descriptor open."""
    descriptor = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
                os.close(descriptor)
                raise StackError(
                    f"This stack runs already: process {holder} has the data directory {data}. Stop that one, or give"
                    " another stack a directory and a port of its own with CLOUDBERTH_DATA and CLOUDBERTH_PORT."
                ) from None
            time.sleep(0.05)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    return descriptor
