from __future__ import annotations

from typing import Any

import pytest

from tests.protocol.content import an_image
from tests.protocol.registry import Answer, Repository, assert_refused, next_page


def tagged(repository: Repository, *tags: Any) -> Any:
    """Pushes one image under all these tags."""
    image = an_image()
    repository.push_image(image)
    for tag in tags:
        repository.push_manifest(image.manifest, tag)
    return image


def listed(answer: Answer) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()["tags"]


def pages(repository: Repository, **query: Any) -> Any:
    """Returns all pages that following Link gives."""
    answer = repository.tags(**query)
    collected = [listed(answer)]
    while address := next_page(answer):
        answer = repository.send("GET", address)
        collected.append(listed(answer))
    return collected


def test_tags_are_listed_with_the_repositorys_name(repository: Repository) -> None:
    tagged(repository, "one", "two")
    answer = repository.tags()

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].split(";")[0] == "application/json"
    assert answer.json() == {"name": repository.name, "tags": ["one", "two"]}


def test_a_repository_without_tags_lists_none(repository: Repository) -> None:
    repository.push_image(an_image())

    assert listed(repository.tags()) == []


def test_tags_come_in_the_order_of_their_bytes(repository: Repository) -> None:
    names = ["v10", "v9", "V1", "_a", "a.b", "a-b", "1.0", "latest"]
    tagged(repository, *names)

    assert listed(repository.tags()) == sorted(names)


def test_n_limits_the_page_and_link_leads_to_the_end(repository: Repository) -> None:
    names = [f"v{number}" for number in range(5)]
    tagged(repository, *names)

    assert pages(repository, n=2) == [["v0", "v1"], ["v2", "v3"], ["v4"]]


def test_link_has_the_relation_next_and_keeps_n(repository: Repository) -> None:
    tagged(repository, "a", "b", "c")
    answer = repository.tags(n=1)

    assert answer.headers["Link"].endswith('; rel="next"')
    assert "n=1" in answer.headers["Link"]
    assert "last=a" in answer.headers["Link"]


def test_the_last_page_has_no_link(repository: Repository) -> None:
    tagged(repository, "a", "b")

    assert next_page(repository.tags(n=2)) is None
    assert next_page(repository.tags(n=3)) is None
    assert next_page(repository.tags()) is None


def test_n_of_zero_gives_no_tags_and_no_link(repository: Repository) -> None:
    tagged(repository, "a", "b")
    answer = repository.tags(n=0)

    assert listed(answer) == []
    assert "Link" not in answer.headers


def test_a_page_begins_after_the_tag_named_by_last(repository: Repository) -> None:
    tagged(repository, "a", "b", "c")

    assert listed(repository.tags(last="a")) == ["b", "c"]
    assert listed(repository.tags(last="a", n=1)) == ["b"]
    assert listed(repository.tags(last="c")) == []


def test_last_may_name_an_unknown_tag(repository: Repository) -> None:
    tagged(repository, "a", "c")

    assert listed(repository.tags(last="b")) == ["c"]


def test_n_larger_than_any_page_still_gives_every_tag_by_link(repository: Repository) -> None:
    names = [f"t{number:03}" for number in range(120)]
    image = an_image()
    repository.push_image(image)
    for at in range(0, len(names), 10):
        answer = repository.put_manifest(
            image.manifest.content, image.manifest.digest, image.manifest.media_type, names[at : at + 10]
        )
        assert answer.status_code == 201

    collected = [tag for page in pages(repository, n=1_000_000) for tag in page]
    assert collected == names


@pytest.mark.parametrize("n", ["-1", "many", "1.5"])
def test_an_invalid_n_is_refused(repository: Repository, n: str) -> None:
    tagged(repository, "a")

    assert_refused(repository.tags(n=n), 400)


def test_the_tags_of_an_unknown_repository_are_not_found(repository: Repository) -> None:
    assert_refused(repository.tags(), 404, "NAME_UNKNOWN")


def test_a_new_tag_is_listed_at_once(repository: Repository) -> None:
    image = tagged(repository, "first")
    repository.push_manifest(image.manifest, "second")

    assert listed(repository.tags()) == ["first", "second"]
