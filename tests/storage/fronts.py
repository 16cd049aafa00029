"""A server in front of DynamoDB that writes down what was asked, and plays tricks on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

import requests

# Given the request and a way to ask DynamoDB, gives status, headers and body, or None to hang up.
Answer = tuple[int, dict[str, str], bytes]
Ask = Callable[[Any], Answer]
Trick = Callable[[Any, Ask], Answer | None]


class Front:
    """Passes requests on to `behind`. Each trick is played on one request, in their order.

    `asked` holds the operations with the way they came: `fast GetItem`, `slow PutItem` (by botocore) …
    """

    def __init__(self, behind: str) -> None:
        self.asked: list[str] = []
        self.tricks: list[Trick] = []
        self._behind = behind
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, headers: dict[str, str], body: bytes) -> Answer | None:
        """The answer to a request, after the next trick if there is one."""
        way = "slow" if "botocore" in headers.get("User-Agent", "").lower() else "fast"
        self.asked.append(f"{way} {headers['X-Amz-Target'].rpartition('.')[2]}")

        def ask(request: Any) -> Answer:
            kept = {name: value for name, value in headers.items() if name.lower() not in ("host", "content-length")}
            found = requests.post(self._behind, data=json.dumps(request), headers=kept, timeout=10)
            shown = {name: found.headers[name] for name in ("x-amz-crc32", "content-type") if name in found.headers}
            return found.status_code, shown, found.content

        request = json.loads(body)
        return self.tricks.pop(0)(request, ask) if self.tricks else ask(request)


def _handler(front: Front) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = front.answer(dict(self.headers.items()), body)
            if answer is None:
                self.close_connection = True
                return
            status, headers, content = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing: tests look at `asked`."""

    return Handler


def hang_up(_request: Any, _ask: Ask) -> None:
    """No answer at all."""


def refuse(status: int, code: str) -> Trick:
    """An error as DynamoDB says it."""
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": code}).encode()
    return lambda _request, _ask: (status, {"content-type": "application/x-amz-json-1.0"}, body)


def change_a_letter(request: Any, ask: Ask) -> Answer:
    """Bytes that changed on their way, beside the checksum they had."""
    status, headers, content = ask(request)
    return status, headers | {"x-amz-crc32": "1"}, content


def do_half(request: Any, ask: Ask) -> Answer:
    """Half of a batch is done, the rest given back, as DynamoDB does when it is pressed."""
    ((table, asked),) = request["RequestItems"].items()
    reads = isinstance(asked, dict)
    entries = asked["Keys"] if reads else asked
    half = (len(entries) + 1) // 2
    rest = entries[half:]
    done = {**asked, "Keys": entries[:half]} if reads else entries[:half]
    status, headers, content = ask({**request, "RequestItems": {table: done}})
    left = {table: {**asked, "Keys": rest} if reads else rest} if rest else {}
    answer = json.loads(content) | {"UnprocessedKeys" if reads else "UnprocessedItems": left}
    return status, {"content-type": headers["content-type"]}, json.dumps(answer).encode()
