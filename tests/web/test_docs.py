"""The documentation page in a browser."""

import subprocess
from pathlib import Path

import pytest

from tests.clients.needs import require
from tests.clients.programs import SEARCH_PATH
from tests.stack import Stack

# A headless browser that prints what a page has become, and on stderr what it had to say about it.
CHROMIUM = (
    "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr",
    "--virtual-time-budget=20000", "--dump-dom",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _chromium() -> None:
    require("chromium")


def test_the_page_shows_an_operation_under_its_policy(stack: Stack, tmp_path: Path) -> None:
    address = f"{stack.url}/docs#/user/getLoggedInUser"
    done = subprocess.run(
        [*CHROMIUM, f"--user-data-dir={tmp_path}", address],
        env={"PATH": SEARCH_PATH, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert 'id="operations-user-getLoggedInUser"' in done.stdout
    assert "The user who asks, with their organizations." in done.stdout
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line or "Content Security Policy" in line] == []
