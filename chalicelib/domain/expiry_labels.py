"""The label `quay.expires-after` of an image, and the expiration that it gives to the image's tags.

It is a label in an image's config, or an annotation of a manifest or an index. Times are in seconds since the epoch.
"""

import datetime
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chalicelib.domain.tags import FOREVER, parse_expiry

EXPIRES_AFTER = "quay.expires-after"
# The value of the label by which an image says that it does not expire.
NEVER = "never"
# The moment from which a label counts: the push, or the build of the image.
SOURCES = PUSH, BUILD = ("push", "build")
# RFC 3339 with any fraction of a second: https://github.com/opencontainers/image-spec/blob/main/config.md
MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)")
LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Lifetime:
    """The label as it was written, and when the image was built; None for what is missing."""

    label: str | None = None
    built_at: int | None = None


@dataclass(frozen=True, slots=True)
class Expiration:
    """The end of a tag, None if it never ends; and a warning for the pusher, or an empty text."""

    end: int | None = None
    warning: str = ""


def of_config(config: bytes) -> Lifetime:
    """Returns the lifetime that an image's config states; an empty one if the content is no config."""
    try:
        document = json.loads(config)
    except (ValueError, RecursionError):
        return Lifetime()
    if not isinstance(document, dict):
        return Lifetime()
    for holder in ("config", "container_config"):
        settings = document.get(holder)
        labels = settings.get("Labels") if isinstance(settings, dict) else None
        label = labels.get(EXPIRES_AFTER) if isinstance(labels, dict) else None
        if isinstance(label, str):
            return Lifetime(label, moment(document.get("created")))
    return Lifetime()


def of_image(annotations: Mapping[str, str], config: Lifetime) -> Lifetime:
    """Returns the lifetime of an image: the manifest's annotation, or else the label of its config."""
    return Lifetime(annotations.get(EXPIRES_AFTER, config.label), config.built_at)


def of_index(annotations: Mapping[str, str], children: Iterable[Lifetime]) -> Lifetime:
    """Returns the lifetime of an index: its annotation, or else the label of its children if all have the same.

    Children without a label, such as attestations, do not count.
    """
    labelled = [child for child in children if child.label is not None]
    built_at = max((child.built_at for child in labelled if child.built_at is not None), default=None)
    labels = {child.label for child in labelled}
    return Lifetime(annotations.get(EXPIRES_AFTER, labels.pop() if len(labels) == 1 else None), built_at)


def expiration(lifetime: Lifetime, now: int, source: str = PUSH) -> Expiration:
    """Returns the end of a tag that is pushed now, none for a label that says never.

    A label that cannot be read or has run out gives a warning only.
    """
    if lifetime.label is None or lifetime.label.strip().lower() == NEVER:
        return Expiration()
    seconds = parse_expiry(lifetime.label)
    if seconds is None or now + seconds >= FOREVER:
        return Expiration(
            None, f"{_header_text(lifetime.label)} is ignored: use a number from 1 up and s, m, h, d, w or y, as in 2w"
        )
    built_at = lifetime.built_at
    start = built_at if source == BUILD and built_at and 0 < built_at <= now else now
    if start + seconds <= now:
        return Expiration(
            now, f"{_header_text(lifetime.label)} had run out when this was pushed: the tag is in the Time Machine"
        )
    return Expiration(start + seconds)


def _header_text(label: str) -> str:
    """Returns the label in a form that an HTTP header can hold."""
    text = "".join(sign for sign in json.dumps(label[:LONGEST_SHOWN]) if sign not in '\\"')
    return f"{EXPIRES_AFTER}={text}"


def moment(text: object) -> int | None:
    """Returns the seconds since the epoch of an RFC 3339 text; None if it is not one."""
    found = MOMENT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    try:
        return int(datetime.datetime.fromisoformat(found[1] + found[2].replace("Z", "+00:00")).timestamp())
    except (ValueError, OverflowError):
        return None
