"""Copies the project's own code: app.py and chalicelib, without caches."""

import shutil
from pathlib import Path

CONFIG = Path(".chalice") / "config.json"
LEFTOVERS = ("__pycache__", "*.pyc", ".*")


def copy_sources(project: Path, destination: Path) -> None:
    """Copies app.py and chalicelib into a directory, which it makes if needed."""
    destination.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(project / "app.py", destination / "app.py")
    shutil.copytree(
        project / "chalicelib",
        destination / "chalicelib",
        ignore=shutil.ignore_patterns(*LEFTOVERS),
        copy_function=shutil.copyfile,
    )
