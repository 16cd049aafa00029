"""Parses where a mirror copies from, and through which proxies."""

import ipaddress
import re
from urllib.parse import urlsplit

from chalicelib.domain.addresses import HOST
from chalicelib.domain.errors import FieldInvalid, MirrorInvalid, NameInvalid
from chalicelib.domain.names import RepositoryName

REFERENCE = "External registry reference"
EXAMPLE = "say it like quay.io/team/app"
# An address in brackets, or a name; then a port.
AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?")
LONGEST = 2000
LARGEST_PORT = 65_535


def parse_reference(text: str) -> str:
    """Returns the repository at another registry that a text names. Raises FieldInvalid, some with Quay's words."""
    if not text:
        raise FieldInvalid("", f"{REFERENCE} is required")
    if "://" in text:
        raise FieldInvalid("", f"{REFERENCE} must not include a URL scheme")
    host, slash, path = text.partition("/")
    if len(text) > LONGEST or any(sign.isspace() or not sign.isprintable() for sign in text):
        raise FieldInvalid("", f"{REFERENCE} must not contain blanks, and has at most {LONGEST} characters: {EXAMPLE}")
    if found := next((sign for sign in "?#\\%@" if sign in text), ""):
        raise FieldInvalid("", f"{REFERENCE} must not contain {found!r}: {EXAMPLE}")
    if not slash or not path:
        raise FieldInvalid("", f"{REFERENCE} must include the path of a repository: {EXAMPLE}")
    if not is_authority(host):
        raise FieldInvalid("", f"{REFERENCE} begins with no host and port: {EXAMPLE} or registry.example.com:5000/app")
    if ":" in path:
        raise FieldInvalid("", f"{REFERENCE} must not include a tag: say which tags to take in root_rule")
    try:
        RepositoryName.parse(path)
    except NameInvalid as error:
        raise FieldInvalid("", f"{REFERENCE} has an {error}") from None
    return text


def parse_proxy(field: str, address: str) -> str:
    """Returns the address of a proxy, which may have a username and a password. Raises MirrorInvalid."""
    scheme, separator, rest = address.partition("://")
    credentials, _, authority = rest.removesuffix("/").rpartition("@")
    is_text = len(address) <= LONGEST and address.isprintable() and not set(credentials) & set(" /?#@\\")
    if not separator or scheme not in ("http", "https") or not is_text or not is_authority(authority):
        raise MirrorInvalid(
            field,
            "say http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT with %2F, %3F, %23 and %40 for / ? # and @",
        )
    return address


def parse_no_proxy(field: str, text: str) -> str:
    """Returns the hosts that are asked without a proxy. Raises MirrorInvalid."""
    if len(text) > LONGEST or not text.isprintable():
        raise MirrorInvalid(field, f"say hosts separated by commas, in at most {LONGEST} characters")
    return text


def parse_namespace(field: str, text: str) -> str:
    """Returns the name of a namespace at another registry. Raises FieldInvalid."""
    try:
        RepositoryName.parse(f"{text}/x")
    except NameInvalid as error:
        raise FieldInvalid(field, str(error)) from None
    return text


def is_authority(text: str) -> bool:
    """Whether a text is a host, with a port if one is given."""
    found = AUTHORITY.fullmatch(text)
    if found is None or not 0 < int(found["port"] or 443) <= LARGEST_PORT:
        return False
    try:
        ipaddress.ip_address(found["host"].strip("[]"))
    except ValueError:
        return HOST.fullmatch(found["host"].lower()) is not None
    return True


def host_of(reference_or_proxy: str) -> str:
    """Returns the host of a reference or of a proxy's address."""
    text = reference_or_proxy if "://" in reference_or_proxy else f"//{reference_or_proxy}"
    return urlsplit(text).hostname or ""
