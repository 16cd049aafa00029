"""Proxy caches are set up, tried and removed as a whole."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.errors import Denied, FieldInvalid, NamespaceFilled, ResourceUnknown, Unauthenticated
from chalicelib.domain.errors.upstreams import UpstreamDenied, UpstreamUnreachable
from chalicelib.domain.mirrors import MirrorSource
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import ANONYMOUS
from chalicelib.domain.proxy_caches import ProxyCacheSettings
from chalicelib.domain.timers import PROXY_CACHE, Due, Later
from chalicelib.services.mirroring.proxy_caches import ProxyCacheView
from chalicelib.services.registry.repositories import NewRepository
from tests.support.backends import Backend
from tests.support.builders import an_organization
from tests.support.caches import NAME, a_proxy_cache, member
from tests.support.mirror_runs import MirrorRunner
from tests.support.rows import change, events, rows_like
from tests.support.sweeping import expire_everything
from tests.support.upstream import Upstream


def service(backend: Backend) -> Any:
    return backend.services.mirroring.proxy_caches


def settings(reference: str, **source: Any) -> ProxyCacheSettings:
    return ProxyCacheSettings(MirrorSource(reference, verify_tls=False, **source))


def test_members_see_where_it_fetches_from_and_no_secret(upstream: Upstream, mirrored: Backend) -> None:
    a_proxy_cache(upstream, mirrored, username="u", password="s3cret")
    view = service(mirrored).get(mirrored.signed_in("member"), "acme")
    assert view == ProxyCacheView(f"{upstream.host}/team", 3600, False)
    assert "s3cret" not in str(rows_like(mirrored))
    assert len(events(mirrored, "create_proxy_cache_config")) == 1


def test_an_organization_that_is_none_says_so(mirrored: Backend) -> None:
    an_organization(mirrored)
    assert service(mirrored).get(mirrored.signed_in("admin"), "acme") is None
    with pytest.raises(ResourceUnknown):
        service(mirrored).delete(mirrored.signed_in("admin"), "acme")


def test_only_administrators_change_it_and_only_members_see_it(upstream: Upstream, mirrored: Backend) -> None:
    a_proxy_cache(upstream, mirrored)
    mirrored.user("stranger")
    calls: list[Callable[[Any], object]] = [
        lambda actor: service(mirrored).create(actor, "acme", settings("quay.io")),
        lambda actor: service(mirrored).validate(actor, "acme", settings("quay.io")),
        lambda actor: service(mirrored).delete(actor, "acme"),
    ]
    for call in calls:
        for name in ("stranger", "member"):
            with pytest.raises(Denied):
                call(mirrored.signed_in(name))
        with pytest.raises(Unauthenticated):
            call(ANONYMOUS)
    with pytest.raises(Denied):
        service(mirrored).get(mirrored.signed_in("stranger"), "acme")


def test_a_second_one_and_one_beside_a_mirror_are_refused(upstream: Upstream, mirrored: Backend) -> None:
    namespace_id, owner = a_proxy_cache(upstream, mirrored), mirrored.signed_in("admin")
    with pytest.raises(FieldInvalid, match=r"^Proxy Cache Configuration already exists$"):
        service(mirrored).create(owner, "acme", settings("quay.io"))
    change(mirrored.services.stores.accounts.namespace(namespace_id), upstream="ORG_MIRROR")
    with pytest.raises(FieldInvalid, match="the organization is a mirror"):
        service(mirrored).create(owner, "acme", settings("quay.io"))


def test_an_organization_with_repositories_or_immutable_tags_is_refused(mirrored: Backend) -> None:
    namespace_id, owner = an_organization(mirrored), mirrored.signed_in("admin")
    change(mirrored.services.stores.accounts.namespace(namespace_id), immutability="[]")
    with pytest.raises(FieldInvalid, match="tags of the organization are immutable"):
        service(mirrored).create(owner, "acme", settings("quay.io"))
    change(mirrored.services.stores.accounts.namespace(namespace_id), immutability=None)
    mirrored.services.registry.repositories.create(owner, NewRepository(RepositoryName.parse("acme/own")))
    with pytest.raises(FieldInvalid, match="has repositories of its own"):
        service(mirrored).create(owner, "acme", settings("quay.io"))


def test_a_private_address_is_refused_by_both(backend: Backend) -> None:
    an_organization(backend)
    for call in (service(backend).create, service(backend).validate):
        with pytest.raises(FieldInvalid, match=r"^The provided registry URL is not allowed: 127.0.0.1"):
            call(backend.signed_in("admin"), "acme", settings("127.0.0.1:1"))


def test_nobody_creates_repositories_in_it_by_hand(upstream: Upstream, mirrored: Backend) -> None:
    a_proxy_cache(upstream, mirrored)
    new = NewRepository(RepositoryName.parse("acme/own"))
    with pytest.raises(NamespaceFilled, match="removes the proxy cache"):
        mirrored.services.registry.repositories.create(mirrored.signed_in("admin"), new)


def test_a_trial_tells_whether_the_user_is_let_in(upstream: Upstream, mirrored: Backend) -> None:
    an_organization(mirrored)
    owner = mirrored.signed_in("admin")
    assert service(mirrored).validate(owner, "acme", settings(upstream.host))
    upstream.password = "right"
    assert not service(mirrored).validate(owner, "acme", settings(upstream.host))
    known = settings(upstream.host, username="puller", password="right")
    assert service(mirrored).validate(owner, "acme", known)
    with pytest.raises(UpstreamDenied):
        service(mirrored).validate(owner, "acme", settings(upstream.host, username="puller", password="wrong"))
    with pytest.raises(UpstreamUnreachable):
        service(mirrored).validate(owner, "acme", settings("127.0.0.1:1"))


def test_a_removed_cache_keeps_its_images_and_nobody_keeps_its_rights(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("v1")
    backend, owner = runner.backend, runner.backend.signed_in("admin")
    a_proxy_cache(upstream, backend)
    backend.services.mirroring.cached_manifests.pull(member(backend), NAME, Tag("v1"))
    runner.drain()
    service(backend).delete(owner, "acme")
    assert service(backend).get(owner, "acme") is None
    assert [row for row in rows_like(backend) if "(proxy cache)" in str(row) and "LOG#" not in str(row["pk"])] == []
    backend.services.registry.repositories.create(owner, NewRepository(RepositoryName.parse("acme/own")))
    assert len(events(backend, "delete_proxy_cache_config")) == 1


def test_a_removal_that_runs_out_of_time_is_finished_by_the_timer(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("v1")
    backend = runner.backend
    a_proxy_cache(upstream, backend)
    backend.services.mirroring.cached_manifests.pull(member(backend), NAME, Tag("v1"))
    keeper = backend.services.mirroring.cache_repositories.of_token(member(backend), NAME).row.keeper_id
    due = Due(PROXY_CACHE, keeper, 0)
    assert isinstance(service(backend).work(due, lambda: False), Later)
    assert service(backend).work(due, lambda: True) is None
    assert rows_like(backend, f"A#{keeper}", "ROLE#") == []


def test_a_deleted_organization_leaves_nothing_of_its_cache(upstream: Upstream, runner: MirrorRunner) -> None:
    upstream.add_image("v1")
    backend, owner = runner.backend, runner.backend.signed_in("admin")
    namespace_id = a_proxy_cache(upstream, backend)
    backend.services.mirroring.cached_manifests.pull(member(backend), NAME, Tag("v1"))
    runner.drain()
    keeper = backend.services.stores.proxy_caches.get(namespace_id).keeper_id
    backend.services.accounts.organizations.delete(owner, "acme")
    for _ in range(3):
        expire_everything(backend)
    assert rows_like(backend, f"A#{keeper}") == []
    assert rows_like(backend, f"N#{namespace_id}", "PROXYCACHE") == []


def test_a_repository_that_was_deleted_before_is_not_restored_into_a_proxy_cache(
    upstream: Upstream, mirrored: Backend
) -> None:
    """Every member pulls whatever a proxy cache has."""
    actor, repositories = mirrored.signed_in("admin"), mirrored.services.registry.repositories
    deletion = mirrored.services.lifecycle.repository_deletion
    an_organization(mirrored)
    repositories.create(actor, NewRepository(RepositoryName.parse("acme/secret")))
    repositories.delete(actor, RepositoryName.parse("acme/secret"))
    (deleted,) = deletion.of_namespace(actor, "acme")
    settings = ProxyCacheSettings(MirrorSource(f"{upstream.host}/team", verify_tls=False), 3600)
    mirrored.services.mirroring.proxy_caches.create(actor, "acme", settings)
    with pytest.raises(NamespaceFilled):
        deletion.restore(actor, deleted.id)
    mirrored.services.mirroring.proxy_caches.delete(actor, "acme")
    assert str(deletion.restore(actor, deleted.id)) == "acme/secret"
