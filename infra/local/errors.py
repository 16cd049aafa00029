"""The one error of the local stack that a person is meant to read."""


class StackError(Exception):
    """Why the stack cannot start or go on: one sentence that names the thing and the remedy."""
