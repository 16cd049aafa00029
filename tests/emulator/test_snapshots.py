"""Snapshots survive a `kill -9`."""

from pathlib import Path

import pytest

from infra.emulator.emulator import Emulator
from tests.emulator.conftest import BOTH
from tests.support.emulation import Cloud
from tests.support.stack import wait_for

SECONDS = 0.2


@pytest.mark.parametrize("with_snapshots", BOTH)
def test_a_table_survives_a_kill(with_snapshots: bool, python: Path, tmp_path: Path) -> None:
    every = SECONDS if with_snapshots else None
    first = Emulator(tmp_path, python=python, snapshot_s=every)
    try:
        table, _ = Cloud(first).table()
        Cloud(first).put(table, "row")
        wait_for(lambda: saved(tmp_path, table), "a snapshot", seconds=10 * SECONDS)
    finally:
        first.kill()

    with Emulator(tmp_path, python=python) as second:
        assert len(Cloud(second).dynamodb.scan(TableName=table)["Items"]) == 1


def saved(directory: Path, table: str) -> bool:
    """Tells whether the state on disk has the table's row; ministack replaces the file atomically."""
    file = directory / "state" / "dynamodb.json"
    return file.exists() and table in (text := file.read_text()) and '"row"' in text
