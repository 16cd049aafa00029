"""How long the registry waits for S3 and Secrets Manager: less than a function has, and it says that it was in vain."""

import json
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from pynamodb.connection import Connection, TableConnection

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import SettingInvalid, Unavailable
from chalicelib.storage import patience
from chalicelib.storage.objects import ObjectStore
from chalicelib.storage.secrets import Secrets
from tests.support.fake_server import Answering, FakeServer, respond
from tests.support.stack import ROOT

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:registry-keys-AbCdEf"
# The fake is slower than the registry's patience, and not so slow that its threads outlive the test for long.
READ_S, SLOWLY_S, SLOWER_S = 0.2, 0.6, 1.5


def error(status: int, code: str, of_s3: bool = True) -> Answering:
    """Returns what answers with an error of S3, or of a service that speaks JSON."""
    xml = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
    content = xml if of_s3 else json.dumps({"__type": code, "message": "no"})

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        respond(handler, content.encode(), status)

    return answer


def late(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(SLOWER_S)
    handler.close_connection = True


def breaking_off(handler: BaseHTTPRequestHandler) -> None:
    """Answers with less than it has announced."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"x" * 10)
    handler.close_connection = True


Serve = Callable[[Answering], FakeServer]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Lets a server answer for S3 and Secrets Manager, for which the registry waits a moment only."""
    for name, value in {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "a"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setattr(patience, "READ_S", READ_S)
    monkeypatch.setattr(patience, "SLOWLY_S", SLOWLY_S)
    running: list[Any] = []

    def serve(answering: Answering) -> FakeServer:
        running.append(FakeServer(answering).running())
        server: FakeServer = running[-1].__enter__()
        for service in ("S3", "SECRETS_MANAGER"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", server.url)
        return server

    yield serve
    for each in running:
        each.__exit__(None, None, None)


def a_store() -> ObjectStore:
    table = TableConnection("t")
    table.connection = Connection(region="eu-central-1")
    return ObjectStore("bucket", table)


def put(objects: ObjectStore) -> None:
    objects.put("in/a", b"bytes", Digest.of(b"bytes"))


CALLS: dict[str, Callable[[ObjectStore], object]] = {
    "get": lambda objects: objects.get("in/a"),
    "put": put,
    "list": lambda objects: list(objects.pages("in/")),
    "put_part": lambda objects: objects.put_part("in/a", "upload", 1, b"bytes"),
    "begin_parts": lambda objects: objects.begin_parts("in/a"),
}
SLOW_CALLS: dict[str, Callable[[ObjectStore], object]] = {
    "copy": lambda objects: objects.copy("in/a", "in/b"),
    "finish_parts": lambda objects: objects.finish_parts("in/a", "upload", [(1, "etag")]),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_s3_does_not_answer_is_made_twice(served: Serve, call: str) -> None:
    server = served(late)

    with pytest.raises(Unavailable, match="the bucket does not answer"):
        CALLS[call](a_store())
    assert len(server.asked) == 2


@pytest.mark.parametrize("call", SLOW_CALLS)
def test_a_call_for_which_s3_needs_long_is_made_once_and_waited_for_longer(served: Serve, call: str) -> None:
    server = served(late)
    begun = time.monotonic()

    with pytest.raises(Unavailable, match="the bucket does not answer"):
        SLOW_CALLS[call](a_store())
    assert len(server.asked) == 1
    assert time.monotonic() - begun >= SLOWLY_S


def test_no_call_takes_longer_than_the_function_that_makes_it() -> None:
    functions = json.loads((ROOT / ".chalice" / "config.json").read_text())["stages"]["prod"]["lambda_functions"]
    shortest = min(function["lambda_timeout"] for function in functions.values())
    # botocore waits up to a second before it repeats a call.
    longest = patience.ATTEMPTS * (patience.CONNECT_S + patience.READ_S) + 1

    assert longest <= 20
    assert shortest - max(longest, patience.CONNECT_S + patience.SLOWLY_S) >= 5


@pytest.mark.parametrize(
    ("call", "status", "code"),
    [
        *((call, 409, "ConditionalRequestConflict") for call in (*CALLS, *SLOW_CALLS)),
        ("put", 409, "OperationAborted"),
        ("get", 503, "SlowDown"),
        ("copy", 500, "InternalError"),
        ("finish_parts", 400, "RequestTimeout"),
    ],
)
def test_what_s3_may_take_later_is_unavailable(served: Serve, call: str, status: int, code: str) -> None:
    served(error(status, code))

    with pytest.raises(Unavailable, match=f"the bucket is busy \\({code}\\)"):
        ({**CALLS, **SLOW_CALLS})[call](a_store())


@pytest.mark.parametrize("call", SLOW_CALLS)
def test_an_error_in_the_body_of_a_200_is_unavailable(served: Serve, call: str) -> None:
    server = served(error(200, "InternalError"))

    with pytest.raises(Unavailable):
        SLOW_CALLS[call](a_store())
    assert len(server.asked) == 1


@pytest.mark.parametrize("read", [lambda one: one.get("a"), lambda one: b"".join(one.read("a"))], ids=["get", "read"])
def test_bytes_that_break_off_are_unavailable(served: Serve, read: Callable[[ObjectStore], bytes]) -> None:
    served(breaking_off)

    with pytest.raises(Unavailable, match="the bucket does not answer"):
        read(a_store())


def test_keys_that_do_not_come_are_asked_for_twice(served: Serve) -> None:
    server = served(late)

    with pytest.raises(Unavailable, match="the keys of this installation"):
        Secrets.load(ARN)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("status", "code"), [(500, "InternalServiceError"), (400, "ThrottlingException"), (503, "ServiceUnavailable")]
)
def test_keys_that_may_come_later_are_unavailable(served: Serve, status: int, code: str) -> None:
    served(error(status, code, of_s3=False))

    with pytest.raises(Unavailable, match="the keys of this installation"):
        Secrets.load(ARN)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_keys_that_may_not_be_read_are_a_wrong_setting(served: Serve, code: str) -> None:
    served(error(400, code, of_s3=False))

    with pytest.raises(SettingInvalid, match=r"may not be read: run python -m infra\.secrets put"):
        Secrets.load(ARN)
