"""The version stands in one place, and the changelog tells what is in it."""

import re
import tomllib
from pathlib import Path

from chalicelib import __version__

ROOT = Path(__file__).resolve().parents[2]


def test_the_project_reads_its_version_where_the_code_has_it() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

    assert "version" in told["project"]["dynamic"]
    assert told["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "chalicelib.__version__"}


def test_the_newest_version_of_the_changelog_is_the_one_of_the_code() -> None:
    titles = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)

    assert titles[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(__version__)} - \d{{4}}-\d\d-\d\d", titles[1])
