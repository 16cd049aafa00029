"""Parses what a request gives of a mirror's settings, and says what it changes."""

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from chalicelib.domain.errors import FieldInvalid, MirrorInvalid
from chalicelib.domain.mirrors import ARCHITECTURES, EXCLUDES, MirrorSettings, MirrorSource
from chalicelib.domain.organization_mirrors import OrganizationMirrorSettings

DATE = "%Y-%m-%dT%H:%M:%SZ"
LONGEST_USERNAME, LONGEST_PASSWORD = 4096, 9000
# Python remembers 256 compiled patterns; each tag is compared with all of a mirror's.
MOST_PATTERNS, LONGEST_PATTERN = 200, 256
# The characters of tags, and those of patterns.
PATTERN = re.compile(r"!?[\w.\-*?\[\]!]+", re.ASCII)
# Stands for a password in answers and records.
MASK = "********"
PROXIES = ("http_proxy", "https_proxy")
# What a new mirror has where the request says nothing.
FRESH = MirrorSettings(MirrorSource(""), (), interval_s=0, start_at=0, timeout_s=300)


# Settings of a repository's mirror, or of an organization's.
S = TypeVar("S", MirrorSettings, OrganizationMirrorSettings)


@dataclass(frozen=True, slots=True)
class MirrorChanges:
    """The fields of settings and of their `MirrorSource` that a request gives; the others stay as they are.

    `robot` is the full name of the robot, None for the one that mirrors already.
    """

    settings: Mapping[str, Any]
    source: Mapping[str, Any] = field(repr=False)
    robot: str | None = None

    def apply(self, before: S) -> S:
        """Returns the changed settings. Raises MirrorInvalid for a proxy whose password is only the mask."""
        source = replace(before.source, **{**self.source, **self._proxies(before.source)})
        if not source.username:
            source = replace(source, password="")
        return replace(before, source=source, **self.settings)

    def _proxies(self, before: MirrorSource) -> dict[str, str]:
        """Returns the proxies whose address is what an answer said of the present one: these stay."""
        kept = {}
        for name in PROXIES:
            given = self.source.get(name, "")
            if MASK not in given:
                continue
            if given != masked(getattr(before, name)):
                raise MirrorInvalid(f"external_registry_config.proxy.{name}", f"say the password instead of {MASK}")
            kept[name] = getattr(before, name)
        return kept


def differences(before: MirrorSettings, after: MirrorSettings) -> list[tuple[str, object]]:
    """Returns the names of Quay's fields that differ, with their new values as the usage log has them."""
    pairs = zip(_fields(before), _fields(after), _fields(_without_passwords(after)), strict=True)
    return [(name, shown) for (name, was), (_, to), (_, shown) in pairs if was != to]


def _without_passwords(settings: MirrorSettings) -> MirrorSettings:
    source = settings.source
    return replace(
        settings,
        source=replace(
            source,
            password=source.password and MASK,
            http_proxy=masked(source.http_proxy),
            https_proxy=masked(source.https_proxy),
        ),
    )


def _fields(settings: MirrorSettings) -> list[tuple[str, object]]:
    source = settings.source
    return [
        ("is_enabled", settings.is_enabled),
        ("external_reference", source.reference),
        ("sync_start_date", date_text(settings.start_at)),
        ("sync_interval", settings.interval_s),
        ("skopeo_timeout_interval", settings.timeout_s),
        ("architecture_filter", list(settings.architectures)),
        ("external_registry_username", source.username or None),
        ("external_registry_password", source.password or None),
        ("verify_tls", source.verify_tls),
        ("unsigned_images", settings.unsigned_images),
        ("http_proxy", source.http_proxy or None),
        ("https_proxy", source.https_proxy or None),
        ("no_proxy", source.no_proxy or None),
        ("mirror_rule", list(settings.patterns)),
    ]


def masked(address: str) -> str:
    """Returns the address of a proxy without its password."""
    scheme, _, rest = address.partition("://")
    credentials, _, host = rest.rpartition("@")
    user, colon, _ = credentials.partition(":")
    return f"{scheme}://{user}:{MASK}@{host}" if colon else address


def parse_date(text: str) -> int:
    """Returns the seconds since the epoch of a date. Raises MirrorInvalid with Quay's words."""
    try:
        moment = datetime.datetime.strptime(text, DATE).replace(tzinfo=datetime.UTC)
    except ValueError:
        raise MirrorInvalid(
            "", "Incorrect DateTime format for sync_start_date. Say it like 2026-12-31T23:59:59Z."
        ) from None
    return int(moment.timestamp())


def date_text(seconds: int) -> str:
    """Returns a time in seconds since the epoch in the form of `sync_start_date`."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat().replace("+00:00", "Z")


def parse_patterns(patterns: Sequence[str]) -> tuple[str, ...]:
    """Returns patterns of tags. Raises FieldInvalid, where there are none with Quay's words."""
    if not patterns:
        raise FieldInvalid("", "validation failed: rule_value for TAG_GLOB_CSV must be a list with at least one rule")
    if len(patterns) > MOST_PATTERNS:
        raise FieldInvalid("root_rule.rule_value", f"a mirror has at most {MOST_PATTERNS} patterns")
    return tuple(_parse_pattern(pattern.strip()) for pattern in patterns)


def _parse_pattern(pattern: str) -> str:
    if pattern == EXCLUDES or len(pattern) > LONGEST_PATTERN or not PATTERN.fullmatch(pattern):
        raise FieldInvalid(
            "root_rule.rule_value",
            f"{pattern[:80]!r} matches no tag: say a tag or a pattern such as v1.*, one an entry, of letters, digits,"
            f" '_', '.', '-' and '*', '?', '[', ']', with '!' before what is excluded; at most {LONGEST_PATTERN}",
        )
    return pattern


def parse_architectures(names: Sequence[str] | None) -> tuple[str, ...]:
    """Returns architectures, each once. Raises MirrorInvalid for one that no image is made for."""
    unknown = sorted(set(names or ()) - set(ARCHITECTURES))
    if unknown:
        raise MirrorInvalid(
            "architecture_filter", f"{unknown[0][:80]!r} is not known: say some of {', '.join(ARCHITECTURES)}"
        )
    return tuple(dict.fromkeys(names or ()))


def parse_credentials(given: Mapping[str, str | None], *, is_new: bool) -> dict[str, str]:
    """Returns the username and the password that a request gives, empty ones where it says null.

    An empty text leaves what is stored, as a missing field does. Raises MirrorInvalid for a password without a
    username.
    """
    username, password = given.get("external_registry_username", ""), given.get("external_registry_password", "")
    if password and not username:
        is_deleted = username is None and not is_new
        raise MirrorInvalid(
            "",
            "Unable to delete username while setting a password."
            if is_deleted
            else "Unable to set a new password without also specifying a username.",
        )
    _check_length("external_registry_username", username, LONGEST_USERNAME)
    _check_length("external_registry_password", password, LONGEST_PASSWORD)
    if username and ":" in username:
        raise MirrorInvalid("external_registry_username", "a username has no ':' (RFC 7617): the password is a field")
    found = {"username": username, "password": password}
    return {name: value or "" for name, value in found.items() if value != ""}


def _check_length(name: str, value: str | None, most: int) -> None:
    if len(value or "") > most:
        raise MirrorInvalid(name, f"it has at most {most} characters")
