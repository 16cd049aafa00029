"""Tokens of applications that somebody is offered: whoever takes one says yes to it as to any other."""

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.domain.applications import Application
from chalicelib.domain.errors import ScopeInvalid
from chalicelib.domain.scopes import parse_scopes

KINDS = ("token", "code")


@dataclass(frozen=True, slots=True)
class Assignment:
    """An offer to a user."""

    uuid: str
    application: Application
    redirect_uri: str
    scopes: tuple[str, ...]
    response_type: str

    def answers(self, asked: Mapping[str, str]) -> bool:
        """Whether it is this that an application asks for, and nothing more."""
        try:
            scopes = parse_scopes(asked.get("scope", ""))
        except ScopeInvalid:
            return False
        return (
            asked.get("client_id") == self.application.client_id
            and asked.get("redirect_uri") == self.redirect_uri
            and asked.get("response_type") == self.response_type
            and scopes == frozenset(self.scopes)
        )
