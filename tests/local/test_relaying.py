"""The relay inside the gateway shares its places among accounts, and gives up bodies that stop arriving."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chalicelib.domain.uploads import LARGEST_BODY
from infra.local import asgi
from infra.local.gateway import Gateway
from infra.local.relaying import RelayedBody, Relaying
from relay.errors import NoRoom, Unavailable
from relay.protocol import Response
from tests.support.backends import Backend
from tests.support.gateway_client import an_edge_upload, body, exchange, run

RELAYED = "/v2/a/b/blobs/uploads/x"
LARGE = ("content-length", str(LARGEST_BODY + 1))
# The messages of a client that sends the first bytes and then nothing more.
BEGUN = body(b"the first bytes")[:-1]


async def drain(_: Relaying, _scope: Any, relayed: RelayedBody, *_more: Any) -> Response:
    """Reads a body to its end instead of sending it to S3."""
    async for _chunk in relayed.chunks():
        pass
    return Response(202, {}, b"")


@pytest.mark.parametrize("route", ["edge", "relay", "app"])
def test_a_body_of_which_nothing_more_arrives_is_408_on_every_route(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    monkeypatch.setattr(asgi, "IDLE_S", 0.05)
    monkeypatch.setattr(Relaying, "_respond", drain)
    method, path, size = {
        "edge": ("PUT", an_edge_upload(backend), LARGE),
        "relay": ("PATCH", RELAYED, LARGE),
        "app": ("PUT", "/v2/a/b/manifests/c", ("content-length", "99")),
    }[route]

    status, document, headers = run(exchange(Gateway(backend.services), method, path, [size], body=BEGUN))

    assert (status, headers[b"connection"]) == (408, b"close")
    assert "nothing of the body arrived for" in document["errors"][0]["message"]


def test_stalled_uploads_of_one_account_leave_places_for_others(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Relaying, "_respond", drain)
    backend.user("mallory")

    def lines(name: str) -> list[tuple[str, str]]:
        return [LARGE, ("authorization", f"Bearer {backend.token(name, f'{name}/app')}")]

    async def beside_stalled_ones() -> list[int]:
        gateway, of_mallory, of_admin = Gateway(backend.services), lines("mallory"), lines("admin")
        stalled = [asyncio.create_task(exchange(gateway, "PATCH", RELAYED, of_mallory, body=BEGUN)) for _ in range(12)]
        await asyncio.sleep(0)
        others = [exchange(gateway, "PATCH", RELAYED, of_admin, body=body(bytes(9))) for _ in range(3)]
        answers = await asyncio.gather(*others)
        assert not any(task.done() for task in stalled)
        return [status for status, _, _ in answers]

    assert run(beside_stalled_ones()) == [202] * 3


def test_a_bucket_that_refuses_a_part_is_503(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    async def respond(*_: Any) -> None:
        raise Unavailable("S3 answered 500")

    monkeypatch.setattr(Relaying, "_respond", respond)

    status, document, _ = run(exchange(Gateway(backend.services), "PATCH", RELAYED, [LARGE]))

    assert (status, document["errors"][0]) == (503, {"code": "UNAVAILABLE", "message": "S3 answered 500"})


def test_more_bytes_than_a_quota_leaves_are_refused(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    async def respond(*_: Any) -> None:
        raise NoRoom(900)

    monkeypatch.setattr(Relaying, "_respond", respond)

    status, document, _ = run(exchange(Gateway(backend.services), "PATCH", RELAYED, [LARGE]))

    assert (status, document["errors"][0]["code"]) == (403, "DENIED")
    assert "900 bytes" in document["errors"][0]["message"]
