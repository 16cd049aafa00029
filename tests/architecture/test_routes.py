"""docs/protocol.md is what the declared routes say."""

from app import app
from tests.architecture.routes import DOCUMENT, generate


def test_the_document_is_what_the_routes_generate() -> None:
    assert DOCUMENT.read_text("utf-8") == generate(), "run `python -m tests.architecture.routes`"


def test_every_view_says_what_it_is_for() -> None:
    app.complete()
    views = [entry.view_function for methods in app.routes.values() for entry in methods.values()]

    assert [view.__qualname__ for view in views if not view.__doc__] == []
