"""Tests of missing clients are skipped by name, or fail."""

import os

import pytest

from tests.clients import needs
from tests.clients.needs import Needs


@pytest.fixture(autouse=True)
def unusual_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adds clients that no machine has, or that every machine has."""
    monkeypatch.delenv("CLOUDBERTH_NO_SKIPS", raising=False)
    monkeypatch.setitem(needs.CLIENTS, "absent", Needs("ask nobody", ("no-such-program",)))
    monkeypatch.setitem(needs.CLIENTS, "rootful", Needs("ask the administrator", ("sh",), root=True))
    monkeypatch.setitem(needs.CLIENTS, "library", Needs("pip install it", module="no_such_module"))


def test_a_client_that_is_not_installed_is_skipped_by_name_with_its_remedy() -> None:
    with pytest.raises(pytest.skip.Exception, match="absent: no-such-program is not installed: ask nobody"):
        needs.require("absent")
    with pytest.raises(pytest.skip.Exception, match="library: the Python module no_such_module is not installed"):
        needs.require("library")


def test_a_client_that_is_not_installed_fails_the_test_if_nothing_may_be_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLOUDBERTH_NO_SKIPS", "1")

    with pytest.raises(pytest.fail.Exception, match="absent: no-such-program is not installed: ask nobody"):
        needs.require("absent")


def test_a_client_that_needs_root_is_skipped_by_name_for_anyone_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(pytest.skip.Exception, match="rootful: sh keeps its layers as root here"):
        needs.require("rootful")


def test_a_client_that_is_installed_is_not_skipped() -> None:
    needs.CLIENTS["rootful"] = Needs("ask the administrator", ("sh",), module="json")

    needs.require("rootful")
