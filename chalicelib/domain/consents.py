"""Consents, and the responses of OAuth's endpoints."""

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.domain.applications import Application


@dataclass(frozen=True, slots=True)
class ConsentAnswer:
    """The response of an OAuth endpoint: a redirect to `location`, or a document."""

    status: int
    document: Mapping[str, object]
    location: str = ""


@dataclass(frozen=True, slots=True)
class Consent:
    """The question whether an application may have some scopes.

    `is_given` is true if the user allowed the same before and it is harmless.
    """

    application: Application
    scopes: tuple[str, ...]
    is_given: bool
