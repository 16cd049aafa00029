"""`python -m benchmarks.soak`: pushes and pulls layers of gigabytes and measures the memory of our processes.

Each layer is pushed by one PUT (through the upload edge) and by one chunked PATCH (through the relay), and pulled.
Its bytes are generated while they are sent. The soak fails if a pulled layer has another digest, or if one of our
processes took more than 200 MB.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.bodies import Body
from benchmarks.client import RegistryError
from benchmarks.processes import SERVERS, forget_peaks, memory
from benchmarks.report import table
from benchmarks.stacks import OurStack, Side, StackError

CEILING_BYTES = 200_000_000
SIZES_GB = (2.0, 5.0)
SAMPLE_S = 0.5
# The space for the object store's volumes and the tables, in addition to the layers.
SPARE_BYTES = 2_000_000_000


class Watch:
    """Records the peak memory of each process of a side inside a `with`, also of processes that end meanwhile."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.peaks: dict[str, int] = {}
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.sample_on)

    def __enter__(self) -> Self:
        forget_peaks(self.side.processes())
        self.thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stopped.set()
        self.thread.join()
        self.sample()

    def sample_on(self) -> None:
        while not self.stopped.wait(SAMPLE_S):
            self.sample()

    def sample(self) -> None:
        for name, sampled in memory(self.side.processes()).items():
            self.peaks[name] = max(self.peaks.get(name, 0), sampled.peak)


def main() -> int:
    """Returns the exit status: 1, with a sentence for each failure."""
    arguments = _parse(sys.argv[1:])
    try:
        with ExitStack() as stack:
            directory = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="cloudberth-soak-", dir=arguments.directory)
            )
            complaints = _soak(Path(directory), arguments.gb, stack)
    except (StackError, RegistryError) as error:
        complaints = [str(error)]
    for complaint in complaints:
        print(f"soak: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


def _soak(directory: Path, sizes_gb: list[float], stack: ExitStack) -> list[str]:
    """Pushes and pulls each size by both routes; returns a sentence for each failure."""
    _demand_space(directory, int(2e9 * sum(sizes_gb)) + SPARE_BYTES)
    own = OurStack.start(directory, {})
    stack.callback(own.stop)
    complaints, lines, names = [], [], sorted(set(own.side.processes().values()))
    for size in sizes_gb:
        for chunked in (False, True):
            route = f"{size:g} GB by {'one chunked PATCH' if chunked else 'one PUT'}"
            with Watch(own.side) as watch:
                push_s, pull_s, pulled_whole = _push_and_pull(
                    own.side, Body(int(size * 1e9), seed=time.time_ns()), chunked
                )
            complaints += [] if pulled_whole else [f"{route}: the pulled layer has another digest"]
            complaints += [
                f"{route}: {name} took {peak / 1e6:.0f} MB, over {CEILING_BYTES / 1e6:.0f} MB"
                for name, peak in watch.peaks.items()
                if name not in SERVERS and peak > CEILING_BYTES
            ]
            speeds = [f"{size * 1000 / seconds:.0f}" for seconds in (push_s, pull_s)]
            lines.append([route, *speeds, *(f"{watch.peaks.get(name, 0) / 1e6:.0f}" for name in names)])
            print(f"  {route}: pushed at {speeds[0]} MB/s, pulled and hashed at {speeds[1]} MB/s", flush=True)
    print(table(["layer", "push MB/s", "pull MB/s", *(f"{name}, peak MB" for name in names)], lines))
    return complaints


def _push_and_pull(side: Side, body: Body, chunked: bool) -> tuple[float, float, bool]:
    """Pushes and pulls a layer; returns the seconds of both, and whether the digest is the same."""
    repository, client = f"{side.client.user or 'admin'}/soak", side.client
    # Computing the digest takes a pass over the body, so it is done before the token, which is valid for five minutes.
    print(f"  {body.digest}, {body.size:,} bytes", flush=True)
    client.sign_in(repository)
    push_s = client.push_layer(repository, body, chunked=chunked)
    client.sign_in(repository)
    started = time.perf_counter()
    pulled = client.digest_of(client.blob_address(repository, body.digest))
    return push_s, time.perf_counter() - started, pulled == body.digest


def _demand_space(directory: Path, needed: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise StackError(
            f"{directory} has {free / 1e9:.1f} GB free and the soak needs {needed / 1e9:.1f}: "
            "make room, or choose another place with --directory"
        )


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--gb", type=float, nargs="+", default=list(SIZES_GB), help="sizes of the layers in GB")
    parser.add_argument("--directory", type=Path, help="where the stack keeps its data")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
