"""What a relay has to say when it cannot go on."""

import requests


class RelayError(Exception):
    """One sentence that names the thing and the remedy."""


class Unavailable(RelayError):
    """The registry or the bucket did not answer, or asked for patience: the same again later may do."""


class Cut(RelayError):
    """The client went away before its body was whole."""


class BadRequest(Cut):
    """A request whose body nobody can tell the end of: as good as cut, but its client can be told."""


class Refused(Exception):
    """The registry's own answer to something it would not do, to be handed on as it is."""

    def __init__(self, answer: requests.Response) -> None:
        super().__init__(f"the registry answered {answer.status_code}{reasons(answer)}")
        self.status, self.body, self.headers = answer.status_code, answer.content, answer.headers


def reasons(answer: requests.Response) -> str:
    """What an error of the specification's format says, as the end of a sentence."""
    try:
        errors = answer.json()["errors"]
        return ": " + "; ".join(f"{error['code']} {error.get('message', '')}".strip() for error in errors)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
