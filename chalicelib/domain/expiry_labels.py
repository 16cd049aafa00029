"""What an image says of how long its tags live, and the end that follows from it.

`quay.expires-after` is a label of an image's config, or an annotation of a manifest or an index. Times are in seconds
since the epoch.
"""

import datetime
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chalicelib.domain.tags import FOREVER, parse_expiry

EXPIRES_AFTER = "quay.expires-after"
# From when a label counts: the push, or the moment at which the image was built.
SOURCES = PUSH, BUILD = ("push", "build")
# RFC 3339, with whatever fraction of a second: https://github.com/opencontainers/image-spec/blob/main/config.md
MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)")
LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Lifetime:
    """The label as it was written, and when the image was built; None for what is not said."""

    label: str | None = None
    built_at: int | None = None


@dataclass(frozen=True, slots=True)
class Expiration:
    """The end of a tag, None for none; and what its pusher is to be told, empty for nothing."""

    end: int | None = None
    warning: str = ""


def of_config(config: bytes) -> Lifetime:
    """What an image's config says; nothing where it is no config."""
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
    """What an image says: its manifest's annotation before the label of its config."""
    return Lifetime(annotations.get(EXPIRES_AFTER, config.label), config.built_at)


def of_index(annotations: Mapping[str, str], children: Iterable[Lifetime]) -> Lifetime:
    """What an index says: by its annotation, or by its children, when those that say anything agree.

    Attestations among them carry no label, and do not count.
    """
    said = [child for child in children if child.label is not None]
    built_at = max((child.built_at for child in said if child.built_at is not None), default=None)
    labels = {child.label for child in said}
    return Lifetime(annotations.get(EXPIRES_AFTER, labels.pop() if len(labels) == 1 else None), built_at)


def expiration(said: Lifetime, now: int, source: str = PUSH) -> Expiration:
    """The end of a tag that is pushed now. A label that cannot be read, or has run out, warns and fails nothing."""
    if said.label is None:
        return Expiration()
    seconds = parse_expiry(said.label)
    if seconds is None or now + seconds >= FOREVER:
        return Expiration(
            None, f"{_shown(said.label)} is ignored: say a number from 1 up and s, m, h, d, w or y, as in 2w"
        )
    start = said.built_at if source == BUILD and said.built_at and 0 < said.built_at <= now else now
    if start + seconds <= now:
        return Expiration(now, f"{_shown(said.label)} had run out when this was pushed: the Time Machine has it")
    return Expiration(start + seconds)


def _shown(label: str) -> str:
    """The label as a header can hold it."""
    text = "".join(sign for sign in json.dumps(label[:LONGEST_SHOWN]) if sign not in '\\"')
    return f"{EXPIRES_AFTER}={text}"


def moment(text: object) -> int | None:
    """The second that a text names; None for one that names none."""
    found = MOMENT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    try:
        return int(datetime.datetime.fromisoformat(found[1] + found[2].replace("Z", "+00:00")).timestamp())
    except (ValueError, OverflowError):
        return None
