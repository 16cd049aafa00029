"""What OAuth's endpoints ask and answer."""

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.domain.applications import Application


@dataclass(frozen=True, slots=True)
class ConsentAnswer:
    """What an endpoint answers: a redirect, or a document."""

    status: int
    document: Mapping[str, object]
    location: str = ""


@dataclass(frozen=True, slots=True)
class Consent:
    """What a user is asked: may this application do that?

    `is_given` where the same was allowed before and is harmless.
    """

    application: Application
    scopes: tuple[str, ...]
    is_given: bool
