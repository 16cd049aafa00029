"""Our own code, as it stands in the project: app.py and chalicelib, and nothing that a Python left behind."""

import shutil
from pathlib import Path

CONFIG = Path(".chalice") / "config.json"
LEFTOVERS = ("__pycache__", "*.pyc", ".*")


def copy_sources(project: Path, destination: Path) -> None:
    """Copies app.py and chalicelib into a directory that it makes if need be."""
    destination.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(project / "app.py", destination / "app.py")
    shutil.copytree(
        project / "chalicelib",
        destination / "chalicelib",
        ignore=shutil.ignore_patterns(*LEFTOVERS),
        copy_function=shutil.copyfile,
    )
