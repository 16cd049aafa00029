"""The access log of a stack: what is in it, how people read it, and how large it grows."""

from __future__ import annotations

import io
import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.telemetry import logger, one_line
from infra.local import access_log
from infra.local.errors import StackError
from tests.support.stack import wait_for


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path


@pytest.fixture
def kept(data: Path) -> Iterator[Path]:
    """Returns the access log, to which this process writes meanwhile."""
    before = {handler: list(handler.filters) for handler in (*logger.handlers, *logging.getLogger().handlers)}
    access_log.keep(data)
    yield data / access_log.FILE
    for handler in [one for one in logger.handlers if one not in before]:
        logger.handlers.remove(handler)
        handler.close()
    for handler, filters in before.items():
        handler.filters = filters


def test_only_lines_of_requests_and_jobs_are_in_the_log(kept: Path) -> None:
    with one_line("request", operation="GET /v2"):
        logger.info("something else")

    (line,) = kept.read_text("utf-8").splitlines()
    assert json.loads(line)["operation"] == "GET /v2"


def test_a_request_is_said_in_one_line() -> None:
    facts = {
        "message": "request",
        "timestamp": "2026-01-02 10:11:12,345+0000",
        "operation": "PUT /v2/{repository}/manifests/{reference}",
        "repository": "acme/app",
        "actor": "carol",
        "status": 403,
        "error": "DENIED",
        "why": "the quota is full",
        "ms": 12,
        "aws_calls": 4,
    }

    said = access_log.in_words(json.dumps(facts))

    assert " ".join(said.split()) == (
        "10:11:12 403 12 ms 4 calls PUT /v2/{repository}/manifests/{reference} acme/app by carol"
        " DENIED: the quota is full"
    )


def test_a_job_is_said_with_all_its_facts() -> None:
    line = json.dumps({"message": "timers", "timestamp": "2026-01-02 10:11:12,345+0000", "done": 3, "ms": 5})

    assert access_log.in_words(line).endswith('{"done": 3}')


def test_a_line_of_another_program_stays_as_it_is() -> None:
    assert access_log.in_words("half a li") == "half a li"


def test_following_goes_on_in_the_log_that_takes_its_place(data: Path) -> None:
    log, output = data / access_log.FILE, io.StringIO()
    log.write_text("one\n", "utf-8")
    threading.Thread(target=access_log.follow, args=(data, output), daemon=True).start()
    wait_for(lambda: "one" in output.getvalue(), "the line of before")

    log.replace(log.with_name("access.log.1"))
    time.sleep(3 * access_log.LOOK_S)
    log.write_text("two\n", "utf-8")

    wait_for(lambda: output.getvalue() == "one\ntwo\n", "the line of the new log")


def test_without_a_log_the_remedy_is_said(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="make run"):
        access_log.follow(tmp_path)


def test_a_large_log_is_put_aside(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = data / access_log.FILE
    log.write_text("0123456789", "utf-8")
    access_log.limit(data)
    assert log.exists()

    monkeypatch.setattr(access_log, "LARGEST_BYTES", 9)
    access_log.limit(data)

    assert not log.exists()
    assert log.with_name("access.log.1").read_text("utf-8") == "0123456789"
