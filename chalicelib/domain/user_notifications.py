"""Notifications of a user."""

from collections.abc import Mapping
from dataclasses import dataclass

# A superuser set the user's password, e-mail address or role.
PASSWORD_SET, EMAIL_SET = "password_changed_by_superuser", "email_changed_by_superuser"
ROLE_SET = "role_changed_by_superuser"


@dataclass(frozen=True, slots=True)
class UserNotification:
    """A notification of a user; `created_at` is in seconds since the epoch."""

    uuid: str
    kind: str
    created_at: int
    metadata: Mapping[str, object]
    dismissed: bool = False
