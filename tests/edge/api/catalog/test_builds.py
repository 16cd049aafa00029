"""Builds over the API: a repository has none, and only callers with a role on it are told so."""

from collections.abc import Callable

import pytest

from chalicelib.domain.permissions import Role
from tests.support.api_client import ApiClient
from tests.support.builders import a_repository, an_actor_with_role

BUILD, TRIGGER = "/repository/admin/app/build/", "/repository/admin/app/trigger/"


@pytest.fixture(autouse=True)
def _repository(admin: ApiClient) -> None:
    a_repository(admin.backend)


def test_there_are_no_builds(admin: ApiClient) -> None:
    assert admin.get(BUILD).json() == {"builds": []}
    assert admin.get(TRIGGER).json() == {"triggers": []}
    assert admin.get(BUILD + "6b4e").status == 404


def test_a_reader_sees_builds_and_no_triggers(visit: Callable[[str], ApiClient]) -> None:
    bob = visit("bob")
    an_actor_with_role(bob.backend, "bob", Role.READ)

    assert [bob.get(path).status for path in (BUILD, TRIGGER)] == [200, 403]


def test_other_callers_are_refused(stranger: ApiClient, visit: Callable[[str], ApiClient]) -> None:
    bob = visit("bob")

    for path in (BUILD, TRIGGER, BUILD + "6b4e"):
        assert stranger.get(path).status == 401
        assert bob.get(path).status == 403
        assert bob.get(path).json() == bob.get(path.replace("app", "none")).json()
