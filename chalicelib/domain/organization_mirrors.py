"""Mirrors of organizations: all repositories of a namespace at another registry, each copied as a mirror is."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.mirror_sources import host_of, is_authority
from chalicelib.domain.mirrors import EXCLUDES, MirrorSettings, MirrorSource
from chalicelib.domain.repositories import Visibility

URL, NAMESPACE, FILTERS = "external_registry_url", "external_namespace", "repository_filters"
MOST_FILTERS, LONGEST_FILTER = 200, 256
FILTER = re.compile(r"!?[\w.\-/*?\[\]!]+", re.ASCII)
# More repositories than these need filters: one answer counts all of them.
MOST_REPOSITORIES = 5000
# Quay's word for a repository that was discovered and is not mirrored.
SKIP = "SKIP"
# What a discovery says of repositories.
NONE_LISTED = "The other registry lists no repositories, so nothing was changed"
NONE_MATCHED = "No repository matches repository_filters, so nothing was changed"
GONE = "The other registry no longer lists it: what was copied stays"
LEFT_OUT = "repository_filters leave it out: what was copied stays"
TAKEN = "A repository of this name was here before: delete it or leave the name out by repository_filters"

NAME_REFUSED = "Its name is none that this registry takes"


class SourceKind(StrEnum):
    """The API by which another registry lists its repositories."""

    QUAY = "quay"
    HARBOR = "harbor"


class DiscoveredState(StrEnum):
    """What became of a discovered repository. Skipped: it is not, or no longer, mirrored."""

    MIRRORED = "mirrored"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class OrganizationMirrorSettings:
    """The settings of an organization's mirror. Times are in seconds, since the epoch for `start_at`.

    `url` is the other registry's, `source` has no reference: each repository has its own.
    """

    source: MirrorSource
    kind: SourceKind
    url: str
    namespace: str
    filters: tuple[str, ...]
    visibility: Visibility
    interval_s: int
    start_at: int
    timeout_s: int
    is_enabled: bool = True

    @property
    def reference(self) -> str:
        """What is mirrored, as records have it."""
        return f"{self.url}/{self.namespace}"

    def mirror_of(self, repository: str) -> MirrorSettings:
        """Returns the settings of one repository's mirror; `repository` is its name within the namespace."""
        reference = f"{urlsplit(self.url).netloc}/{self.namespace}/{repository}"
        source = replace(self.source, reference=reference)
        return MirrorSettings(source, ("*",), self.interval_s, self.start_at, self.timeout_s, self.is_enabled)

    def check(self) -> None:
        """Raises FieldInvalid for settings that contradict each other."""
        if urlsplit(self.url).scheme == "http" and self.source.verify_tls:
            raise FieldInvalid(URL, "http:// is asked only where external_registry_config.verify_tls is false")


FRESH = OrganizationMirrorSettings(
    MirrorSource(""), SourceKind.QUAY, "", "", (), Visibility.PRIVATE, interval_s=60, start_at=0, timeout_s=300
)


def parse_url(text: str) -> str:
    """Returns the address of another registry. Raises FieldInvalid, for a missing host with Quay's words."""
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if not parts.netloc or not host_of(text):
        raise FieldInvalid("", "URL must include a hostname")
    if parts.scheme not in ("https", "http") or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise FieldInvalid(URL, "say https://HOST or https://HOST:PORT, without a path")
    if not is_authority(parts.netloc):
        raise FieldInvalid(URL, "it has no valid host and port, and no user or password: these are fields")
    return f"{parts.scheme}://{parts.netloc}"


def parse_filters(patterns: Sequence[str]) -> tuple[str, ...]:
    """Returns patterns of names of repositories. Raises FieldInvalid."""
    if len(patterns) > MOST_FILTERS:
        raise FieldInvalid(FILTERS, f"a mirror has at most {MOST_FILTERS} patterns")
    for pattern in patterns:
        if pattern == EXCLUDES or len(pattern) > LONGEST_FILTER or not FILTER.fullmatch(pattern):
            raise FieldInvalid(
                FILTERS,
                f"{pattern[:80]!r} matches no repository: say a name or a pattern such as team-*, with '!' before"
                f" what is left out; at most {LONGEST_FILTER} characters",
            )
    return tuple(patterns)


def changed_fields(before: OrganizationMirrorSettings, after: OrganizationMirrorSettings) -> list[str]:
    """Returns the names of Quay's fields that differ."""
    then, now = _fields(before), _fields(after)
    return [name for name in then if then[name] != now[name]]


def _fields(settings: OrganizationMirrorSettings) -> Mapping[str, Any]:
    source = settings.source
    return {
        "is_enabled": settings.is_enabled,
        URL: settings.url,
        NAMESPACE: settings.namespace,
        "external_registry_username": source.username,
        "external_registry_password": source.password,
        "external_registry_config": (source.verify_tls, source.http_proxy, source.https_proxy, source.no_proxy),
        FILTERS: settings.filters,
        "visibility": settings.visibility,
        "sync_interval": settings.interval_s,
        "sync_start_date": settings.start_at,
        "skopeo_timeout": settings.timeout_s,
    }
