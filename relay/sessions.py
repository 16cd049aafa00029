"""HTTP sessions as the relay needs them."""

from http.cookiejar import DefaultCookiePolicy
from ipaddress import ip_address
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

# Connections that are kept for the next request, for each host.
KEPT = 32


def session_for(url: str) -> requests.Session:
    """A session to the host of `url`: by the environment's proxies unless that is this machine, and without .netrc."""
    session = requests.Session()
    session.trust_env = not is_loopback(urlsplit(url).hostname or "")
    # With an authentication of its own, requests leaves .netrc alone; this one adds nothing.
    session.auth = _as_it_is
    # Nor does it keep cookies: one client's would go out with another's request.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # Answers are handed on, and shall be what their headers say.
    session.headers["Accept-Encoding"] = "identity"
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=KEPT))
    return session


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
