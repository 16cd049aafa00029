"""Proxy caches in tests: of the fake upstream's namespace `team`, as the organization `acme`."""

from typing import Any

from chalicelib.domain.mirrors import MirrorSource
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor
from chalicelib.domain.proxy_caches import ProxyCacheSettings
from chalicelib.domain.teams import TeamRole
from tests.support.backends import Backend
from tests.support.builders import an_organization, token_actor
from tests.support.upstream import Upstream

NAME = RepositoryName.parse("acme/app")


def a_proxy_cache(upstream: Upstream, backend: Backend, expiration_s: int = 3600, **source: Any) -> str:
    """Makes the new organization `acme` a proxy cache, with a `member`; returns its id."""
    namespace_id = an_organization(backend)
    settings = ProxyCacheSettings(MirrorSource(f"{upstream.host}/team", verify_tls=False, **source), expiration_s)
    backend.services.mirroring.proxy_caches.create(backend.signed_in("admin"), "acme", settings)
    backend.user("member")
    owner, teams = backend.signed_in("admin"), backend.services.accounts.teams
    teams.put(owner, "acme", "pullers", TeamRole.MEMBER, "")
    teams.add_member(owner, "acme", "pullers", "member")
    return namespace_id


def member(backend: Backend, name: RepositoryName = NAME) -> Actor:
    """Returns a member of the organization with a new token for one of its repositories."""
    return token_actor(backend, "member", str(name))
