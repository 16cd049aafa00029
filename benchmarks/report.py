"""Makes the Markdown tables of a run, and writes them between two marks in docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rounds import Ledger, Series

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
# A process with a smaller share of an operation's CPU only did background work.
LEAST_SHARE = 0.02


@dataclass(frozen=True)
class Row:
    """One comparison: `ours`, `against` (None if there is nothing to compare with), and the factor that is the aim."""

    label: str
    unit: str
    is_rate: bool
    ours: Series
    against: Series | None = None
    aim: float | None = None

    @property
    def factor(self) -> float | None:
        """How many times as fast ours is as the other; None if there is no other."""
        if self.against is None:
            return None
        return self.ours.median / self.against.median if self.is_rate else self.against.median / self.ours.median

    def cells(self) -> list[str]:
        factor = self.factor
        verdict = "" if factor is None or self.aim is None else "yes" if factor >= self.aim else "**no**"
        return [
            self.label,
            self.unit,
            _spread(self.ours),
            _spread(self.against) if self.against else "",
            "" if factor is None else f"{factor:.2f}",
            "" if self.aim is None else f"{self.aim:g}",
            verdict,
        ]


def comparison(rows: Iterable[Row]) -> str:
    """Returns the table of comparisons, with factors and aims."""
    head = ["measured", "unit", "ours", "against", "ours is ... times as fast", "aim", "met"]
    return table(head, [row.cells() for row in rows])


def details(ledger: Ledger) -> str:
    """Returns the table of latencies and CPU of one operation, by process."""
    lines = []
    for (measure, side), series in ledger.series.items():
        latencies = series.latencies_ms()
        cpu = sorted(series.cpu_ms_each().items(), key=lambda item: -item[1])
        least = LEAST_SHARE * sum(spent for _, spent in cpu)
        lines.append(
            [
                measure,
                side,
                f"{latencies[0]:.2f}" if latencies else "",
                f"{latencies[1]:.2f}" if latencies else "",
                ", ".join(f"{name} {_number(spent)}" for name, spent in cpu if spent > least),
            ]
        )
    return table(["measured", "side", "p50 ms", "p99 ms", "CPU ms of one operation"], lines)


def resources(ledger: Ledger) -> str:
    """Returns the table of each process's memory over the run and its CPU on each side's turns."""
    names = sorted({*ledger.peaks, *(name for spent in ledger.cpu.values() for name in spent)})
    lines = [
        [
            name,
            f"{ledger.peaks[name].peak / 1e6:.0f}" if name in ledger.peaks else "",
            f"{ledger.peaks[name].now / 1e6:.0f}" if name in ledger.peaks else "",
            *(f"{ledger.cpu[side][name]:.1f}" for side in ("ours", "peer")),
        ]
        for name in names
    ]
    head = [
        "process (memory: the largest of its name)",
        "peak MB",
        "settled MB",
        "CPU s on our turns",
        "CPU s on the peer's",
    ]
    return table(head, lines)


def machine(date: str) -> str:
    """Returns a line with the date and the machine."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{date}: {os.cpu_count()} cores ({platform.machine()}), {memory_gb:.0f} GB, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}."
    )


def keep(document: Path, measured: str) -> None:
    """Replaces the text between the marks; appends the marks to a document that has none."""
    text = document.read_text() if document.exists() else "# Benchmarks\n"
    if BEGIN not in text:
        text = f"{text.rstrip()}\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    document.parent.mkdir(exist_ok=True)
    document.write_text(f"{before}{BEGIN}\n\n{measured}\n\n{END}{rest.partition(END)[2]}")


def table(head: list[str], lines: list[list[str]]) -> str:
    """Returns a Markdown table with aligned columns."""
    widths = [max(len(line[column]) for line in [head, *lines]) for column in range(len(head))]
    ruled = [head, ["-" * width for width in widths], *lines]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in ruled
    )


def _spread(series: Series) -> str:
    lowest, highest = series.extremes
    return f"{_number(series.median)} ({_number(lowest)}-{_number(highest)})"


def _number(value: float) -> str:
    """Returns a number with about three significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
