"""`python -m relay serve` as a process: it is killed, stopped, and started with wrong options."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from chalicelib import __version__
from tests.relay.client_requests import LARGE, begin, close, digest_of, patch
from tests.relay.fake_registry import GOOD, FakeRegistry
from tests.support.stack import ROOT

Start = Callable[..., tuple[subprocess.Popen[str], str]]


@pytest.fixture
def start(fake: FakeRegistry, tmp_path: Path) -> Iterator[Start]:
    """Starts a relay on a free port; returns the process and its address."""
    with ExitStack() as stack:

        def run(*more: str) -> tuple[subprocess.Popen[str], str]:
            command = [sys.executable, "-m", "relay", "serve", "--registry", fake.url, "--listen", "127.0.0.1:0"]
            process = subprocess.Popen(
                [*command, "--spool", str(tmp_path / "spool"), *more], cwd=ROOT, stderr=subprocess.PIPE, text=True
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stderr
            found = re.search(r"served on (\S+?:\d+),", process.stderr.readline())
            assert found
            return process, found[1]

        yield run


def test_bytes_received_before_a_kill_are_kept(start: Start, fake: FakeRegistry) -> None:
    half = len(LARGE) // 2
    killed, relay = start()
    location = begin(relay)
    patch(location, LARGE[:half])
    killed.send_signal(signal.SIGKILL)
    killed.wait(10)

    _, again = start()
    location = location.replace(relay, again)
    status = requests.get(location, headers=GOOD, timeout=10)
    rest = patch(location, LARGE[half:], **{"Content-Range": f"{half}-{len(LARGE) - 1}"})

    assert status.headers["Range"] == f"0-{half - 1}"
    assert rest.status_code == 202
    assert close(location, digest_of(LARGE)).status_code == 201
    assert fake.blobs[digest_of(LARGE)] == LARGE


def test_parts_that_s3_has_are_not_sent_again_after_a_kill(start: Start, fake: FakeRegistry) -> None:
    fake.largest_put, fake.faults = 0, ["", "", "", *["503"] * 99]
    killed, relay = start("--patience", "1")
    location = begin(relay)
    patch(location, LARGE)
    failed = close(location, digest_of(LARGE))
    killed.send_signal(signal.SIGKILL)
    killed.wait(10)
    fake.faults.clear()
    stored = len(fake.bucket)
    fake.seen.clear()

    _, again = start()

    assert failed.status_code == 503
    assert stored == 3
    assert close(location.replace(relay, again), digest_of(LARGE)).status_code == 201
    assert len(fake.requests_to("PUT", "bucket")) == 9 - stored
    assert fake.blobs[digest_of(LARGE)] == LARGE


def test_sigterm_ends_the_relay_with_status_0(start: Start) -> None:
    process, _ = start()
    process.send_signal(signal.SIGTERM)

    assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--listen", "127.0.0.1:1", "--spool", "/proc/no"], "the spool /proc/no cannot be used"),
        (["--listen", "203.0.113.1:5050"], "cannot be listened on"),
        (["--key-file", os.devnull], "holds no key"),
        (["--listen", "5050"], "say HOST:PORT"),
    ],
)
def test_a_relay_that_cannot_start_says_why(tmp_path: Path, words: list[str], expected: str) -> None:
    command = [sys.executable, "-m", "relay", "serve", "--registry", "http://127.0.0.1:1", "--spool", str(tmp_path)]
    done = subprocess.run([*command, *words], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)

    assert done.returncode in (1, 2)
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_a_relay_says_which_version_it_is() -> None:
    command = [sys.executable, "-m", "relay", "--version"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)

    assert done.stdout == f"{__version__}\n"


ALL_OF_IT = """
import importlib, json, pkgutil, sys
before = set(sys.modules)
import relay
for module in pkgutil.walk_packages(relay.__path__, "relay."):
    if module.name != "relay.__main__":
        importlib.import_module(module.name)
files = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
print(json.dumps([name for name, file in files.items() if name not in before and "site-packages" in file]))
"""


def test_the_containerfile_copies_all_that_the_relay_imports(tmp_path: Path) -> None:
    copied = re.findall(r"^COPY (\S+) (\S+)$", (ROOT / "relay/Containerfile").read_text("utf-8"), re.MULTILINE)
    for source, target in copied:
        location = tmp_path / target / Path(source).name if target.endswith("/") else tmp_path / target
        location.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / source).is_dir() else shutil.copyfile)(ROOT / source, location)

    done = subprocess.run([sys.executable, "-c", ALL_OF_IT], cwd=tmp_path, capture_output=True, text=True, check=True)

    installed = set(re.findall(r"^([a-z0-9-]+)==", (tmp_path / "relay.txt").read_text("utf-8"), re.MULTILINE))
    used = {name.partition(".")[0].replace("_", "-") for name in json.loads(done.stdout)}
    assert "requests" in used
    assert used <= installed
