"""`python -m benchmarks`: measures our stack and a peer side by side in one run. No time makes the run fail."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import report
from benchmarks.client import RegistryError
from benchmarks.load import LoadError
from benchmarks.measures import Content, Measures
from benchmarks.report import Row
from benchmarks.rounds import Ledger, Measure
from benchmarks.stacks import OurStack, Peer, Side, StackError, object_store_of, side_at

DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
# Both sides redirect to the object store, as on AWS without CloudFront.
MEASURED = {"CLOUDBERTH_PULL_LOG": "hourly", "CLOUDBERTH_DOWNLOADS": "redirect"}
PARTS = ("manifests", "pulls", "pushes", "tags", "pull-log")
CONNECTIONS = (1, 8, 32)
SETTLE_S = 5
# Aims for our speed as a factor of the peer's; for a large pull, of the bare object store's, with 5 % for noise.
AIM_BY_TAG, AIM_BY_DIGEST, AIM_SMALL_PUSH, AIM_LARGE_PUSH, AIM_LARGE_PULL, AIM_TAGS = 1.0, 2.0, 1.0, 1.5, 0.95, 20.0
# A page should cost the same at any size; 20 % are for noise.
AIM_SAME_PAGE = 0.8


@dataclass
class Run:
    """One run: both sides, the measures, and the rows of the table so far."""

    ours: Side
    peer: Side
    ledger: Ledger
    measures: Measures
    rows: list[Row] = field(default_factory=list)

    def compare(self, measure: Measure, aim: float | None = None) -> None:
        self.ledger.take_turns(measure, (self.ours, self.peer), self.measures.content.repository)
        self.add_row(measure, self.peer.name, measure.name, aim)

    def add_row(self, measure: Measure, side: str, against: str, aim: float | None, label: str = "") -> None:
        ours, other = self.ledger.series[measure.name, self.ours.name], self.ledger.series[against, side]
        self.rows.append(Row(label or measure.name, measure.unit, measure.is_rate, ours, other, aim))

    def manifests(self, suffix: str = "") -> None:
        for connections in CONNECTIONS:
            for measure in self.measures.manifests(connections):
                aim = AIM_BY_DIGEST if "by digest" in measure.name else AIM_BY_TAG
                self.compare(replace(measure, name=measure.name + suffix), aim)

    def pulls(self) -> None:
        for measure in self.measures.small_pulls():
            self.compare(measure)
        followed, bare = self.measures.large_pull(bare=False), self.measures.large_pull(bare=True)
        self.compare(followed)
        self.ledger.take_turns(bare, (self.ours,), self.measures.content.repository)
        self.add_row(followed, self.ours.name, bare.name, AIM_LARGE_PULL, f"{followed.name}, beside the bare store")

    def pushes(self) -> None:
        for in_pieces in (False, True):
            self.compare(self.measures.small_push(in_pieces=in_pieces), AIM_SMALL_PUSH)
        for chunked in (False, True):
            self.compare(self.measures.large_push(chunked=chunked), AIM_LARGE_PUSH)

    def tags(self, sizes: list[int], peer_sizes: list[int]) -> None:
        """Measures a page of ours at every size and of the peer at `peer_sizes`, beside the peer's largest."""
        for size in sizes:
            sides = (self.ours, self.peer) if size in peer_sizes else (self.ours,)
            for side in sides:
                seconds = self.measures.fill_tags(side, size)
                print(f"  {side.name}: {size:,} tags put in {seconds:.0f} s", flush=True)
            measure = self.measures.tags_page(size)
            self.ledger.take_turns(measure, sides, self.measures.content.repository)
        against = self.measures.tags_page(max(set(sizes) & set(peer_sizes), default=0)).name
        first = self.measures.tags_page(sizes[0]).name
        for size in sizes:
            measure = self.measures.tags_page(size)
            if (against, self.peer.name) in self.ledger.series:
                self.add_row(measure, self.peer.name, against, AIM_TAGS, f"{measure.name}, beside the peer's largest")
            if measure.name != first:
                self.add_row(
                    measure, self.ours.name, first, AIM_SAME_PAGE, f"{measure.name}, beside ours of {sizes[0]:,}"
                )


def main() -> int:
    """Returns the exit status: 1, with one sentence, if something that the run needs is missing or answers wrongly."""
    arguments = _parse(sys.argv[1:])
    try:
        with ExitStack() as stack:
            measured = _run(arguments, stack)
    except (StackError, RegistryError, LoadError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    print(measured)
    if arguments.write:
        report.keep(DOCUMENT, measured)
        print(f"written to {DOCUMENT}")
    return 0


def _run(arguments: argparse.Namespace, stack: ExitStack) -> str:
    """Starts the sides that were not given by URL, measures, and returns the report."""
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cloudberth-bench-")))
    load = os.getloadavg()[0]
    own = None if arguments.ours else OurStack.start(directory / "stack", MEASURED)
    if own:
        stack.callback(own.stop)
    ours = own.side if own else side_at("ours", arguments.ours, arguments.user, arguments.password)
    if arguments.peer:
        peer = side_at("peer", arguments.peer, arguments.peer_user, arguments.peer_password)
    else:
        started = Peer.start(object_store_of(ours), directory)
        stack.callback(started.stop)
        peer = started.side
    ledger = Ledger(arguments.rounds, [*ours.roots, *peer.roots])
    content = Content(f"{ours.client.user or 'admin'}/bench")
    run = Run(ours, peer, ledger, Measures(content, arguments.seconds, arguments.large_mb * 1_000_000))
    for side in (ours, peer):
        run.measures.prepare(side)
    _measure_parts(run, arguments)
    if own and "pull-log" in arguments.only:
        own.restart({"CLOUDBERTH_PULL_LOG": "all"})
        ledger.roots = [*own.side.roots, *peer.roots]
        run.manifests(", pull log all")
    time.sleep(SETTLE_S)
    ledger.note_memory()
    return _text_of(run, arguments, load)


def _measure_parts(run: Run, arguments: argparse.Namespace) -> None:
    if "manifests" in arguments.only:
        run.manifests()
    if "pulls" in arguments.only:
        run.pulls()
    if "pushes" in arguments.only:
        run.pushes()
    if "tags" in arguments.only:
        run.tags(arguments.tags, arguments.peer_tags)
    time.sleep(SETTLE_S)
    run.ledger.note_memory()


def _text_of(run: Run, arguments: argparse.Namespace, load: float) -> str:
    notes = [
        report.machine(arguments.date),
        f"Load average before the run: {load:.2f} (0 is a quiet machine).",
        f"{arguments.rounds} rounds, alternating; median (lowest-highest). {arguments.seconds:g} s a turn of load.",
    ]
    if not run.peer.client.authorization:
        notes.append("The peer runs without authentication: it checks no token, ours checks each.")
    notes += [
        f"{side.capitalize()} ignores `n` and `last`: it answered the whole list of tags."
        for side in sorted(run.measures.whole_lists)
    ]
    return "\n\n".join(
        [
            "\n".join(f"- {note}" for note in notes),
            report.comparison(run.rows),
            "## What one operation costs",
            report.details(run.ledger),
            "## Memory and CPU",
            report.resources(run.ledger),
        ]
    )


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--ours", metavar="URL", help="our stack, if it runs already (then its pull log stays as it is)"
    )
    parser.add_argument("--user", default="", help="its user")
    parser.add_argument("--password", default="", help="the user's password")
    parser.add_argument("--peer", metavar="URL", help="a registry to compare with, instead of docker-registry")
    parser.add_argument("--peer-user", default="")
    parser.add_argument("--peer-password", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="duration of each turn of load")
    parser.add_argument("--large-mb", type=int, default=300, help="MB of the large layer")
    parser.add_argument("--tags", type=_numbers, default=[1_000, 10_000, 100_000], help="sizes for ours: 1000,10000")
    parser.add_argument(
        "--peer-tags",
        type=_numbers,
        default=[1_000, 10_000],
        help="sizes for the peer (which takes one tag a request, so that 100,000 take minutes)",
    )
    parser.add_argument("--only", type=_names, default=PARTS, help=f"parts of the run: {','.join(PARTS)}")
    parser.add_argument("--date", default=time.strftime("%Y-%m-%d"), help="the date in the report")
    parser.add_argument("--write", action="store_true", help=f"keep the tables in {DOCUMENT.name}")
    return parser.parse_args(words)


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _names(text: str) -> tuple[str, ...]:
    words = tuple(text.split(","))
    if unknown := set(words) - set(PARTS):
        raise argparse.ArgumentTypeError(f"unknown part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    return words


if __name__ == "__main__":
    sys.exit(main())
