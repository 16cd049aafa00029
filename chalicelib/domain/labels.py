"""Labels of manifests: those that came with the image, which never change, and those that a user added."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import DataInvalid
from chalicelib.domain.expiry_labels import EXPIRES_AFTER
from chalicelib.domain.tags import FOREVER, parse_expiry

# Where a label comes from, in Quay's words.
MANIFEST, API = "manifest", "api"
PLAIN, JSON = "text/plain", "application/json"
MEDIA_TYPES = (PLAIN, JSON)
KEY = re.compile(r"[a-z0-9]+(?:[-.][a-z0-9]+)*")
LONGEST_KEY, LONGEST_VALUE = 255, 4096
# Prefixes reserved for registries, runtimes and orchestrators. Users may add only the keys in TAKEN among them.
RESERVED = (
    "com.docker.", "io.docker.", "org.dockerproject.", "org.opencontainers.", "io.cncf.", "io.kubernetes.", "io.k8s.",
    "io.quay", "com.coreos", "com.tectonic", "internal", "quay",
)  # fmt: skip
TAKEN = (EXPIRES_AFTER,)


@dataclass(frozen=True, slots=True)
class Label:
    """A label; `source` is MANIFEST or API."""

    id: str
    key: str
    value: str
    source: str
    media_type: str


@dataclass(frozen=True, slots=True)
class NewLabel:
    """A label that a user wants to add; without a media type, its value decides."""

    key: str
    value: str
    media_type: str | None = None

    @property
    def kind(self) -> str:
        """The media type of the label."""
        return self.media_type or kind_of(self.value)

    def check(self) -> None:
        """Raises FieldInvalid, naming the field, if the label cannot be accepted."""
        if len(self.key) > LONGEST_KEY or not KEY.fullmatch(self.key):
            raise DataInvalid("key", f"use up to {LONGEST_KEY} of a-z and 0-9, with single '-' and '.' between them")
        if self.key.startswith(RESERVED) and self.key not in TAKEN:
            raise DataInvalid("key", "Label has a reserved prefix")
        if len(self.value) > LONGEST_VALUE:
            raise DataInvalid("value", f"it has at most {LONGEST_VALUE} characters")
        if self.kind not in MEDIA_TYPES:
            raise DataInvalid("media_type", f"use one of {', '.join(MEDIA_TYPES)}")

    def life_s(self, now: int) -> int | None:
        """Returns the seconds that tags live by this label, None if it is not about expiry. Raises FieldInvalid."""
        if self.key != EXPIRES_AFTER:
            return None
        seconds = parse_expiry(self.value)
        if seconds is None or now + seconds >= FOREVER:
            raise DataInvalid("value", "use a number from 1 up and s, m, h, d, w or y, as in 2w")
        return seconds


def of_image(digest: Digest, labels: Mapping[str, str], annotations: Mapping[str, str]) -> list[Label]:
    """Returns the labels that came with an image. Annotations take precedence; the ids never change."""
    texts = {**labels, **annotations}
    return [
        Label(str(uuid5(NAMESPACE_URL, f"{digest}#{key}")), key, value, MANIFEST, kind_of(value))
        for key, value in texts.items()
    ]


def kind_of(value: str) -> str:
    """Returns the media type of a value that comes without one: JSON for an object or a list, else plain text."""
    if value[:1] not in ("{", "["):
        return PLAIN
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return PLAIN
    return JSON
