"""What users are told in the application."""

from collections.abc import Mapping
from dataclasses import dataclass

# Somebody else gave the user a password, or an e-mail address.
PASSWORD_SET, EMAIL_SET = "password_changed_by_superuser", "email_changed_by_superuser"


@dataclass(frozen=True, slots=True)
class UserNotification:
    """One thing that a user is told; `created_at` is in seconds since the epoch."""

    uuid: str
    kind: str
    created_at: int
    metadata: Mapping[str, object]
    dismissed: bool = False
