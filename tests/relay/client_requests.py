"""The single requests that a client sends through a relay."""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from tests.relay.fake_registry import GOOD

MIB = 1 << 20
LARGE = os.urandom(9 * MIB)
OCTETS = {**GOOD, "Content-Type": "application/octet-stream"}


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def in_chunks(content: bytes) -> Iterator[bytes]:
    """Yields a body as docker sends a layer: in chunks of 32 KB, without a length."""
    for start in range(0, len(content), 32 * 1024):
        yield content[start : start + 32 * 1024]


def begin(relay: str) -> str:
    answer = requests.post(f"http://{relay}/v2/carol/app/blobs/uploads/", headers=GOOD, timeout=10)
    assert answer.status_code == 202, answer.text
    return answer.headers["Location"]


def patch(location: str, content: Any, **headers: str) -> requests.Response:
    return requests.patch(location, data=content, headers={**OCTETS, **headers}, timeout=30)


def close(location: str, digest: str, content: Any = b"", headers: dict[str, str] = OCTETS) -> requests.Response:
    return requests.put(f"{location}?digest={digest.replace(':', '%3A')}", data=content, headers=headers, timeout=60)


def spool_files(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "spool").iterdir() if path.name != "lock")


def cut_patch(relay: str, location: str, sent: bytes, promised: int) -> None:
    """Sends a PATCH and disconnects in the middle of its body."""
    connection = http.client.HTTPConnection(relay)
    connection.putrequest("PATCH", location.partition(relay)[2])
    for name, value in {**OCTETS, "Content-Length": str(promised)}.items():
        connection.putheader(name, value)
    connection.endheaders(sent)
    connection.close()


def connected(relay: str) -> socket.socket:
    host, _, port = relay.partition(":")
    return socket.create_connection((host, int(port)), timeout=5)


def wait_for_offset(location: str, offset: int) -> requests.Response:
    for _ in range(100):
        answer = requests.get(location, headers=GOOD, timeout=10)
        if answer.headers.get("Range") == f"0-{offset - 1}":
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{answer.status_code} {answer.headers}")
