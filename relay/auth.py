"""Authentication: the client's credentials, HTTP sessions, and a client with a token for one repository."""

import base64
import io
import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from email.message import Message
from http.cookiejar import DefaultCookiePolicy
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter

from relay.errors import Refused, RelayError, Unavailable, reasons
from relay.retries import Backoff

CHALLENGE_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
# The seconds to wait for a connection, and for a response.
TIMEOUT_S = (5, 60)
# The shortest life of a token in seconds (https://distribution.github.io/distribution/spec/auth/token/).
MIN_TOKEN_LIFE_S = 60
NO_HEADERS: Mapping[str, str] = {}
# The client's own header, and the two by which CloudFront proves itself and names the client's address.
PROOF_HEADERS = ("Authorization", "Origin-Secret", "Viewer-Address")
# The number of connections to each host that are kept open for later requests.
POOL_SIZE = 32


@dataclass(frozen=True, slots=True)
class Credentials:
    """The headers that prove who sends a request."""

    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_request(cls, headers: Message) -> "Credentials":
        """Picks these headers from a request; names match in any case."""
        return cls({name: value for name in PROOF_HEADERS if (value := headers.get(name))})

    @classmethod
    def from_authorization(cls, value: str) -> "Credentials":
        """Makes credentials of an Authorization header; they are empty if `value` is."""
        return cls({"Authorization": value} if value else {})

    @property
    def subject(self) -> str:
        """The account that the access token names, empty without one.

        It only shares out places: the registry verifies the token before a part is sent.
        """
        claims = self.headers.get("Authorization", "").split(".")[1:2]
        try:
            document = json.loads(base64.urlsafe_b64decode(f"{claims[0]}==")) if claims else {}
        except (ValueError, RecursionError):
            document = {}
        return str(document.get("sub", "")) if isinstance(document, dict) else ""

    def with_upload_token(self, presigned: Mapping[str, Any]) -> "Credentials":
        """Returns the same headers with the token in `presigned`, which is valid until the upload ends."""
        bearer = presigned.get("bearer")
        return Credentials({**self.headers, "Authorization": f"Bearer {bearer}"}) if bearer else self


def session_for(url: str) -> requests.Session:
    """Returns a session for the host of `url`, without .netrc and cookies.

    It uses the proxies of the environment unless the host is this machine.
    """
    session = requests.Session()
    session.trust_env = not is_loopback(urlsplit(url).hostname or "")
    # requests reads .netrc unless a session has its own authentication; this one changes nothing.
    session.auth = _unchanged
    # Cookies are not kept, because one client's would be sent with another's request.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # Responses are forwarded, so their bodies must be encoded as their headers say.
    session.headers["Accept-Encoding"] = "identity"
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=POOL_SIZE))
    return session


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def is_loopback(host: str) -> bool:
    """Returns whether a host name or address is this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@dataclass(frozen=True)
class PushTarget:
    """A repository of the registry at `url`, and the user who pushes into it, anonymous if `user` is empty."""

    url: str
    repository: str
    user: str
    password: str


class RepositoryClient:
    """Sends requests to push into one repository, for at most `patience_s` seconds each; it is thread-safe."""

    def __init__(self, session: requests.Session, target: PushTarget, patience_s: float) -> None:
        self._session, self._patience_s = session, patience_s
        self._url, self._repository, self._user, self._password = astuple(target)
        self._lock, self._current, self._valid_until = threading.Lock(), Credentials(), 0.0

    def credentials(self) -> Credentials:
        """Returns credentials with a token that is valid for some time. Raises Refused."""
        with self._lock:
            # The wall clock counts the time that the machine was suspended, during which a token expires too.
            if time.time() > self._valid_until:
                header, life_s = Backoff(self._patience_s).run(self._sign_in)
                self._current = Credentials.from_authorization(header)
                self._valid_until = time.time() + life_s * 0.6
            return self._current

    def _sign_in(self) -> tuple[str, float]:
        challenge = self._get(f"{self._url}/v2/", {}).headers.get("WWW-Authenticate", "")
        scheme, parameters = challenge.partition(" ")[0].lower(), dict(CHALLENGE_PARAMETER.findall(challenge))
        basic = base64.b64encode(f"{self._user}:{self._password}".encode()).decode("ascii")
        authorization = {"Authorization": f"Basic {basic}"} if self._user else {}
        if scheme != "bearer":
            return (authorization.get("Authorization", "") if scheme == "basic" else ""), MIN_TOKEN_LIFE_S
        realm = urljoin(self._url, parameters.get("realm", ""))
        if urlsplit(realm).netloc != urlsplit(self._url).netloc and urlsplit(realm).scheme != "https":
            raise RelayError(f"the registry wants the password sent to {realm}, unencrypted: the relay did not send it")
        scope = f"repository:{self._repository}:pull,push"
        response = self._get(
            f"{realm}?{urlencode({'service': parameters.get('service', ''), 'scope': scope})}", authorization
        )
        if response.status_code != requests.codes.ok:
            raise Refused(response)
        token = response.json()
        life_s = float(token.get("expires_in", MIN_TOKEN_LIFE_S))
        return f"Bearer {token.get('token') or token['access_token']}", life_s

    def _get(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        return _raise_if_busy(self._session.get(url, headers=dict(headers), timeout=TIMEOUT_S, allow_redirects=False))

    def request(
        self,
        method: str,
        target: str,
        expected_statuses: tuple[int, ...],
        content: bytes = b"",
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> requests.Response:
        """Sends a request for the path and query `target`. Raises Refused at other statuses than the expected ones."""

        def attempt() -> requests.Response:
            authorization = self.credentials().headers
            return _raise_if_busy(
                self._session.request(
                    method,
                    urljoin(self._url, target),
                    data=io.BytesIO(content) if content else b"",
                    headers={**headers, **authorization},
                    timeout=TIMEOUT_S,
                    allow_redirects=False,
                )
            )

        response = Backoff(self._patience_s).run(attempt)
        if response.status_code == requests.codes.unauthorized:
            self._valid_until = 0.0
            response = Backoff(self._patience_s).run(attempt)
        if response.status_code not in expected_statuses:
            raise Refused(response)
        return response


def _raise_if_busy(response: requests.Response) -> requests.Response:
    """Returns the response unless its status asks to try again later. Raises Unavailable."""
    if response.status_code == requests.codes.too_many_requests or response.status_code >= 500:
        raise Unavailable(f"the registry answered {response.status_code}{reasons(response)}")
    return response
