"""Copies the project's own code: app.py, chalicelib and the changelog that it shows, without caches."""

import re
import shutil
from pathlib import Path

CONFIG = Path(".chalice") / "config.json"
LEFTOVERS = ("__pycache__", "*.pyc", ".*")


def copy_sources(project: Path, destination: Path) -> None:
    """Copies app.py, CHANGELOG.md and chalicelib into a directory, which it makes if needed."""
    destination.mkdir(parents=True, exist_ok=True)
    for name in ("app.py", "CHANGELOG.md"):
        shutil.copyfile(project / name, destination / name)
    shutil.copytree(
        project / "chalicelib",
        destination / "chalicelib",
        ignore=shutil.ignore_patterns(*LEFTOVERS),
        copy_function=shutil.copyfile,
    )


def version(project: Path) -> str:
    """What the sources call themselves in chalicelib/__init__.py; "unknown" where they do not."""
    told = project / "chalicelib" / "__init__.py"
    found = re.search(r'^__version__ = "(.+)"$', told.read_text("utf-8"), re.MULTILINE) if told.exists() else None
    return found[1] if found else "unknown"
