"""A module is called for what it owns."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BANNED = {"util", "utils", "helper", "helpers", "common", "manager", "base", "misc", "handler", "handlers"}


def test_no_module_or_room_is_called_for_nothing() -> None:
    rooms = ("chalicelib", "relay", "infra", "benchmarks", "tests")
    found = [path for room in rooms for path in (ROOT / room).rglob("*") if path.suffix == ".py" or path.is_dir()]
    words = {word for path in found for word in path.stem.removeprefix("test_").split("_")}

    assert len(found) > 100
    assert words & BANNED == set()
