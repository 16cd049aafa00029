"""Redirect addresses of OAuth applications."""

from urllib.parse import urlsplit

from chalicelib.domain.errors import FieldInvalid

LONGEST = 2000
# The registry's own page that shows a new token to its creator: every application may redirect there.
LOCAL_PAGE = "/oauth/localapp"
# If the registry is served over https, plain http may lead only to the user's own machine (RFC 8252 section 7.3).
LOCAL = ("localhost", "127.0.0.1", "[::1]")


def parse_redirect(text: str, *, is_plain: bool = False) -> str:
    """Checks an address to redirect to: https to any host, or http to the user's machine; no fragment, no user.

    It consists of printable ASCII, because browsers and headers read everything else in ways of their own.
    With `is_plain`, for a registry that is itself served over http, http may lead anywhere. Raises FieldInvalid.
    """
    if not text.isascii() or not text.isprintable() or " " in text:
        raise FieldInvalid("redirect_uri", "use printable ASCII without blanks: encode other characters with %")
    try:
        parts = urlsplit(text)
        host = parts.netloc.rpartition(":")[0] if parts.port else parts.netloc
    except ValueError:
        raise FieldInvalid("redirect_uri", "it is not a valid address") from None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and (is_plain or host in LOCAL))
    if not is_safe or not parts.netloc or "@" in parts.netloc or parts.fragment or len(text) > LONGEST or "\\" in text:
        raise FieldInvalid("redirect_uri", "use https://HOST/PATH without a fragment, or http://localhost:PORT/PATH")
    return text
