"""Limits how often a password may be tried, over all processes of the installation.

An attempt is counted before the password is checked, and the count is taken back if it was right, so that attempts at
the same time all count. After a wrong password the account is closed to the same network, for twice as long each time;
a right password resets this. At the registry a few wrong passwords are free, as its clients retry the same password two
or three times. On the web none is free, as nobody types another within a second. Too many wrong passwords of a network
over all accounts close the network. Too many at one account from everywhere only slow its sign-ins, or anybody could
lock somebody else out.

Sign-ups are counted by network alone, whatever becomes of them.
"""

import ipaddress
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chalicelib.domain.errors import TooManyAttempts, WrongCredentials
from chalicelib.storage.security.throttles import ThrottleStore

WINDOW_S = 300
# The most attempts of a network at one account and at all accounts, and those at an account before sign-ins slow down.
AT_ONCE, BY_NETWORK, AT_ACCOUNT = 30, 200, 100
# The most sign-ups of a network in a window of their own.
SIGN_UPS, SIGN_UP_WINDOW_S = 20, 3600
FIRST_PAUSE_S, LONGEST_PAUSE_S, SLOWED_S = 1.0, 64.0, 0.5


@dataclass(frozen=True, slots=True)
class SignInRoute:
    """A way to sign in with a password. Each is throttled alone: a typing error on the web stops no pull."""

    name: str
    # The number of wrong passwords that are followed by no pause.
    free: int


REGISTRY, WEB = SignInRoute("registry", free=4), SignInRoute("web", free=0)


class Throttles:
    """Throttles sign-ins with a password."""

    def __init__(
        self,
        store: ThrottleStore,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store, self._clock, self._sleep = store, clock, sleep

    @contextmanager
    def attempt(self, route: SignInRoute, account: str, address: str) -> Iterator[None]:
        """Wraps one check of a password, which raises WrongCredentials if it is wrong. Raises TooManyAttempts."""
        now = self._clock()
        window = int(now // WINDOW_S)
        until, network = (window + 2) * WINDOW_S, network_of(address)
        # The name that the client chose comes last, so that no account name is ever read as another key.
        account_and_network, everywhere = (
            f"{route.name}/{window}/{network}/{account[:255]}",
            f"account/{window}/{account[:255]}",
        )
        by_network = f"network/{window}/{network}"
        self._check_limits(by_network, everywhere, (window + 1) * WINDOW_S - now)
        attempts = self._store.enter(account_and_network, now, AT_ONCE, until)
        if attempts is None:
            raise TooManyAttempts(self._retry_after_s(account_and_network, now))
        try:
            yield
        except WrongCredentials:
            if attempts.tries > route.free:
                self._close(account_and_network, attempts.tries - route.free)
            for key in (by_network, everywhere):
                self._store.count(key, 1, until)
            raise
        self._store.open(account_and_network)

    def count_sign_up(self, address: str) -> None:
        """Counts a sign-up from an address, unless it is this machine's own. Raises TooManyAttempts."""
        network = network_of(address)
        if network and ipaddress.ip_address(address).is_loopback:
            return
        now = self._clock()
        window = int(now // SIGN_UP_WINDOW_S)
        end = (window + 1) * SIGN_UP_WINDOW_S
        if self._store.enter(f"signup/{window}/{network}", now, SIGN_UPS, end) is None:
            raise TooManyAttempts(math.ceil(end - now))

    def _check_limits(self, by_network: str, everywhere: str, left_s: float) -> None:
        network, account = self._store.read([by_network, everywhere])
        if network is not None and network.tries >= BY_NETWORK:
            raise TooManyAttempts(math.ceil(left_s))
        if account is not None and account.tries >= AT_ACCOUNT:
            self._sleep(SLOWED_S)

    def _retry_after_s(self, key: str, now: float) -> int:
        (row,) = self._store.read([key])
        closed_until = row.closed_until if row else None
        return max(1, math.ceil((closed_until or now) - now))

    def _close(self, key: str, failed: int) -> None:
        """Closes a key for a while, after `failed` wrong passwords that were not free."""
        pause = min(FIRST_PAUSE_S * 2 ** (failed - 1), LONGEST_PAUSE_S)
        self._store.close(key, self._clock() + pause)


def network_of(address: str) -> str:
    """Returns the network that one customer usually has: a /24 of IPv4, a /64 of IPv6; empty for no address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    bits = 24 if parsed.version == 4 else 64
    return str(ipaddress.ip_network((parsed, bits), strict=False))
