"""Signs in as a client does, but sends the password only to the host of the URL."""

import base64
import json
import re
import time
from urllib.parse import urlencode, urlsplit

from infra.smoke.answers import summary_of
from infra.smoke.wire import Answer, exchange

WORD = re.compile(r'(\w+)="([^"]*)"')
# The header names that a gateway may give the challenge, the right one first.
NAMES = ("WWW-Authenticate", "Registry-Challenge", "X-Amzn-Remapped-WWW-Authenticate")
# The attempts after 429, and the longest wait in seconds for each; 429 follows wrong passwords.
ATTEMPTS, LONGEST_WAIT_S, TOO_MANY = 4, 20, 429
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class SignInRefused(Exception):
    """The registry gave no token; the message says why."""


class Tokens:
    """Requests tokens of one account for one repository."""

    def __init__(self, url: str, user: str, password: str, repository: str) -> None:
        self.url, self._user, self._password = url, user, password
        self.scope = f"repository:{repository}:pull,push,delete"
        self._realm: dict[str, str] | None = None
        self._token, self._until = "", 0.0

    def realm(self) -> dict[str, str]:
        """Returns the parameters of the challenge, which it requests once; they are empty without a challenge."""
        if self._realm is None:
            answer = exchange("GET", f"{self.url}/v2/")
            challenge = next((answer.header(name) for name in NAMES if answer.header(name)), "")
            self._realm = dict(WORD.findall(challenge))
        return self._realm

    def leads_here(self) -> bool:
        """Tells whether the realm is on the host of the URL; all names of loopback count as one host."""
        there, here = urlsplit(self.realm().get("realm", "")), urlsplit(self.url)
        same_host = there.hostname == here.hostname or {there.hostname, here.hostname} <= LOOPBACK
        return same_host and (there.scheme, there.port) == (here.scheme, here.port)

    def request_token(self, password: str | None = None, method: str = "GET") -> Answer:
        """Sends one request to the token endpoint, with the account's password or another one.

        It uses the realm's path, but always the host of the URL, so that a password goes nowhere else. After a wrong
        password the registry answers 429 for a moment, and this waits for its end.
        """
        answer = self._request_token(password, method)
        for _ in range(ATTEMPTS):
            seconds = answer.header("Retry-After")
            if answer.status != TOO_MANY or not seconds.isdecimal() or int(seconds) > LONGEST_WAIT_S:
                break
            time.sleep(int(seconds))
            answer = self._request_token(password, method)
        return answer

    def _request_token(self, password: str | None, method: str) -> Answer:
        path = urlsplit(self.realm().get("realm", "")).path or "/v2/auth"
        secret = self._password if password is None else password
        fields = {"service": self.realm().get("service", ""), "scope": self.scope}
        if method == "POST":
            fields |= {"grant_type": "password", "client_id": "smoke", "username": self._user, "password": secret}
            form = [("Content-Type", "application/x-www-form-urlencoded")]
            return exchange("POST", self.url + path, form, urlencode(fields).encode())
        basic = base64.b64encode(f"{self._user}:{secret}".encode()).decode("ascii")
        return exchange("GET", f"{self.url}{path}?{urlencode(fields)}", [("Authorization", f"Basic {basic}")])

    def authorization(self) -> tuple[str, str]:
        """Returns the Authorization header with a valid token. Raises SignInRefused."""
        if time.monotonic() > self._until:
            answer = self.request_token()
            if answer.status != 200:
                raise SignInRefused(f"no token: the registry answered {summary_of(answer)}")
            self._token, seconds = read_token(answer)
            self._until = time.monotonic() + seconds * 0.6
        return "Authorization", f"Bearer {self._token}"

    def hidden(self, text: str) -> str:
        """Returns the text without the account's secrets, which an answer might have repeated."""
        basic = base64.b64encode(f"{self._user}:{self._password}".encode()).decode("ascii")
        for secret in filter(None, (self._password, basic, self._token)):
            text = text.replace(secret, "[hidden]")
        return text


def read_token(answer: Answer) -> tuple[str, float]:
    """Returns the token and the seconds until it expires. Raises SignInRefused.

    https://distribution.github.io/distribution/spec/auth/token/
    """
    try:
        document = json.loads(answer.body)
        return str(document.get("token") or document["access_token"]), float(document.get("expires_in", 60))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SignInRefused("no token: the answer of the token endpoint contains none") from None
