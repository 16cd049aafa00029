"""Repositories."""

import dataclasses

import pytest

from chalicelib.domain.names import RepositoryName
from chalicelib.domain.repositories import Repository, Visibility


def test_a_repository_does_not_change_under_its_holder() -> None:
    repository = Repository("01R", "01N", RepositoryName.parse("admin/app"))

    with pytest.raises(dataclasses.FrozenInstanceError):
        repository.id = "other"  # type: ignore[misc]


def test_a_renamed_repository_keeps_its_id() -> None:
    before = Repository("01R", "01N", RepositoryName.parse("admin/app"))
    after = dataclasses.replace(before, name=RepositoryName.parse("admin/renamed"))

    assert before.id == after.id
    assert before != after


def test_visibilities_read_back_from_what_is_stored() -> None:
    assert [Visibility(text) for text in ("public", "private")] == [Visibility.PUBLIC, Visibility.PRIVATE]
