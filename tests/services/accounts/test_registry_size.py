"""Tests that superusers count the registry's size, in several requests if needed."""

import os

import pytest

from chalicelib.domain.errors import Denied, Unauthenticated
from chalicelib.domain.permissions import ANONYMOUS
from chalicelib.services.accounts.registry_size import LONGEST_S, RegistrySize, RegistrySizes
from tests.support.backends import Backend
from tests.support.builders import a_blob, an_organization


def test_bytes_of_users_and_organizations_are_counted_on_request(backend: Backend) -> None:
    an_organization(backend, "acme")
    for repository in ("admin/app", "admin/other"):
        a_blob(backend, os.urandom(100), repository)
    admin, sizes = backend.signed_in("admin"), backend.services.accounts.registry_sizes
    assert sizes.last(admin) == RegistrySize(0, None, is_running=False)

    counted = sizes.count(admin)

    assert (counted.bytes, counted.is_running) == (200, False)
    assert counted.counted_at is not None
    assert sizes.last(admin) == counted
    assert sizes.count(admin).bytes == 200


def test_a_long_count_continues_where_it_stopped(backend: Backend) -> None:
    a_blob(backend, b"x" * 100)
    moments = iter(range(0, 1000, int(LONGEST_S)))
    slow = RegistrySizes(backend.services.security.access, backend.stores_at(lambda: float(next(moments))))
    admin = backend.signed_in("admin")

    turns = [slow.count(admin)]
    while turns[-1].is_running:
        turns.append(slow.count(admin))

    assert len(turns) > 1
    assert [turn.bytes for turn in turns] == [0] * (len(turns) - 1) + [100]


def test_only_superusers_count(backend: Backend) -> None:
    backend.user("bob")
    for actor, refusal in ((ANONYMOUS, Unauthenticated), (backend.signed_in("bob"), Denied)):
        with pytest.raises(refusal):
            backend.services.accounts.registry_sizes.count(actor)
        with pytest.raises(refusal):
            backend.services.accounts.registry_sizes.last(actor)
