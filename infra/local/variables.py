"""Finds environment variables that look like settings of Cloudberth and are none."""

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.local.environment import ROOT

DOCUMENT = ROOT / "docs" / "settings.md"
NAME = re.compile(r"`(CLOUDBERTH_[A-Z_]+)`")


def unknown(environ: Mapping[str, str], document: Path = DOCUMENT) -> list[str]:
    """Returns a sentence for each `CLOUDBERTH_` variable that the document lacks, with the nearest name that it has."""
    known = sorted(set(NAME.findall(document.read_text("utf-8"))))
    strange = sorted(name for name in environ if name.startswith("CLOUDBERTH_") and name not in known)
    return [_sentence(name, known) for name in strange]


def _sentence(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    remedy = f"; did you mean {near[0]}?" if near else ": see docs/settings.md."
    return f"{name} is no setting and has no effect{remedy}"
