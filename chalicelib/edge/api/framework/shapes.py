"""Shapes that many answers of the API share: avatars and dates."""

import colorsys
import hashlib
from email.utils import formatdate

from chalicelib.edge.api.framework.operations import TEXT, an_object

AVATAR = an_object({"name": TEXT, "hash": TEXT, "color": TEXT, "kind": TEXT})


def avatar(name: str, kind: str) -> dict[str, str]:
    """Returns the avatar of somebody or something; `kind` is user, robot, team, org or app."""
    digest = hashlib.sha256(f"{kind}/{name}".encode()).hexdigest()
    hue = int(digest[:4], 16) / 0xFFFF
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue, 0.45, 0.5))
    return {"name": name, "hash": digest, "color": f"#{red:02x}{green:02x}{blue:02x}", "kind": kind}


def date(seconds: float | None) -> str | None:
    """Returns a time in seconds since the epoch as Quay writes it: RFC 2822 with `-0000`; None stays None."""
    return None if seconds is None else formatdate(seconds)


def iso(seconds: float | None) -> str | None:
    """Returns a time in seconds since the epoch as Quay writes a few of them: ISO 8601 with `Z`; None stays None."""
    import datetime

    if seconds is None:
        return None
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC).isoformat().replace("+00:00", "Z")
