"""Visits to a local stack, as it is and behind a server with one fault."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from infra.smoke.claims import Finding, Verdict
from infra.smoke.suite import chosen, run
from infra.smoke.visit import Options, Visit
from tests.infra.smoke.faults import Fault, Front, front, no_fault
from tests.support.stack import Stack

REPOSITORY = "admin/smoke"


@pytest.fixture
def fronted(stack: Stack) -> Iterator[Callable[..., Front]]:
    """Starts servers with a fault in front of the stack."""
    with ExitStack() as servers:
        yield lambda fault=no_fault: servers.enter_context(front(stack.url, fault))


@pytest.fixture
def visiting(stack: Stack) -> Callable[..., Visit]:
    """A visit to an address, the stack's unless told otherwise, with these options."""

    def visit(url: str = "", **options: Any) -> Visit:
        mine = {"user": stack.admin, "password": stack.password, "repository": REPOSITORY}
        return Visit(url or stack.url, Options(**mine | options))

    return visit


@pytest.fixture
def look(visiting: Callable[..., Visit], fronted: Callable[..., Front]) -> Callable[..., Finding]:
    """What a check, the first of its name, finds at the stack, or behind a server with a fault; nothing stays."""

    def found(name: str, fault: Fault | None = None, **options: Any) -> Finding:
        visit = visiting(fronted(fault).url if fault else "", **options)
        row = run(visit, chosen([name])[0])
        visit.clear()
        return row.finding

    return found


@pytest.fixture
def assert_fails(look: Callable[..., Finding]) -> Callable[..., None]:
    """The check fails behind the fault, and says these words."""

    def failing(name: str, fault: Fault, *words: str, **options: Any) -> None:
        finding = look(name, fault, **options)
        assert finding.verdict is Verdict.FAILS, finding
        for word in words:
            assert word in finding.evidence

    return failing
