"""Global messages, which everybody sees."""

from dataclasses import dataclass

from chalicelib.domain.errors import FieldInvalid

SEVERITIES = ("info", "warning", "error")
MEDIA_TYPES = ("text/plain", "text/markdown")
# Every page shows all messages, so they stay short.
LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Message:
    """A superuser's message to everybody."""

    uuid: str
    content: str
    severity: str
    media_type: str


def check_message(content: str, severity: str, media_type: str) -> None:
    """Raises FieldInvalid, naming the field, if a message is not valid."""
    if not 1 <= len(content) <= LONGEST:
        raise FieldInvalid("content", f"a message has 1 to {LONGEST} characters")
    if severity not in SEVERITIES:
        raise FieldInvalid("severity", f"use one of {', '.join(SEVERITIES)}")
    if media_type not in MEDIA_TYPES:
        raise FieldInvalid("media_type", f"use one of {', '.join(MEDIA_TYPES)}")
