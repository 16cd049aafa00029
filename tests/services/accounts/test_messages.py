"""Tests that superusers publish messages and everybody reads them."""

import pytest

from chalicelib.domain.errors import Denied, FieldInvalid, Unauthenticated
from chalicelib.domain.permissions import ANONYMOUS, Actor
from tests.support.backends import Backend
from tests.support.rows import events, rows_like

HELLO = ("hello", "info", "text/plain")


def test_a_message_is_shown_until_it_is_removed(backend: Backend) -> None:
    admin = backend.signed_in("admin")
    made = backend.services.accounts.messages.create(admin, *HELLO)

    assert backend.services.accounts.messages.all() == [made]
    backend.services.accounts.messages.delete(admin, made.uuid)
    backend.services.accounts.messages.delete(admin, made.uuid)
    backend.services.accounts.messages.delete(admin, "")
    assert backend.services.accounts.messages.all() == []
    kinds = [event["kind"] for event in events(backend) if "message" in event["kind"]]
    assert kinds == ["create_global_message", "delete_global_message"]


def test_only_superusers_publish_and_remove_messages(backend: Backend) -> None:
    backend.user("bob")
    row = backend.account("admin")
    narrowed = Actor(row.id, row.name, is_superuser=True, scopes=frozenset({"user:admin"}))

    for actor, refusal in ((ANONYMOUS, Unauthenticated), (backend.signed_in("bob"), Denied), (narrowed, Denied)):
        with pytest.raises(refusal):
            backend.services.accounts.messages.create(actor, *HELLO)
        with pytest.raises(refusal):
            backend.services.accounts.messages.delete(actor, "6b4e")


def test_an_invalid_message_is_not_stored(backend: Backend) -> None:
    before = rows_like(backend)

    with pytest.raises(FieldInvalid):
        backend.services.accounts.messages.create(backend.signed_in("admin"), "x", "loud", "text/plain")
    assert rows_like(backend) == before
