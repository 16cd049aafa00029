"""The one error of the local stack whose message is written for its operator."""


class StackError(Exception):
    """The stack cannot start or go on; the message is one sentence that names the cause and the remedy."""
