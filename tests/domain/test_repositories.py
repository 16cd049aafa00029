"""Repositories."""

import dataclasses

import pytest

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.repositories import LONGEST_DESCRIPTION, Repository, Visibility, parse_description


def test_a_repository_is_immutable() -> None:
    repository = Repository("01R", "01N", RepositoryName.parse("admin/app"))

    with pytest.raises(dataclasses.FrozenInstanceError):
        repository.id = "other"  # type: ignore[misc]


def test_a_renamed_repository_keeps_its_id() -> None:
    before = Repository("01R", "01N", RepositoryName.parse("admin/app"))
    after = dataclasses.replace(before, name=RepositoryName.parse("admin/renamed"))

    assert before.id == after.id
    assert before != after


def test_visibilities_are_read_back_from_their_stored_values() -> None:
    assert [Visibility(text) for text in ("public", "private")] == [Visibility.PUBLIC, Visibility.PRIVATE]


def test_a_description_has_a_greatest_length() -> None:
    assert parse_description("x" * LONGEST_DESCRIPTION) == "x" * LONGEST_DESCRIPTION
    with pytest.raises(FieldInvalid) as refused:
        parse_description("x" * (LONGEST_DESCRIPTION + 1))
    assert refused.value.field == "description"
