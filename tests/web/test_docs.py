"""The documentation page in a browser."""

import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.clients.needs import require
from tests.clients.programs import SEARCH_PATH
from tests.support.stack import Stack
from tests.web.narrow import WIDTH, evaluate

# A headless browser that prints what a page has become, and on stderr what it had to say about it.
CHROMIUM = (
    "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr",
    "--virtual-time-budget=20000", "--dump-dom",
)  # fmt: skip
KEPT = ("Content-Type", "Content-Security-Policy", "X-Content-Type-Options")


class Between(ThreadingHTTPServer):
    """Stands between a browser and the stack, gives the browser a cookie, and writes down with what it comes back."""

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.target = target
        self.cookies: dict[str, str | None] = {}


class Handler(BaseHTTPRequestHandler):
    server: Between

    def do_GET(self) -> None:
        self.server.cookies[self.path.partition("?")[0]] = self.headers["Cookie"]
        with urllib.request.urlopen(self.server.target + self.path) as answer:
            content = answer.read()
            self.send_response(answer.status)
            for name in KEPT:
                if answer.headers[name]:
                    self.send_header(name, answer.headers[name])
        self.send_header("Set-Cookie", "session=theirs; Path=/; HttpOnly; SameSite=Lax")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """What the browser asks for is nothing to print."""


@pytest.fixture
def between(stack: Stack) -> Iterator[Between]:
    require("chromium")
    with Between(stack.url) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_the_page_shows_an_operation_under_its_policy_and_asks_without_cookies(
    between: Between, tmp_path: Path
) -> None:
    address = f"http://127.0.0.1:{between.server_address[1]}/docs#/user/getLoggedInUser"
    done = subprocess.run(
        [*CHROMIUM, f"--user-data-dir={tmp_path}", address],
        env={"PATH": SEARCH_PATH, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert 'id="operations-user-getLoggedInUser"' in done.stdout
    assert "Returns the signed-in user with their organizations." in done.stdout
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line or "Content Security Policy" in line] == []
    assert between.cookies["/docs/docs.js"] == "session=theirs"
    assert between.cookies["/openapi.json"] is None


OPEN = "!!document.querySelector('#operations-user-getLoggedInUser .responses-table')"
COLUMNS = ".opblock-tag small, .responses-table pre"
NARROWEST = f"Math.min(...[...document.querySelectorAll('{COLUMNS}')].map((one) => one.clientWidth))"
AUTHORIZE = """new Promise((done) => {
    document.querySelector('.btn.authorize').click();
    setTimeout(() => done([...document.querySelectorAll('.auth-container h4')].map((one) => one.textContent)), 1000);
})"""


def test_the_page_is_readable_on_a_phone(stack: Stack, tmp_path: Path) -> None:
    require("chromium")
    address = f"{stack.url}/docs#/user/getLoggedInUser"
    page_width, narrowest = evaluate(address, OPEN, f"[document.documentElement.scrollWidth, {NARROWEST}]", tmp_path)

    assert page_width <= WIDTH
    assert narrowest > WIDTH // 3


def test_the_page_offers_only_the_authorization_that_works_there(stack: Stack, tmp_path: Path) -> None:
    require("chromium")
    offered = evaluate(f"{stack.url}/docs#/user/getLoggedInUser", OPEN, AUTHORIZE, tmp_path)

    assert [text.split()[0] for text in offered] == ["bearer"]
