"""Clients of a local stack, directly and behind a server with one fault."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from infra.smoke.claims import Finding, Verdict
from infra.smoke.client import SmokeClient, SmokeOptions
from infra.smoke.suite import chosen, run
from tests.infra.smoke.faults import Fault, Front, front, no_fault
from tests.support.stack import Stack

REPOSITORY = "admin/smoke"


@pytest.fixture
def fronted(stack: Stack) -> Iterator[Callable[..., Front]]:
    """Starts servers with a fault in front of the stack."""
    with ExitStack() as servers:
        yield lambda fault=no_fault: servers.enter_context(front(stack.url, fault))


@pytest.fixture
def make_client(stack: Stack) -> Callable[..., SmokeClient]:
    """Makes a client of an address, by default the stack's, with these options."""

    def client(url: str = "", **options: Any) -> SmokeClient:
        mine = {"user": stack.admin, "password": stack.password, "repository": REPOSITORY}
        return SmokeClient(url or stack.url, SmokeOptions(**mine | options))

    return client


@pytest.fixture
def look(make_client: Callable[..., SmokeClient], fronted: Callable[..., Front]) -> Callable[..., Finding]:
    """Runs the first check of a name on the stack, or behind a server with a fault, and deletes what it pushed."""

    def found(name: str, fault: Fault | None = None, **options: Any) -> Finding:
        client = make_client(fronted(fault).url if fault else "", **options)
        row = run(client, chosen([name])[0])
        client.clear()
        return row.finding

    return found


@pytest.fixture
def assert_fails(look: Callable[..., Finding]) -> Callable[..., None]:
    """Asserts that the check fails behind the fault with these words in its evidence."""

    def failing(name: str, fault: Fault, *words: str, **options: Any) -> None:
        finding = look(name, fault, **options)
        assert finding.verdict is Verdict.FAILS, finding
        for word in words:
            assert word in finding.evidence

    return failing
