"""Clients of other registries, which may call this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chalicelib.domain.addresses import Permitted
from chalicelib.domain.upstreams import Credentials, Route, UpstreamRepository
from chalicelib.remote.outgoing import Outgoing
from chalicelib.remote.registries import RegistryClient
from chalicelib.remote.streams import Streams
from tests.support.upstream import Upstream

LOOPBACK = Outgoing(Permitted.parse("127.0.0.0/8", "allow"))
NOW = 1_800_000_000


@contextmanager
def client(
    upstream: Upstream, route: Route | None = None, clock: Any = lambda: NOW, **credentials: Any
) -> Iterator[RegistryClient]:
    known = Credentials(credentials["user"], credentials["password"]) if credentials else None
    route = route or Route(verify_tls=False)
    repository = UpstreamRepository.of(upstream.reference)
    opened = RegistryClient(Streams(LOOPBACK, route), repository, known, clock, may_be_plain=not route.verify_tls)
    try:
        yield opened
    finally:
        opened.close()
