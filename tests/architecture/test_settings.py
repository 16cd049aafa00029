"""Settings are written down, and read at one place."""

import ast
from pathlib import Path

from chalicelib.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "settings.md").read_text("utf-8").partition("## The registry itself")[2]


def test_every_setting_is_written_down() -> None:
    names = [f"CLOUDBERTH_{name.upper()}" for name in Settings.__dataclass_fields__]

    assert [name for name in names if f"| `{name}` |" not in DOCUMENT] == []


def test_no_setting_is_written_down_that_is_not_there() -> None:
    rows = {line.split("`")[1] for line in DOCUMENT.splitlines() if line.startswith("| `CLOUDBERTH_")}

    assert rows - {f"CLOUDBERTH_{name.upper()}" for name in Settings.__dataclass_fields__} == set()


def test_only_settings_read_the_environment() -> None:
    readers = set()
    for path in [ROOT / "app.py", *(ROOT / "chalicelib").rglob("*.py")]:
        names = [node.attr for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Attribute)]
        if {"environ", "environb", "getenv"} & set(names):
            readers.add(str(path.relative_to(ROOT)))

    assert readers == {"chalicelib/settings.py"}
