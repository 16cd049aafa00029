"""Another registry with many repositories in one namespace, which it lists as Quay or as Harbor does."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chalicelib.domain.mirror_changes import MirrorChanges
from chalicelib.domain.organization_mirrors import SourceKind
from chalicelib.domain.repositories import Visibility
from tests.support.backends import Backend
from tests.support.builders import an_organization
from tests.support.fake_server import respond
from tests.support.mirror_builders import a_robot, changes
from tests.support.mirror_runs import MirrorRunner
from tests.support.upstream import Upstream


@dataclass
class UpstreamNamespace(Upstream):
    """A registry whose namespace `team` has the repositories `names`, all with the same content.

    With `authorization` it lists them only to requests with this header.
    """

    names: list[str] = field(default_factory=list)
    authorization: str = ""
    page: int = 2

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        if self.fault and self.fault(handler, parts.path):
            return
        lists = {"/api/v1/repository": self._quay, "/api/v2.0/projects/team/repositories": self._harbor}
        if parts.path in lists:
            refused = self.authorization and handler.headers.get("Authorization") != self.authorization
            if refused:
                respond(handler, b"{}", 401)
            else:
                lists[parts.path](handler, {name: values[0] for name, values in parse_qs(parts.query).items()})
            return
        for name in self.names:
            handler.path = handler.path.replace(f"/v2/team/{name}/", f"/v2/{self.path}/")
        super()._answer(handler)

    def _quay(self, handler: BaseHTTPRequestHandler, query: dict[str, str]) -> None:
        start, names = int(query.get("next_page", "0")), self.names if query["namespace"] == "team" else []
        listed = [{"namespace": "team", "name": name, "kind": "image"} for name in names[start : start + self.page]]
        document: dict[str, Any] = {"repositories": listed}
        if start + self.page < len(names):
            document["next_page"] = str(start + self.page)
        respond(handler, json.dumps(document).encode())

    def _harbor(self, handler: BaseHTTPRequestHandler, query: dict[str, str]) -> None:
        start = (int(query["page"]) - 1) * self.page
        listed = [{"name": f"team/{name}"} for name in self.names[start : start + self.page]]
        more: dict[str, Any] = {}
        if start + self.page < len(self.names):
            more["Link"] = f'</api/v2.0/projects/team/repositories?page={int(query["page"]) + 1}>; rel="next"'
        respond(handler, json.dumps(listed).encode(), **more)


def organization_changes(upstream: UpstreamNamespace, robot: str = "acme+mirror", **settings: Any) -> MirrorChanges:
    """Returns what a request gives for the mirror of an organization of the namespace `team`."""
    usual: dict[str, Any] = {
        "kind": SourceKind.QUAY,
        "url": upstream.url,
        "namespace": "team",
        "filters": (),
        "visibility": Visibility.PRIVATE,
        "interval_s": 3600,
        "start_at": 0,
    }
    source = {"verify_tls": False, **settings.pop("source", {})}
    return changes(robot, source, **{**usual, **settings})


def an_organization_mirror(
    upstream: UpstreamNamespace, backend: Backend, organization: str = "acme", **settings: Any
) -> str:
    """Makes a new organization the mirror of the namespace `team`; returns the organization's id."""
    namespace_id = an_organization(backend, organization)
    robot = a_robot(backend, f"{organization}+mirror", by="admin")
    new = organization_changes(upstream, robot, **{"start_at": int(backend.clock()) + 10**6, **settings})
    backend.services.mirroring.organization_mirrors.create(backend.signed_in("admin"), organization, new)
    return namespace_id


def discover(runner: MirrorRunner, organization: str = "acme") -> None:
    """Requests a discovery and has it done, with all runs."""
    backend = runner.backend
    backend.services.mirroring.discoveries.request(backend.signed_in("admin"), organization)
    runner.drain()


def statuses(backend: Backend, organization: str = "acme") -> dict[str, str]:
    """Returns the discovered repositories of an organization with their statuses."""
    room = backend.services.mirroring.organization_mirrors
    return {one.discovered.name: one.status for one in room.repositories(backend.signed_in("admin"), organization)}
