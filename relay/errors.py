"""Errors of the relay."""

import requests


class RelayError(Exception):
    """The message is one sentence that names the problem and the remedy."""


class Unavailable(RelayError):
    """The registry or the bucket did not respond, or asked to try again later."""


class NoRoom(RelayError):
    """The body would exceed the quota of its namespace."""

    def __init__(self, room: int) -> None:
        super().__init__(f"the namespace's quota has room for {room} bytes of this upload: ask for more")


class NoPlace(RelayError):
    """The relay receives as many bodies as it can."""

    def __init__(self) -> None:
        super().__init__("the relay receives as many layers as it can: try again, or give it more tasks")


class ClientLeft(RelayError):
    """The client disconnected before its body was complete."""


class BadRequest(ClientLeft):
    """The end of the request body cannot be determined. The client is still connected, so it gets a response."""


class Refused(Exception):
    """The registry refused a request; its response is forwarded unchanged."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__(f"the registry answered {response.status_code}{reasons(response)}")
        self.status, self.body, self.headers = response.status_code, response.content, response.headers


def reasons(response: requests.Response) -> str:
    """Returns the messages of a response in the specification's error format, as the end of a sentence."""
    try:
        errors = response.json()["errors"]
        return ": " + "; ".join(f"{error['code']} {error.get('message', '')}".strip() for error in errors)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
