from __future__ import annotations

import secrets
from typing import Any

import pytest

from tests.protocol.content import an_image
from tests.protocol.registry import Answer, Registry, assert_refused, next_page
from tests.support.stack import Stack


@pytest.fixture
def family(registry: Registry) -> Any:
    """Three repositories whose names are adjacent in the catalog: the prefix and the names."""
    prefix = f"{registry.user}/catalog-{secrets.token_hex(4)}"
    names = [f"{prefix}-{letter}" for letter in "abc"]
    for name in names:
        registry.repository(name).push_image(an_image(), "latest")
    return prefix, names


def listed(answer: Answer) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()["repositories"]


def test_the_catalog_lists_repositories_by_name(registry: Registry, family: Any) -> None:
    _, names = family
    answer = registry.catalog(n=1000, last=names[0][:-1])

    assert answer.headers["Content-Type"].split(";")[0] == "application/json"
    assert listed(answer)[:3] == names


def test_the_catalog_begins_after_last(registry: Registry, family: Any) -> None:
    _, names = family

    assert listed(registry.catalog(n=2, last=names[0])) == names[1:]


def test_the_catalogs_link_leads_from_page_to_page(registry: Registry, family: Any) -> None:
    prefix, names = family
    answer = registry.catalog(n=1, last=prefix)
    found = listed(answer)
    for _ in range(2):
        address = next_page(answer)
        assert address, answer.headers
        answer = registry.send("GET", address, headers=registry.authorization("registry:catalog:*"))
        found += listed(answer)

    assert found == names


def test_the_catalog_with_n_of_zero_is_empty_without_a_link(registry: Registry, family: Any) -> None:
    answer = registry.catalog(n=0)

    assert listed(answer) == []
    assert "Link" not in answer.headers


@pytest.mark.parametrize("n", ["-1", "many"])
def test_a_bad_n_is_refused(registry: Registry, n: str) -> None:
    assert_refused(registry.catalog(n=n), 400)


def test_the_catalog_hides_a_private_repository_from_users_without_a_right(neighbour: Registry, family: Any) -> None:
    _, names = family

    assert not set(names) & set(listed(neighbour.catalog(n=1000, last=names[0][:-1])))


def test_the_catalog_shows_a_public_repository_to_another_user(stack: Stack, neighbour: Registry, family: Any) -> None:
    _, names = family
    stack.account("visibility", names[1], "public")

    assert listed(neighbour.catalog(n=1, last=names[0])) == [names[1]]


def test_the_catalog_shows_a_repository_to_users_with_a_role(stack: Stack, neighbour: Registry, family: Any) -> None:
    _, names = family
    stack.account("grant", names[2], neighbour.user, "read")

    assert names[2] in listed(neighbour.catalog(n=1, last=names[1]))
