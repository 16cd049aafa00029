"""Alternates turns of both sides, so that a slow machine slows both, and records the CPU that each turn took."""

from __future__ import annotations

import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from benchmarks.processes import Memory, cpu_seconds, memory, tree
from benchmarks.stacks import Side

GENERATOR = "load generator"


@dataclass(frozen=True)
class Sample:
    """The result of one turn: the value, the number of operations, and latencies in ms if there were many."""

    value: float
    operations: int = 1
    p50_ms: float | None = None
    p99_ms: float | None = None


@dataclass
class Series:
    """All turns of one side for one measure; `cpu` is in seconds by process name."""

    samples: list[Sample] = field(default_factory=list)
    cpu: Counter[str] = field(default_factory=Counter)

    @property
    def median(self) -> float:
        return statistics.median(sample.value for sample in self.samples)

    @property
    def extremes(self) -> tuple[float, float]:
        values = [sample.value for sample in self.samples]
        return min(values), max(values)

    def latencies_ms(self) -> tuple[float, float] | None:
        """Returns the medians of p50 and p99 over the turns."""
        if any(sample.p50_ms is None for sample in self.samples):
            return None
        return (
            statistics.median(sample.p50_ms or 0.0 for sample in self.samples),
            statistics.median(sample.p99_ms or 0.0 for sample in self.samples),
        )

    def cpu_ms_each(self) -> dict[str, float]:
        """Returns the CPU of one operation in ms, by process name."""
        operations = sum(sample.operations for sample in self.samples)
        return {name: seconds * 1000 / operations for name, seconds in self.cpu.items()}


@dataclass(frozen=True)
class Measure:
    """A measure: `run` measures a side and returns a sample in `unit`."""

    name: str
    unit: str
    run: Callable[[Side], Sample]
    is_rate: bool = True


@dataclass
class Ledger:
    """The results so far, and the processes whose CPU and memory are recorded."""

    rounds: int
    roots: list[int] = field(default_factory=list)
    series: dict[tuple[str, str], Series] = field(default_factory=lambda: defaultdict(Series))
    cpu: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    peaks: dict[str, Memory] = field(default_factory=dict)

    def take_turns(self, measure: Measure, sides: Iterable[Side], repository: str) -> None:
        """Runs the sides in turns A B A B …, each with a new token, since tokens are valid for five minutes."""
        for _ in range(self.rounds):
            for side in sides:
                side.client.sign_in(repository)
                self.turn(measure, side)
        for side in sides:
            print(
                f"  {measure.name:44} {side.name:6} {self.series[measure.name, side.name].median:10.1f} {measure.unit}",
                flush=True,
            )

    def turn(self, measure: Measure, side: Side) -> None:
        """Runs one turn; the CPU of all watched processes during the turn counts for this side."""
        before = self.cpu_now()
        sample = measure.run(side)
        spent = Counter({name: seconds - before.get(name, 0.0) for name, seconds in self.cpu_now().items()})
        one = self.series[measure.name, side.name]
        one.samples.append(sample)
        one.cpu.update(spent)
        self.cpu[side.name].update(spent)

    def cpu_now(self) -> dict[str, float]:
        return {**cpu_seconds(tree(self.roots)), GENERATOR: time.process_time()}

    def note_memory(self) -> None:
        """Records the current and peak memory of the watched processes, which may be stopped next."""
        for name, now in memory(tree(self.roots)).items():
            known = self.peaks.get(name, now)
            self.peaks[name] = Memory(now=now.now, peak=max(known.peak, now.peak))
