"""Runs tests on the repaired emulator and on ministack as published, where the same test must fail.

If a test passes there, ministack does what AWS does, and the repair must be deleted.
"""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from infra.emulator.emulator import Emulator
from tests.support.emulation import Cloud, Ledger, emulators_python

BOTH = [
    pytest.param(True, id="repaired"),
    pytest.param(
        False,
        id="as-published",
        marks=pytest.mark.xfail(
            strict=True, raises=(AssertionError, ClientError), reason="the fault that the repair corrects"
        ),
    ),
]


@pytest.fixture(scope="session")
def python() -> Path:
    """Returns the Python that runs the emulator and its functions."""
    return emulators_python()


@pytest.fixture(scope="session")
def started(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bool], Emulator]]:
    """Returns the two emulators of a test process, each of which starts at its first use."""
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
    """Tells whether the emulator of this test is repaired."""
    return bool(request.param)


@pytest.fixture
def patience_s(repaired: bool) -> float:
    """Returns the seconds to wait; the published emulator never does what the test waits for."""
    return 20 if repaired else 4


@pytest.fixture
def cloud(repaired: bool, started: Callable[[bool], Emulator]) -> Cloud:
    """Returns an emulated AWS of either kind."""
    return Cloud(started(repaired))


@pytest.fixture
def ours(started: Callable[[bool], Emulator]) -> Cloud:
    """Returns the repaired emulated AWS."""
    return Cloud(started(True))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Returns the file in which the functions of a test write."""
    return Ledger(tmp_path / "ledger")
