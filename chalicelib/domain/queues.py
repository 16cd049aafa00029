"""The queues of messages, by what their readers do; infra/terraform/queues.json declares them."""

from enum import StrEnum


class QueueName(StrEnum):
    """A queue."""

    MIRRORS = "mirrors"
