"""docs/api-coverage.md is what Quay's list and the declared operations say."""

import pytest

from tests.architecture.api_coverage import DOCUMENT, Listed, generate, listed, served


def test_the_document_is_what_the_operations_generate() -> None:
    assert DOCUMENT.read_text("utf-8") == generate(), "run `python -m tests.architecture.routes`"


def test_no_operation_of_quay_is_listed_twice() -> None:
    assert len({one.place for one in listed()}) == len(listed())


@pytest.mark.parametrize("quay", [one for one in listed() if one.id != "-"], ids=lambda one: one.id)
def test_an_operation_that_is_served_is_called_as_in_quay(quay: Listed) -> None:
    """Clients that were made from a document call it by its id."""
    found = served().get(quay.place)

    assert found is None or found.id == quay.id
