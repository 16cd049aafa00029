"""Tests that a look at a manifest renews a short lease, and no other."""

import pytest

from chalicelib.storage import keys
from chalicelib.storage.registry.manifests import ManifestRow
from chalicelib.storage.table import get
from tests.support.backends import Backend
from tests.support.builders import a_manifest, a_repository, push_manifest, token_actor


@pytest.mark.parametrize(("passed", "is_renewed"), [(0.0, False), (0.9, True)])
def test_only_a_short_lease_is_renewed(backend: Backend, passed: float, is_renewed: bool) -> None:
    repository = a_repository(backend)
    digest = push_manifest(backend, a_manifest()).digest
    key = keys.manifest(repository.id, digest)
    before = get(ManifestRow, key).leased_until
    backend.clock.ahead_s = backend.settings.lease_s * passed

    actor = token_actor(backend, "admin", "admin/app")
    backend.services.registry.manifests.find(actor, repository.name, digest)

    assert (get(ManifestRow, key).leased_until > before) is is_renewed
