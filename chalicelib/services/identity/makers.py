"""Finds the OAuth token with which an actor creates another token, and hands down its limits.

What is created has no more scopes than its maker, lasts no longer, and ends with it and with all tokens before it.
"""

from dataclasses import dataclass

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.permissions import Actor
from chalicelib.services.security.access import refusal
from chalicelib.storage.identity.tokens import TokenKind, TokenRow, TokenStore

# How many tokens may have been created one with the other: each write with the last one reads them all.
MOST_GENERATIONS = 5


@dataclass(frozen=True, slots=True)
class Maker:
    """The token that creates another one; `row` is None for a session, which has all rights of its user."""

    row: TokenRow | None = None

    @property
    def made_with(self) -> str | None:
        """The uuids that the new token depends on: the maker's and those of its own makers."""
        return " ".join([self.row.uuid, *self.row.makers]) if self.row else None

    def end(self, requested: int | None) -> int | None:
        """Returns when the new token ends, None for never: as requested, but no later than the maker."""
        ends = [requested, self.row.expires_at if self.row else None]
        return min((end for end in ends if end is not None), default=None)


SESSION = Maker()


def maker_of(tokens: TokenStore, actor: Actor) -> Maker:
    """Returns the maker of a token that an actor creates. Raises Unauthenticated, Denied, FieldInvalid."""
    if actor.scopes is None:
        return SESSION
    row = tokens.of_account(actor.account_id or "", TokenKind.OAUTH, actor.token)
    if row is None:
        raise refusal(actor, actor.name, "do this as")
    if len(row.makers) + 1 > MOST_GENERATIONS:
        why = f"at most {MOST_GENERATIONS} tokens may have been created one with the other: use an earlier one"
        raise FieldInvalid("", why)
    return Maker(row)
