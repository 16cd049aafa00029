"""Hosts that may not be called are refused before they are stored."""

import pytest

from chalicelib.domain.errors import FieldInvalid, MirrorInvalid
from chalicelib.domain.mirrors import MirrorSource
from chalicelib.services.mirroring.hosts import MirrorHosts
from tests.support.backends import Backend

INSIDE = ("127.0.0.1/x", "10.1.2.3:5000/x", "169.254.169.254/latest", "https://[::1]", "http://192.168.1.1:8080")


@pytest.mark.parametrize("address", INSIDE)
def test_our_own_network_is_refused(backend: Backend, address: str) -> None:
    with pytest.raises(FieldInvalid, match=r"^Not allowed: .* is not on the public internet"):
        MirrorHosts(backend.services.stores).check(address, "Not allowed")


def test_what_the_operator_permits_and_the_internet_are_not(mirrored: Backend) -> None:
    hosts = MirrorHosts(mirrored.services.stores)
    for address in ("127.0.0.1:5000/x", "https://quay.io", "quay.io/a/b"):
        hosts.check(address, "Not allowed")


def test_a_proxy_is_looked_at_when_it_changes(backend: Backend) -> None:
    hosts, inside = MirrorHosts(backend.services.stores), MirrorSource("", http_proxy="http://10.0.0.1:3128")
    hosts.check_proxies(inside, inside)
    with pytest.raises(MirrorInvalid, match=r"^external_registry_config.proxy.http_proxy: 10.0.0.1 is not"):
        hosts.check_proxies(MirrorSource(""), inside)
