"""Names that are changed on the way back, and those that are not."""

import pytest

from relay.passing import homeward, onward

REGISTRY, OWN = "https://registry.example", "http://localhost:5050"


@pytest.mark.parametrize(
    ("name", "status", "value", "expected"),
    [
        ("Location", 202, f"{REGISTRY}/v2/a/b/blobs/uploads/x", f"{OWN}/v2/a/b/blobs/uploads/x"),
        ("Location", 202, f"{REGISTRY}:443/v2/a", f"{OWN}/v2/a"),
        ("Location", 202, "/v2/a/b/blobs/uploads/x", "/v2/a/b/blobs/uploads/x"),
        ("Location", 202, f"{REGISTRY}.evil/v2/a", f"{REGISTRY}.evil/v2/a"),
        ("Location", 202, f"{REGISTRY}:8443/v2/a", f"{REGISTRY}:8443/v2/a"),
        ("Location", 307, f"{REGISTRY}/blobs/x?Signature=y", f"{REGISTRY}/blobs/x?Signature=y"),
        ("Link", 200, f'<{REGISTRY}/v2/_catalog?last=x>; rel="next"', f'<{OWN}/v2/_catalog?last=x>; rel="next"'),
        ("WWW-Authenticate", 401, f'Bearer realm="{REGISTRY}/v2/auth"', f'Bearer realm="{OWN}/v2/auth"'),
        ("WWW-Authenticate", 401, 'Bearer realm="https://auth.example"', 'Bearer realm="https://auth.example"'),
        ("Content-Type", 200, REGISTRY, REGISTRY),
    ],
)
def test_the_registrys_own_name_becomes_the_relays(name: str, status: int, value: str, expected: str) -> None:
    assert homeward([(name, value)], status, REGISTRY, OWN) == [(name, expected)]


def test_a_relay_of_the_installation_changes_no_name() -> None:
    header = ("Location", f"{REGISTRY}/v2/a")

    assert homeward([header], 202, REGISTRY, "") == [header]


def test_what_concerns_one_connection_stays_on_it() -> None:
    headers = [("Connection", "close, X-Own"), ("X-Own", "1"), ("TE", "trailers"), ("Upgrade", "h2c"), ("X-Else", "2")]

    assert onward([*headers, ("Host", "localhost:5050"), ("Content-Length", "3")]) == {"X-Else": "2"}
    assert homeward([*headers, ("Strict-Transport-Security", "max-age=1")], 200, REGISTRY, OWN) == [("X-Else", "2")]
