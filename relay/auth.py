"""Requests to a registry in somebody's name, with tokens for one repository."""

import base64
import io
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.cookiejar import DefaultCookiePolicy
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter

from relay.errors import Refused, RelayError, Unavailable, reasons
from relay.retries import Patience

WORD = re.compile(r'(\w+)="([^"]*)"')
# Seconds to connect and to wait for an answer.
TIMEOUT_S = (5, 60)
# What a token lives at least (https://distribution.github.io/distribution/spec/auth/token/), in seconds.
LIFE_S = 60
NO_HEADERS: Mapping[str, str] = {}
# The client's own, and what CloudFront adds: that a request came through it, and from which address.
SHOWN = ("Authorization", "Origin-Secret", "Viewer-Address")
# Connections that are kept for the next request, for each host.
KEPT = 32


@dataclass(frozen=True, slots=True)
class Credentials:
    """Headers that prove who asks."""

    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, headers: Message) -> "Credentials":
        """Those among a request's headers, which know their names in any case."""
        return cls({name: value for name in SHOWN if (value := headers.get(name))})

    @classmethod
    def authorization(cls, value: str) -> "Credentials":
        """A header's value alone; none where it is empty."""
        return cls({"Authorization": value} if value else {})

    def prolonged(self, granted: Mapping[str, Any]) -> "Credentials":
        """The same with the token of a grant, which is good until the upload ends."""
        bearer = granted.get("bearer")
        return Credentials({**self.headers, "Authorization": f"Bearer {bearer}"}) if bearer else self


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


class Account:
    """A user, or the anonymous with an empty name, who pushes into one repository; for several threads at once."""

    def __init__(
        self, session: requests.Session, url: str, user: str, password: str, repository: str, patience_s: float
    ) -> None:
        self._session, self._url, self._repository, self._patience_s = session, url, repository, patience_s
        self._user, self._password = user, password
        self._lock, self._shown, self._until = threading.Lock(), Credentials(), 0.0

    def credentials(self) -> Credentials:
        """Those of the moment: a token that is good for a while yet. Raises Refused."""
        with self._lock:
            # By the wall's clock: a machine that slept comes back with a token that grew old.
            if time.time() > self._until:
                header, life_s = Patience(self._patience_s).over(self._sign_in)
                self._shown = Credentials.authorization(header)
                self._until = time.time() + life_s * 0.6
            return self._shown

    def _sign_in(self) -> tuple[str, float]:
        challenge = self._get(f"{self._url}/v2/", {}).headers.get("WWW-Authenticate", "")
        scheme, words = challenge.partition(" ")[0].lower(), dict(WORD.findall(challenge))
        basic = base64.b64encode(f"{self._user}:{self._password}".encode()).decode("ascii")
        mine = {"Authorization": f"Basic {basic}"} if self._user else {}
        if scheme != "bearer":
            return (mine.get("Authorization", "") if scheme == "basic" else ""), LIFE_S
        realm = urljoin(self._url, words.get("realm", ""))
        if urlsplit(realm).netloc != urlsplit(self._url).netloc and urlsplit(realm).scheme != "https":
            raise RelayError(f"the registry wants the password sent to {realm}, unencrypted: it was not sent")
        scope = f"repository:{self._repository}:pull,push"
        answer = self._get(f"{realm}?{urlencode({'service': words.get('service', ''), 'scope': scope})}", mine)
        if answer.status_code != requests.codes.ok:
            raise Refused(answer)
        told = answer.json()
        life_s = float(told.get("expires_in", LIFE_S))
        return f"Bearer {told.get('token') or told['access_token']}", life_s

    def _get(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        return _soon(self._session.get(url, headers=dict(headers), timeout=TIMEOUT_S, allow_redirects=False))

    def ask(
        self,
        method: str,
        target: str,
        accepted: tuple[int, ...],
        content: bytes = b"",
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> requests.Response:
        """A request for path and query `target`. Raises Refused at any status not `accepted`."""

        def attempt() -> requests.Response:
            mine = self.credentials().headers
            return _soon(
                self._session.request(
                    method,
                    urljoin(self._url, target),
                    data=io.BytesIO(content) if content else b"",
                    headers={**headers, **mine},
                    timeout=TIMEOUT_S,
                    allow_redirects=False,
                )
            )

        answer = Patience(self._patience_s).over(attempt)
        if answer.status_code == requests.codes.unauthorized:
            self._until = 0.0
            answer = Patience(self._patience_s).over(attempt)
        if answer.status_code not in accepted:
            raise Refused(answer)
        return answer


def _soon(answer: requests.Response) -> requests.Response:
    """The answer, unless it asks to come again. Raises Unavailable."""
    if answer.status_code == requests.codes.too_many_requests or answer.status_code >= 500:
        raise Unavailable(f"the registry answered {answer.status_code}{reasons(answer)}")
    return answer
