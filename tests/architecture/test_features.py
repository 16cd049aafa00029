"""ARCHITECTURE.md: a stranger finds the files of 24 features, on each floor."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = (ROOT / "ARCHITECTURE.md").read_text("utf-8").partition("\n## Features\n")[2].partition("\n## ")[0]
HEAD, _, *ROWS = [line.strip("|").split("|") for line in CHAPTER.splitlines() if line.startswith("|")]
FLOORS = [cell.strip(" `/") for cell in HEAD[1:]]
FEATURES = {row[0].strip(): [re.findall(r"`([^`]+)`", cell) for cell in row[1:]] for row in ROWS}


def test_the_table_has_24_features() -> None:
    assert len(FEATURES) == len(ROWS) == 24, "each feature has one row"


def test_every_feature_names_files_on_each_floor_that_exist() -> None:
    offenders = [
        f"{feature}: {floor}/{name}"
        for feature, cells in FEATURES.items()
        for floor, names in zip(FLOORS, cells, strict=True)
        for name in names or ["(none)"]
        if not (ROOT / "chalicelib" / floor / name).is_file()
    ]

    assert offenders == [], "correct their paths in ARCHITECTURE.md"
