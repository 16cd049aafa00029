"""What docs/api-coverage.md says: which of Quay's operations are served, from `quay.tsv` and the declared ones.

`python -m tests.architecture.routes` writes it together with the list of routes.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from chalicelib.edge.api.concepts import CONCEPTS
from chalicelib.edge.api.framework.operations import Operation

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "api-coverage.md"
QUAY = Path(__file__).with_name("quay.tsv")
HEAD = """# Which of Quay's operations are served

Made by `python -m tests.architecture.routes` from the operations that the code declares and from Quay's list as of
August 2026 (development line 3.18). Where one answers differently, [compatibility.md](compatibility.md) says so.
A `/` at the end of a path changes nothing.

"""


@dataclass(frozen=True, slots=True)
class Listed:
    """One of Quay's operations; `id` is `-` where Quay gives it none, `why_not` is empty where it is wanted."""

    heading: str
    method: str
    path: str
    id: str
    why_not: str

    @property
    def place(self) -> tuple[str, str]:
        """What it is known by."""
        return place(self.method, self.path)


def place(method: str, path: str) -> tuple[str, str]:
    """Method and path, whatever the path's places are called."""
    return method, re.sub(r"{\w+}", "{}", path)


def listed() -> list[Listed]:
    """All of Quay's."""
    return [Listed(*line.split("\t")) for line in QUAY.read_text("utf-8").splitlines()[1:]]


def served() -> dict[tuple[str, str], Operation]:
    """All of ours."""
    return {place(one.method, one.path): one for concept in CONCEPTS for one in concept.operations.declared}


def generate() -> str:
    """The document."""
    ours, quays = served(), listed()
    wanted = [one for one in quays if not one.why_not]
    count = sum(one.place in ours for one in wanted)
    told = f"Of {len(quays)} operations {len(wanted)} are wanted here, and {count} of those are served.\n"
    parts = [_part(heading, list(ones), ours) for heading, ones in groupby(quays, lambda one: one.heading)]
    known = {one.place for one in quays}
    return HEAD + told + "".join(parts) + _beyond(one for where, one in ours.items() if where not in known)


def _part(heading: str, quays: list[Listed], ours: dict[tuple[str, str], Operation]) -> str:
    lines = [f"\n## {heading}\n", "| Method | Path | Operation | Served |", "|---|---|---|---|"]
    for one in quays:
        is_served = "yes" if one.place in ours else f"no: {one.why_not}" if one.why_not else "no"
        lines.append(f"| {one.method} | `{one.path}` | {one.id} | {is_served} |")
    return "\n".join(lines) + "\n"


def _beyond(ours: Iterable[Operation]) -> str:
    lines = ["\n## Ours alone\n", "| Method | Path | Operation |", "|---|---|---|"]
    lines += [
        f"| {one.method} | `{one.path}` | {one.id} |" for one in sorted(ours, key=lambda one: (one.path, one.method))
    ]
    return "\n".join(lines) + "\n"
