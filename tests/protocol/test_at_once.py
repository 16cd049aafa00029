"""Many concurrent clients, some of them slow."""

from __future__ import annotations

import selectors
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.protocol.content import Blob, a_blob, an_image
from tests.protocol.registry import Registry, Repository
from tests.protocol.wire import connect
from tests.support.stack import Stack

SLOW_CLIENTS = 1000
PATIENCE_S = 8
# The most resident memory of a process while a thousand slow clients send, in KiB: 400 MiB.
MOST_KIB = 400 * 1024
SERVERS_OF_OTHERS = ("weed", "dynoxide")


def test_of_two_concurrent_pushes_of_one_tag_one_wins_completely(repository: Repository) -> None:
    images = [an_image(), an_image()]
    for image in images:
        repository.push_image(image)
    for _ in range(5):
        with ThreadPoolExecutor(2) as clients:
            answers = list(clients.map(lambda image: repository.push_manifest(image.manifest, "latest"), images))
        winner = repository.get_manifest("latest")

        assert [answer.status_code for answer in answers] == [201, 201]
        assert winner.content in [image.manifest.content for image in images]
        assert winner.headers["Docker-Content-Digest"] in [image.manifest.digest for image in images]
        assert (
            repository.head_manifest("latest").headers["Docker-Content-Digest"]
            == winner.headers["Docker-Content-Digest"]
        )
        assert repository.tags().json()["tags"] == ["latest"]


@pytest.mark.parametrize("size", [100_000, 5_000_000], ids=["small", "large"])
def test_ten_clients_push_the_same_blob(repository: Repository, size: int) -> None:
    blob = a_blob(size)
    repository.authorization()
    with ThreadPoolExecutor(10) as clients:
        answers = list(clients.map(lambda _: repository.push_blob(blob), range(10)))

    assert {answer.status_code for answer in answers} == {201}
    assert repository.get_blob(blob.digest).content == blob.content


def test_ten_concurrent_clients_create_one_repository(repository: Repository) -> None:
    images = [an_image() for _ in range(10)]
    repository.authorization()
    with ThreadPoolExecutor(10) as clients:
        list(clients.map(lambda image: repository.push_image(image, f"v{images.index(image)}"), images))

    assert repository.tags().json()["tags"] == sorted(f"v{number}" for number in range(10))
    for number, image in enumerate(images):
        assert repository.get_manifest(f"v{number}").content == image.manifest.content


def test_two_clients_on_one_upload_never_mix_their_bytes(repository: Repository) -> None:
    """Both send the same range at once: one is accepted, the other receives the upload's offset."""
    first, second = a_blob(50_000), a_blob(50_000)
    upload = repository.start_upload()
    location = upload.location

    def send(blob: Blob) -> Any:
        headers = {"Content-Range": "0-49999", "Content-Type": "application/octet-stream"}
        return repository.send("PATCH", location, headers=headers, data=blob.content).status_code

    with ThreadPoolExecutor(2) as clients:
        statuses = list(clients.map(send, [first, second]))
    assert sorted(statuses) == [202, 416], statuses
    taken = first if statuses[0] == 202 else second

    assert upload.status().headers["Range"] == "0-49999"
    assert upload.put(taken.digest).status_code == 201
    assert repository.get_blob(taken.digest).content == taken.content


def test_a_thousand_slow_clients_do_not_delay_others(stack: Stack, registry: Registry, repository: Repository) -> None:
    """Each keeps a PATCH open and sends a byte now and then; others pull and push as before, and no process grows."""
    upload = repository.start_upload()
    token = repository.authorization()["Authorization"]
    request = (
        f"PATCH {upload.location} HTTP/1.1\r\nHost: {stack.host}\r\nAuthorization: {token}\r\n"
        "Content-Type: application/octet-stream\r\nContent-Length: 1000000\r\n\r\n"
    ).encode() + b"x" * 20_000
    slow = [connect(stack.url) for _ in range(SLOW_CLIENTS)]
    try:
        for client in slow:
            client.sendall(request)
        slowest = dribble(slow, registry, repository)
        weights = {name: weight(pid) for name, pid in stack.pids().items() if name not in SERVERS_OF_OTHERS}
    finally:
        for client in slow:
            client.close()

    assert slowest["check"] < 2.0, slowest
    assert slowest["push"] < 5.0, slowest
    assert max(weights.values()) < MOST_KIB, weights


def dribble(slow: Any, registry: Registry, repository: Repository) -> Any:
    """Sends bytes on every socket and works meanwhile; returns the slowest of each kind of work in seconds."""
    slowest, end = {"check": 0.0, "push": 0.0}, time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        for client in slow:
            send_if_open(client)
        started = time.monotonic()
        assert registry.send("GET", "/v2/", headers=registry.authorization()).status_code == 200
        checked = time.monotonic()
        repository.push_blob(a_blob(100_000))
        slowest["check"] = max(slowest["check"], checked - started)
        slowest["push"] = max(slowest["push"], time.monotonic() - checked)
        time.sleep(0.5)
    return slowest


def send_if_open(client: socket.socket) -> None:
    """Sends one more byte, unless the registry has closed the connection."""
    with selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_READ)
        if not selector.select(0):
            client.sendall(b"x")


def weight(pid: int) -> int:
    """Returns the resident memory of a process in KiB."""
    listing = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], check=True, capture_output=True, text=True)
    return int(listing.stdout)
