"""Other registries: how a repository there is named, and which way leads to it."""

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from chalicelib.domain.errors import FieldInvalid, NameInvalid
from chalicelib.domain.errors.upstreams import CONFIG, REFERENCE
from chalicelib.domain.names import REPOSITORY

# Docker Hub's name in references and its API's; repositories without a namespace are in `library` there.
DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
DOCKER_HUB_API, DOCKER_HUB_LIBRARY = "registry-1.docker.io", "library/"
HOST = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?")
LONGEST = 512
PROXY_SCHEMES = ("http", "https")


@dataclass(frozen=True, slots=True)
class UpstreamRepository:
    """A repository of another registry: `host` with its port, if one is given, and `path`."""

    host: str
    path: str

    @classmethod
    def parse(cls, text: str, name: str = REFERENCE) -> "UpstreamRepository":
        """Parses `host[:port]/path`; a tag or a digest is no part of it. Raises FieldInvalid, naming the field."""

        def refuse(why: str) -> FieldInvalid:
            return FieldInvalid(name, f"{text[:80]!r} {why}: say HOST[:PORT]/PATH, such as quay.io/team/app")

        if len(text) > LONGEST or not text.isascii() or not text.isprintable() or " " in text:
            raise refuse(f"has blanks, other characters than ASCII, or more than {LONGEST} characters")
        if "://" in text:
            raise refuse("begins with a scheme")
        if any(character in text for character in "?#\\%@"):
            raise refuse("has one of ? # \\ % @")
        host, slash, path = text.partition("/")
        if not slash or not path:
            raise refuse("has no path")
        if not HOST.fullmatch(host):
            raise refuse("begins with no host")
        _check_port(host, refuse("has an invalid port"))
        if ":" in path:
            raise refuse("names a tag, which the patterns do")
        if not REPOSITORY.fullmatch(path):
            raise refuse(str(NameInvalid(path, "has a path that no repository can have")))
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


def _check_port(host: str, error: FieldInvalid) -> None:
    port = host.rpartition(":")[2] if ":" in host and not host.endswith("]") else ""
    if port and not 0 < int(port) < 65536:
        raise error


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user of another registry. `repr` does not show the password."""

    username: str
    password: str = field(repr=False)


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


def parse_proxy(text: str, name: str) -> str:
    """Returns the address of a proxy: http(s)://[USER:PASSWORD@]HOST[:PORT]. Raises FieldInvalid without a secret."""
    field_name = f"{CONFIG}.proxy.{name}"
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in PROXY_SCHEMES and bool(parts.hostname) and parts.path in ("", "/")
        is_good = is_good and not parts.query and not parts.fragment and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or not text.isascii() or not text.isprintable() or " " in text or len(text) > LONGEST:
        raise FieldInvalid(field_name, "say http://[USER:PASSWORD@]HOST:PORT")
    return text.rstrip("/")


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
