"""The queues of messages, by what their readers do. The functions that read them declare them (ADR 0016)."""

from enum import StrEnum


class QueueName(StrEnum):
    """A queue."""

    MIRRORS = "mirrors"
