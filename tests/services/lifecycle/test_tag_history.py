"""Tags and their history are listed by pages, the newest first, at a cost that depends on the page."""

from typing import Any

import pytest

from chalicelib.domain.errors import Denied, FieldInvalid, NameUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS
from chalicelib.domain.repositories import Visibility
from chalicelib.domain.tags import TagFilter
from chalicelib.services.lifecycle import tag_history
from chalicelib.services.lifecycle.tag_history import TagHistoryPage, TagHistoryQuery
from tests.support.backends import Backend
from tests.support.builders import an_index, push_image, push_manifest, token_actor
from tests.support.rows import repository_of
from tests.support.sweeping import advance_clock, delete_tag

NAME = RepositoryName.parse("admin/app")


def page(backend: Backend, limit: int = 50, **selection: Any) -> TagHistoryPage:
    return backend.services.lifecycle.tag_history.page(
        backend.signed_in("admin"), NAME, TagHistoryQuery(limit, **selection)
    )


def names(found: TagHistoryPage) -> list[str]:
    return [life.name for life in found.lives]


def test_tags_and_former_tags_are_listed_newest_first(backend: Backend) -> None:
    for tag in ("a", "b", "c"):
        push_image(backend, tag)
    delete_tag(backend, "b")

    assert names(page(backend)) == ["c", "b", "a"]
    assert names(page(backend, is_alive=True)) == ["c", "a"]
    assert [life.ended_at is None for life in page(backend).lives] == [True, False, True]


def test_pages_are_read_by_number_and_by_the_end_of_the_last_one(backend: Backend) -> None:
    for number in range(7):
        push_image(backend, f"v{number}")
    first = page(backend, 3)
    second, third = page(backend, 3, skip=3), page(backend, 3, skip=6)

    assert names(first) + names(second) + names(third) == [f"v{number}" for number in range(6, -1, -1)]
    assert third.following is None
    assert names(page(backend, 3, after=first.following or "")) == names(second)
    assert names(page(backend, 3, after="nonsense")) == names(first)


def test_one_tag_is_read_from_the_table_with_its_history(backend: Backend) -> None:
    push_image(backend, "v1")
    push_image(backend, "v1")
    push_image(backend, "v10")

    assert names(page(backend, tag="v1")) == ["v1", "v1"]
    assert len(page(backend, tag="v1", is_alive=True).lives) == 1
    assert names(page(backend, tag="none")) == []


def test_an_expired_tag_is_not_listed_as_alive(backend: Backend) -> None:
    push_image(backend, "v1", labels={"quay.expires-after": "1h"})
    advance_clock(backend, 3601)

    assert names(page(backend, is_alive=True)) == []
    assert names(page(backend, is_alive=True, tag="v1")) == []
    assert names(page(backend)) == ["v1"]


@pytest.mark.parametrize(("text", "found"), [("like:v", ["v2", "v1"]), ("eq:v1", ["v1"]), ("like:", ["v2", "x", "v1"])])
def test_names_are_filtered(backend: Backend, text: str, found: list[str]) -> None:
    for tag in ("v1", "x", "v2"):
        push_image(backend, tag)

    assert names(page(backend, filter=TagFilter.parse(text))) == found
    assert names(page(backend, 1, filter=TagFilter.parse(text))) == found[:1]


def test_an_exact_name_is_found_however_many_tags_are_newer(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_history, "MOST_READ", 3)
    push_image(backend, "old")
    for number in range(5):
        push_image(backend, f"v{number}")

    for is_alive in (True, False):
        found = page(backend, filter=TagFilter.parse("eq:old"), is_alive=is_alive)
        assert (names(found), found.following) == (["old"], None)


def test_a_live_tag_is_one_read_by_its_key_however_many_lives_it_had(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tag_history, "MOST_READ", 3)
    for _ in range(5):
        push_image(backend, "v1")

    found = page(backend, tag="v1", is_alive=True)
    assert (names(found), found.following) == (["v1"], None)
    delete_tag(backend, "v1")
    found = page(backend, tag="v1", is_alive=True)
    assert (names(found), found.following) == ([], None)


def test_a_name_that_the_filter_does_not_take_is_in_no_page(backend: Backend) -> None:
    push_image(backend, "v1")

    assert names(page(backend, tag="v1", filter=TagFilter.parse("eq:v2"))) == []
    assert names(page(backend, tag="v1", filter=TagFilter.parse("like:v"))) == ["v1"]


def test_pages_by_number_end_with_an_error_that_says_how_to_go_on(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tag_history, "MOST_READ", 5)
    for number in range(7):
        push_image(backend, f"v{number}")

    short = page(backend, 2, skip=4)
    assert names(short) == ["v2"]
    assert names(page(backend, 2, after=short.following or "")) == ["v1", "v0"]
    for skip in (5, 6, 10**9):
        with pytest.raises(FieldInvalid, match=r"page: .* next_page"):
            page(backend, 2, skip=skip)


def test_the_later_pages_of_one_tags_history_read_no_newer_lives(backend: Backend) -> None:
    for _ in range(6):
        push_image(backend, "v1")
    first = page(backend, 2, tag="v1")
    read = backend.services.stores.tags.lives(repository_of(backend).id, "v1", first.following or "")

    assert len(list(read)) == 4
    rest = page(backend, 9, tag="v1", after=first.following or "")
    assert (len(rest.lives), rest.following) == (4, None)
    assert not {life.id for life in first.lives} & {life.id for life in rest.lives}


def test_a_filter_whose_page_lies_behind_what_is_read_says_how_to_go_on(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tag_history, "MOST_READ", 4)
    push_image(backend, "v1")
    for number in range(4):
        push_image(backend, f"x{number}")
    push_image(backend, "v2")

    first = page(backend, 1, filter=TagFilter.parse("like:v"))
    assert names(first) == ["v2"]
    with pytest.raises(FieldInvalid, match=r"page: .* next_page"):
        page(backend, 1, skip=1, filter=TagFilter.parse("like:v"))
    rest = page(backend, 1, after=first.following or "", filter=TagFilter.parse("like:v"))
    assert (names(rest), rest.following) == (["v1"], None)


def test_an_index_has_its_children_and_an_image_the_size_of_its_layers(backend: Backend) -> None:
    child = push_image(backend, "amd64", layers=2)
    push_manifest(backend, an_index([child.digest]), "multi")
    index, image = page(backend).lives

    assert index.children == {child.digest: True}
    assert index.layers_size is None
    assert (image.children, image.layers_size) == (None, 128)


def test_a_page_costs_the_same_however_many_tags_there_are(backend: Backend) -> None:
    counted = []
    for number in range(60):
        push_image(backend, f"v{number}", layers=0)
        if number in (10, 59):
            backend.calls.take()
            page(backend, 5)
            counted.append(backend.calls.take())

    assert counted[0] == counted[1]
    assert counted[1].count("Query") == 1


def test_anonymous_clients_see_only_public_repositories(backend: Backend) -> None:
    push_image(backend, "v1")
    backend.user("bob")
    with pytest.raises(Denied):
        backend.services.lifecycle.tag_history.page(backend.signed_in("bob"), NAME, TagHistoryQuery(5))
    with pytest.raises(NameUnknown):
        backend.services.lifecycle.tag_history.page(
            backend.signed_in("admin"), RepositoryName.parse("admin/none"), TagHistoryQuery(5)
        )

    owner = token_actor(backend, "admin", "admin/app")
    backend.services.registry.repositories.change_visibility(owner, NAME, Visibility.PUBLIC)
    assert names(backend.services.lifecycle.tag_history.page(ANONYMOUS, NAME, TagHistoryQuery(5))) == ["v1"]
