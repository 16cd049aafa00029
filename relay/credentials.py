"""What a request shows of who sent it, for the requests that a relay makes for the same client."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

# The client's own, and what CloudFront adds: that a request came through it, and from which address.
SHOWN = ("Authorization", "Origin-Secret", "Viewer-Address")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Headers that prove who asks."""

    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, headers: Message) -> "Credentials":
        """Those among a request's headers, which know their names in any case."""
        return cls({name: value for name in SHOWN if (value := headers.get(name))})

    @classmethod
    def authorization(cls, value: str) -> "Credentials":
        """A header's value alone; none where it is empty."""
        return cls({"Authorization": value} if value else {})

    def prolonged(self, granted: Mapping[str, Any]) -> "Credentials":
        """The same with the token of a grant, which is good until the upload ends."""
        bearer = granted.get("bearer")
        return Credentials({**self.headers, "Authorization": f"Bearer {bearer}"}) if bearer else self
