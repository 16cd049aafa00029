"""Signs and verifies the registry's own JWTs with ES256. Each is for one use, which its `typ` header names.

https://www.rfc-editor.org/rfc/rfc8725#name-use-explicit-typing
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chalicelib.domain.errors import Unauthenticated
from chalicelib.domain.ids import ulid
from chalicelib.services.security import es256

# The clocks of two machines differ.
LEEWAY_S = 30


class Signing:
    """Signs with the first key and accepts all. `issuer` is the registry's URL, `audience` its host and port."""

    def __init__(
        self, keys: Sequence[Mapping[str, Any]], issuer: str, audience: str, clock: Callable[[], float] = time.time
    ) -> None:
        parsed = [es256.Key.of(key) for key in keys]
        self._current, self._ring = parsed[0], {key.kid: key for key in parsed}
        self.issuer, self.audience, self._clock = issuer, audience, clock

    def sign(self, use: str, claims: Mapping[str, Any], now: float, life_s: int) -> str:
        """Returns a token for one use that lives `life_s` seconds from `now`."""
        registered = {
            "iss": self.issuer,
            "aud": self.audience,
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now) + life_s,
        }
        return self._current.sign({"typ": use}, {**registered, "jti": ulid(now), **claims})

    def verify(self, use: str, text: str) -> Mapping[str, Any]:
        """Returns the claims of a token.

        Raises Unauthenticated for a foreign token, another use, or one not valid now.
        """
        try:
            header, claims = es256.read(text, self._ring)
        except ValueError as error:
            raise Unauthenticated("the token is not one of ours", "invalid_token") from error
        is_ours = header.get("typ") == use and claims.get("iss") == self.issuer
        if not is_ours or claims.get("aud") != self.audience:
            raise Unauthenticated("the token is for another use or registry", "invalid_token")
        if claims["nbf"] > self._clock() + LEEWAY_S:
            raise Unauthenticated("the token is not valid yet", "invalid_token")
        if claims["exp"] <= self._clock():
            raise Unauthenticated("the token has expired: get a new one", "invalid_token")
        return claims
