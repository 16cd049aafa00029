"""Tests how often a password may be tried, over all processes, without locking anybody out."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.domain.errors import NameTaken, TooManyAttempts, WrongCredentials
from chalicelib.services.security.throttles import (
    AT_ACCOUNT,
    AT_ONCE,
    BY_NETWORK,
    REGISTRY,
    SIGN_UP_WINDOW_S,
    SIGN_UPS,
    WEB,
    WINDOW_S,
    SignInRoute,
    Throttles,
    network_of,
)
from chalicelib.storage import keys
from chalicelib.storage.security.throttles import ThrottleStore
from tests.support.backends import Backend

HERE, THERE = "192.0.2.7", "198.51.100.9"


@pytest.fixture
def throttles(backend: Backend) -> Throttles:
    """Returns throttles as each process has them: all their state is in the table."""
    return Throttles(ThrottleStore(), backend.clock, sleep=lambda _: None)


@pytest.fixture(autouse=True)
def _amid_a_window(backend: Backend) -> None:
    backend.clock.ahead_s += WINDOW_S - backend.clock() % WINDOW_S + 10


def right(throttles: Throttles, account: str = "bob", address: str = HERE, at: SignInRoute = REGISTRY) -> None:
    with throttles.attempt(at, account, address):
        pass


def wrong(throttles: Throttles, account: str = "bob", address: str = HERE, at: SignInRoute = REGISTRY) -> None:
    with pytest.raises(WrongCredentials), throttles.attempt(at, account, address):
        raise WrongCredentials


def test_right_passwords_are_never_counted(throttles: Throttles, backend: Backend) -> None:
    for _ in range(AT_ONCE + 5):
        right(throttles)


def test_many_right_passwords_at_once_all_pass(throttles: Throttles, backend: Backend) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: right(throttles), range(64)))


def some_wrong(throttles: Throttles, account: str = "bob", address: str = HERE) -> None:
    """As many as close a sign-in."""
    for _ in range(REGISTRY.free + 1):
        wrong(throttles, account, address)


def test_a_few_wrong_ones_close_no_door(throttles: Throttles, backend: Backend) -> None:
    """Clients retry the same password two or three times, and must report that it is wrong."""
    for _ in range(REGISTRY.free):
        wrong(throttles)

    right(throttles)


def test_a_right_password_resets_the_count(throttles: Throttles, backend: Backend) -> None:
    for _ in range(3):
        for _ in range(REGISTRY.free):
            wrong(throttles)
        right(throttles)


@pytest.mark.parametrize("at", [REGISTRY, WEB])
def test_after_more_the_sign_in_is_closed_for_a_second_and_then_for_two(
    throttles: Throttles, backend: Backend, at: SignInRoute
) -> None:
    for _ in range(at.free):
        wrong(throttles, at=at)
    waits = []
    for _ in range(4):
        wrong(throttles, at=at)
        with pytest.raises(TooManyAttempts) as refused:
            right(throttles, at=at)
        waits.append(refused.value.retry_after_s)
        backend.clock.ahead_s += refused.value.retry_after_s

    assert waits == [1, 2, 4, 8]
    right(throttles, at=at)


def test_on_the_web_the_first_wrong_one_closes_the_door(throttles: Throttles, backend: Backend) -> None:
    """A person does not type another password within a second, but a program does."""
    wrong(throttles, at=WEB)

    with pytest.raises(TooManyAttempts):
        right(throttles, at=WEB)


def test_a_wrong_password_on_one_route_does_not_close_the_other(throttles: Throttles, backend: Backend) -> None:
    some_wrong(throttles)
    right(throttles, at=WEB)

    wrong(throttles, account="carol", at=WEB)
    right(throttles, account="carol")


def test_a_second_process_sees_the_closure(throttles: Throttles, backend: Backend) -> None:
    some_wrong(throttles)

    with pytest.raises(TooManyAttempts):
        right(Throttles(ThrottleStore(), backend.clock))


def test_nobody_can_lock_another_network_out(throttles: Throttles, backend: Backend) -> None:
    some_wrong(throttles)

    right(throttles, address=THERE)
    right(throttles, account="carol")


def test_no_account_name_is_read_as_a_network(throttles: Throttles, backend: Backend) -> None:
    there, window = network_of(THERE), int(backend.clock() // WINDOW_S)
    for name in (f"#{there}", f"network/{window}/{there}", f"{window}/{there}"):
        for number in range(BY_NETWORK // 20):
            for _ in range(20):
                wrong(throttles, account=name, address=f"10.1.{number}.1")
                backend.services.stores.table.delete_item(
                    *keys.throttle(f"registry/{window}/10.1.{number}.0/24/{name}")
                )

    right(throttles, address=THERE)


def test_addresses_of_one_network_count_together(throttles: Throttles, backend: Backend) -> None:
    some_wrong(throttles, address="2001:db8:1:2::1")

    with pytest.raises(TooManyAttempts):
        right(throttles, address="2001:db8:1:2:ffff::9")
    right(throttles, address="2001:db8:1:3::1")


def test_a_network_that_tries_many_accounts_is_closed_until_the_window_ends(
    throttles: Throttles, backend: Backend
) -> None:
    for number in range(BY_NETWORK):
        wrong(throttles, account=f"user{number}")

    with pytest.raises(TooManyAttempts) as refused:
        right(throttles, account="innocent")
    assert refused.value.retry_after_s <= WINDOW_S
    backend.clock.ahead_s += WINDOW_S
    right(throttles, account="innocent")


def test_an_account_tried_from_everywhere_is_slowed_and_not_closed(backend: Backend) -> None:
    pauses: list[float] = []
    throttles = Throttles(ThrottleStore(), backend.clock, sleep=pauses.append)
    for number in range(AT_ACCOUNT):
        wrong(throttles, address=f"10.{number // 250}.{number % 250}.1")
    assert pauses == []

    right(throttles, address=THERE)

    assert pauses == [0.5]


def test_a_window_that_ended_is_forgotten(throttles: Throttles, backend: Backend) -> None:
    for _ in range(REGISTRY.free + 3):
        wrong(throttles)
        backend.clock.ahead_s += 10
    backend.clock.ahead_s += WINDOW_S

    some_wrong(throttles)
    with pytest.raises(TooManyAttempts) as refused:
        right(throttles)
    assert refused.value.retry_after_s == 1


def test_a_right_password_costs_three_calls(throttles: Throttles, backend: Backend) -> None:
    backend.calls.take()

    right(throttles)

    assert backend.calls.take() == ["BatchGetItem", "UpdateItem", "UpdateItem"]


@pytest.mark.parametrize(
    ("address", "network"),
    [("192.0.2.7", "192.0.2.0/24"), ("2001:db8::1", "2001:db8::/64"), ("", ""), ("nonsense", "")],
)
def test_a_network_has_the_size_that_one_customer_usually_has(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_network_signs_up_only_so_many_users_an_hour(throttles: Throttles, backend: Backend) -> None:
    for number in range(SIGN_UPS):
        throttles.count_sign_up(f"203.0.113.{number}")

    with pytest.raises(TooManyAttempts) as refused:
        throttles.count_sign_up("203.0.113.200")
    assert 0 < refused.value.retry_after_s <= SIGN_UP_WINDOW_S
    throttles.count_sign_up("198.51.100.1")
    backend.clock.ahead_s += SIGN_UP_WINDOW_S
    throttles.count_sign_up("203.0.113.1")


def test_sign_ups_from_the_same_machine_are_not_counted(throttles: Throttles) -> None:
    for _ in range(SIGN_UPS + 1):
        throttles.count_sign_up("127.0.0.1")
        throttles.count_sign_up("::1")


def test_a_sign_up_counts_for_the_network_of_its_caller(backend: Backend) -> None:
    accounts = backend.services.accounts.accounts
    for _ in range(SIGN_UPS):
        with pytest.raises(NameTaken):
            accounts.sign_up("admin", "password", None, "203.0.113.1")

    with pytest.raises(TooManyAttempts):
        accounts.sign_up("carol", "password", None, "203.0.113.1")
