"""docs/api-coverage.md is what Quay's list and the declared operations say."""

from tests.architecture.api_coverage import DOCUMENT, generate, listed, served


def test_the_document_is_what_the_operations_generate() -> None:
    assert DOCUMENT.read_text("utf-8") == generate(), "run `python -m tests.architecture.routes`"


def test_no_operation_of_quay_is_listed_twice() -> None:
    assert len({one.place for one in listed()}) == len(listed())


def test_an_operation_that_is_served_is_called_as_in_quay() -> None:
    """Clients that were made from a document call it by its id."""
    ours = served()
    both = [(quay.id, ours[quay.place].id) for quay in listed() if quay.id != "-" and quay.place in ours]

    assert len(both) > 100
    assert [f"{our} is Quay's {quay}" for quay, our in both if our != quay] == []
