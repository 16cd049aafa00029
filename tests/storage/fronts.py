"""A server in front of DynamoDB that records requests and can change requests and answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

import requests

# A trick gets a request and a function that sends it, and returns an answer, or None to close the connection.
Answer = tuple[int, dict[str, str], bytes]
Ask = Callable[[Any], Answer]
Trick = Callable[[Any, Ask], Answer | None]


class Front:
    """Passes requests on to `behind`. Each trick is applied to one request, in order.

    `asked` lists the operations, `fast` or `slow` (by botocore): `fast GetItem`, `slow PutItem` …
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
        """Returns the answer to a request, after applying the next trick if there is one."""
        way = "slow" if "botocore" in headers.get("User-Agent", "").lower() else "fast"
        self.asked.append(f"{way} {headers['X-Amz-Target'].rpartition('.')[2]}")

        def ask(request: Any) -> Answer:
            forwarded = {
                name: value for name, value in headers.items() if name.lower() not in ("host", "content-length")
            }
            response = requests.post(self._behind, data=json.dumps(request), headers=forwarded, timeout=10)
            response_headers = {
                name: response.headers[name] for name in ("x-amz-crc32", "content-type") if name in response.headers
            }
            return response.status_code, response_headers, response.content

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
            """Logs nothing, as tests read `asked`."""

    return Handler


def hang_up(_request: Any, _ask: Ask) -> None:
    """Closes the connection without an answer."""


def refuse(status: int, code: str) -> Trick:
    """Returns a trick that answers with an error of DynamoDB."""
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": code}).encode()
    return lambda _request, _ask: (status, {"content-type": "application/x-amz-json-1.0"}, body)


def change_a_letter(request: Any, ask: Ask) -> Answer:
    """Answers with a checksum that does not match the body."""
    status, headers, content = ask(request)
    return status, headers | {"x-amz-crc32": "1"}, content


def do_half(request: Any, ask: Ask) -> Answer:
    """Processes half of a batch and returns the rest as unprocessed, as DynamoDB does under load."""
    ((table, entries_by_table),) = request["RequestItems"].items()
    reads = isinstance(entries_by_table, dict)
    entries = entries_by_table["Keys"] if reads else entries_by_table
    half = (len(entries) + 1) // 2
    remaining = entries[half:]
    processed = {**entries_by_table, "Keys": entries[:half]} if reads else entries[:half]
    status, headers, content = ask({**request, "RequestItems": {table: processed}})
    unprocessed = {table: {**entries_by_table, "Keys": remaining} if reads else remaining} if remaining else {}
    answer = json.loads(content) | {"UnprocessedKeys" if reads else "UnprocessedItems": unprocessed}
    return status, {"content-type": headers["content-type"]}, json.dumps(answer).encode()
