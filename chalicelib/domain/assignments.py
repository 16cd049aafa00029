"""Assignments: an application's tokens that a user is offered. The user accepts one on the usual consent page."""

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.domain.applications import Application
from chalicelib.domain.errors import ScopeInvalid
from chalicelib.domain.scopes import parse_scopes

KINDS = ("token", "code")


@dataclass(frozen=True, slots=True)
class Assignment:
    """A token that a user is offered."""

    uuid: str
    application: Application
    redirect_uri: str
    scopes: tuple[str, ...]
    response_type: str

    def answers(self, query: Mapping[str, str]) -> bool:
        """Whether an authorization request (its query parameters) asks for exactly this token."""
        try:
            scopes = parse_scopes(query.get("scope", ""))
        except ScopeInvalid:
            return False
        return (
            query.get("client_id") == self.application.client_id
            and query.get("redirect_uri") == self.redirect_uri
            and query.get("response_type") == self.response_type
            and scopes == frozenset(self.scopes)
        )
