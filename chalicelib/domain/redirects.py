"""Where an OAuth application's users are sent back to."""

from urllib.parse import urlsplit

from chalicelib.domain.errors import FieldInvalid

LONGEST = 2000
# The registry's own page that shows a token to whoever made it: every application may redirect there.
LOCAL_PAGE = "/oauth/localapp"
# Behind https, plain http leads nowhere but to the user's own machine (RFC 8252 section 7.3).
LOCAL = ("localhost", "127.0.0.1", "[::1]")


def parse_redirect(text: str, *, is_plain: bool = False) -> str:
    """An address to redirect to: https with a host, or http on this machine; no fragment, no user.

    `is_plain` is for a registry that is served over http itself, and lets http lead anywhere. Raises FieldInvalid.
    """
    try:
        parts = urlsplit(text)
        host = parts.netloc.rpartition(":")[0] if parts.port else parts.netloc
    except ValueError:
        raise FieldInvalid("redirect_uri", "it is no address") from None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and (is_plain or host in LOCAL))
    if not is_safe or not parts.netloc or "@" in parts.netloc or parts.fragment or len(text) > LONGEST or "\\" in text:
        raise FieldInvalid("redirect_uri", "say https://HOST/PATH without a fragment, or http://localhost:PORT/PATH")
    return text
