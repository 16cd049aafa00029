"""Storage of offers of tokens to users."""

import pytest

from chalicelib.storage import keys
from chalicelib.storage.identity.applications import ClientRow
from chalicelib.storage.identity.assignments import AssignmentRow, AssignmentStore
from chalicelib.storage.table import Transaction, WriteConflict
from tests.support.backends import Backend


def test_an_offer_is_found_by_its_user_and_removed_once(backend: Backend) -> None:
    account_id, store = backend.account().id, AssignmentStore()
    fields = {"client_id": "C1", "redirect_uri": "https://x", "scopes": "repo:read", "response_type": "code"}
    transaction = Transaction()
    row = AssignmentRow.under(keys.assignment(account_id, "u1"), uuid="u1", created_at=1, **fields)
    store.add(transaction, row)
    transaction.commit()

    (offer,) = store.of_user(account_id)
    assert offer.to_assignment(ClientRow(client_id="C1", organization="acme", name="bot")).scopes == ("repo:read",)
    assert store.get(account_id, "u1") is not None
    assert store.get("other", "u1") is store.get(account_id, "") is None
    for is_there in (True, False):
        transaction = Transaction()
        store.remove(transaction, account_id, "u1")
        if is_there:
            transaction.commit()
        else:
            with pytest.raises(WriteConflict):
                transaction.commit()
