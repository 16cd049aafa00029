"""The emulator twice: as we run it, and as it was published, where the same test must fail.

When one passes there, a newer ministack does what AWS does, and the repair can go.
"""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from infra.emulator.emulator import Emulator
from tests.emulation import Cloud, Ledger, emulators_python

BOTH = [
    pytest.param(True, id="repaired"),
    pytest.param(
        False,
        id="as-published",
        marks=pytest.mark.xfail(strict=True, raises=(AssertionError, ClientError), reason="what the repair is for"),
    ),
]


@pytest.fixture(scope="session")
def python() -> Path:
    """The Python that runs the emulator and its functions."""
    return emulators_python()


@pytest.fixture(scope="session")
def started(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bool], Emulator]]:
    """Gives the two emulators of a test process, each started when it is first asked for."""
    running: list[Emulator] = []

    @cache
    def start(repaired: bool) -> Emulator:
        running.append(Emulator(tmp_path_factory.mktemp("ministack"), python=python, repaired=repaired))
        return running[-1]

    yield start
    for emulator in running:
        emulator.stop()


@pytest.fixture(params=BOTH)
def repaired(request: pytest.FixtureRequest) -> bool:
    """Whether the emulator at hand is ours."""
    return bool(request.param)


@pytest.fixture
def patience_s(repaired: bool) -> float:
    """How long to wait for what the one does, and the other never will."""
    return 20 if repaired else 4


@pytest.fixture
def cloud(repaired: bool, started: Callable[[bool], Emulator]) -> Cloud:
    """An emulated AWS of either kind."""
    return Cloud(started(repaired))


@pytest.fixture
def ours(started: Callable[[bool], Emulator]) -> Cloud:
    """An emulated AWS as we run it."""
    return Cloud(started(True))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Where the functions of a test write."""
    return Ledger(tmp_path / "ledger")
