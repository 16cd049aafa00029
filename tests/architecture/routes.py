"""Writes docs/protocol.md and docs/api-coverage.md from what is declared: `python -m tests.architecture.routes`."""

import inspect
from pathlib import Path

from app import app
from tests.architecture import api_coverage

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "protocol.md"
HEAD = """# Routes

Made by `python -m tests.architecture.routes` from the routes that the code declares. A `/` at the end changes nothing,
and `{repository}` spans slashes. What each answers, and which test holds it, stands in `conformance.md`.

| Method | Path | View | What |
|---|---|---|---|
"""


def generate() -> str:
    """The document, one line for each method of each path."""
    lines = []
    app.complete()
    for path, views in app.routes.items():
        for method, entry in views.items():
            view = entry.view_function
            room = view.__module__.removeprefix("chalicelib.edge.")
            what = (inspect.getdoc(view) or "").partition("\n")[0].replace("|", "\\|")
            lines.append((path, method, f"| {method} | `{path}` | `{room}.{view.__name__}` | {what} |"))
    return HEAD + "".join(line + "\n" for _, _, line in sorted(lines))


if __name__ == "__main__":
    DOCUMENT.write_text(generate(), "utf-8")
    api_coverage.DOCUMENT.write_text(api_coverage.generate(), "utf-8")
