"""A client that is not here is named, never passed over in silence."""

import os

import pytest

from tests.clients import needs
from tests.clients.needs import Needs


@pytest.fixture(autouse=True)
def strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that no machine has, or that are on every machine."""
    monkeypatch.delenv("CLOUDBERTH_NO_SKIPS", raising=False)
    monkeypatch.setitem(needs.CLIENTS, "stranger", Needs("ask a stranger", ("no-such-program",)))
    monkeypatch.setitem(needs.CLIENTS, "lodger", Needs("ask the landlord", ("sh",), root=True))
    monkeypatch.setitem(needs.CLIENTS, "library", Needs("pip install it", module="no_such_module"))


def test_a_client_that_is_not_installed_is_skipped_by_name_with_its_remedy() -> None:
    with pytest.raises(pytest.skip.Exception, match="stranger: no-such-program is not installed: ask a stranger"):
        needs.require("stranger")
    with pytest.raises(pytest.skip.Exception, match="library: the Python module no_such_module is not installed"):
        needs.require("library")


def test_a_client_that_is_not_installed_fails_the_test_where_nothing_may_be_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLOUDBERTH_NO_SKIPS", "1")

    with pytest.raises(pytest.fail.Exception, match="stranger: no-such-program is not installed: ask a stranger"):
        needs.require("stranger")


def test_a_client_that_needs_root_is_skipped_by_name_for_anyone_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(pytest.skip.Exception, match="lodger: sh keeps its layers as root here"):
        needs.require("lodger")


def test_a_client_that_is_here_is_let_through() -> None:
    needs.CLIENTS["lodger"] = Needs("ask the landlord", ("sh",), module="json")

    needs.require("lodger")
