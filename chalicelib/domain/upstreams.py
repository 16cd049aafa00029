"""Other registries: how a repository there is named, and which way leads to it."""

import base64
import ipaddress
import re
from dataclasses import dataclass, field

# Docker Hub's name in references and its API's; repositories without a namespace are in `library` there.
DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
DOCKER_HUB_API, DOCKER_HUB_LIBRARY = "registry-1.docker.io", "library/"


@dataclass(frozen=True, slots=True)
class UpstreamRepository:
    """A repository of another registry: `host` with its port, if one is given, and `path`."""

    host: str
    path: str

    @classmethod
    def of(cls, reference: str) -> "UpstreamRepository":
        """Returns the repository that a reference names, which was parsed before (domain/mirror_sources.py)."""
        host, _, path = reference.partition("/")
        return cls(host, path)

    @property
    def api_host(self) -> str:
        """The host whose API serves the repository."""
        return DOCKER_HUB_API if self.host in DOCKER_HUB else self.host

    @property
    def api_path(self) -> str:
        """The repository's name in that API."""
        is_short = self.host in DOCKER_HUB and "/" not in self.path
        return (DOCKER_HUB_LIBRARY if is_short else "") + self.path

    def __str__(self) -> str:
        return f"{self.host}/{self.path}"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user of another registry. `repr` does not show the password."""

    username: str
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The header Authorization (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Route:
    """How another host is reached. Without `verify_tls` any certificate is accepted, and plain http as well.

    `no_proxy` names hosts that are reached without a proxy. `repr` does not show the proxies' passwords.
    """

    verify_tls: bool = True
    http_proxy: str = field(default="", repr=False)
    https_proxy: str = field(default="", repr=False)
    no_proxy: str = ""

    def proxy_for(self, scheme: str, host: str, port: int) -> str:
        """Returns the address of the proxy that leads to a host, an empty text for none."""
        proxy = self.http_proxy if scheme == "http" else self.https_proxy
        return "" if proxy and bypasses_proxy(self.no_proxy, host, port) else proxy


def bypasses_proxy(no_proxy: str, host: str, port: int) -> bool:
    """Whether `no_proxy` names a host: by `*`, its name, a domain that it is in, host:port, an address or a network."""
    name = host.lower().rstrip(".").strip("[]")
    words = [word.lower() for word in re.split(r"[,\s]+", no_proxy) if word]
    return any(word == "*" or word == f"{name}:{port}" or _covers(word, name) for word in words)


def _covers(word: str, name: str) -> bool:
    try:
        return ipaddress.ip_address(name) in ipaddress.ip_network(word, strict=False)
    except ValueError:
        domain = word.removeprefix("*").lstrip(".")
        return bool(domain) and (name == domain or name.endswith("." + domain))
