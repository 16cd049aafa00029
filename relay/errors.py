"""What a relay has to say when it cannot go on."""

import requests


class RelayError(Exception):
    """One sentence that names the thing and the remedy."""


class Unavailable(RelayError):
    """The registry or the bucket did not answer, or asked for patience: the same again later may do."""


class ClientLeft(RelayError):
    """The client went away before its body was whole."""


class BadRequest(ClientLeft):
    """A request whose body nobody can tell the end of: as good as cut, but its client can be told."""


class Refused(Exception):
    """The registry's own answer to something it would not do, to be handed on as it is."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__(f"the registry answered {response.status_code}{reasons(response)}")
        self.status, self.body, self.headers = response.status_code, response.content, response.headers


def reasons(response: requests.Response) -> str:
    """What an error of the specification's format says, as the end of a sentence."""
    try:
        errors = response.json()["errors"]
        return ": " + "; ".join(f"{error['code']} {error.get('message', '')}".strip() for error in errors)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
