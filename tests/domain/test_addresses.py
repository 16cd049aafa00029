"""Addresses that may be called: public ones, and those that the operator permits."""

from ipaddress import ip_address

import pytest

from chalicelib.domain.addresses import Permitted, bare, is_public
from chalicelib.domain.errors import FieldInvalid


@pytest.mark.parametrize(
    "text",
    ["8.8.8.8", "1.1.1.1", "192.88.98.255", "192.88.100.0", "100.63.255.255", "172.32.0.1", "198.17.0.1",
     "223.255.255.255",
     "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"],
)  # fmt: skip
def test_an_address_on_the_internet_is_public(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize(
    "text",
    ["0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254",
     "168.63.129.16", "192.88.99.0", "192.88.99.1", "192.88.99.255",
     "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.168.1.1", "198.18.0.1",
     "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
     "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::10.0.0.1", "64:ff9b:1::1",
     "100::1", "2001::1", "2001:10::1", "2001:db8::1", "2002:7f00:1::1", "3fff::1", "5f00::1", "fc00::1",
     "64:ff9b::192.88.99.1", "::ffff:192.88.99.1", "2002:a00:1::1", "2001:0:a00:1::1", "::10.0.0.1",
     "2a00:1450::5efe:10.0.0.1", "2a00:1450::200:5efe:169.254.169.254", "fd00:ec2::254", "fe80::1",
     "fec0::1", "ff02::1", "4000::1"],
)  # fmt: skip
def test_an_address_of_special_use_is_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


def test_an_embedded_ipv4_address_is_recognised() -> None:
    assert str(bare(ip_address("::ffff:10.0.0.1"))) == "10.0.0.1"
    assert str(bare(ip_address("64:ff9b::10.0.0.1"))) == "10.0.0.1"
    assert str(bare(ip_address("2606:4700::1111"))) == "2606:4700::1111"


def test_an_operator_can_permit_hosts_addresses_and_networks() -> None:
    permitted = Permitted.parse("Issuer.Example, 10.0.0.0/8 127.0.0.1,fd00::/8", "allow")

    assert permitted.has_host("issuer.example")
    assert permitted.has_host("ISSUER.example.")
    assert permitted.has_host("127.0.0.1")
    assert permitted.has_host("[fd00::1]")
    assert not permitted.has_host("sub.issuer.example")
    assert not permitted.has_host("127.0.0.2")
    assert permitted.has_address(ip_address("10.9.8.7"))
    assert permitted.has_address(ip_address("::ffff:10.9.8.7"))
    assert not permitted.has_address(ip_address("11.0.0.1"))
    assert Permitted.parse("  ", "allow") == Permitted()


def test_a_network_may_be_permitted_in_the_form_that_its_addresses_have() -> None:
    permitted = Permitted.parse("192.88.99.1, 64:ff9b::a00:0/104, ::ffff:172.16.0.0/108", "allow")

    assert permitted.may_call(ip_address("192.88.99.1"))
    assert not permitted.may_call(ip_address("192.88.99.2"))
    assert permitted.may_call(ip_address("64:ff9b::10.1.2.3"))
    assert permitted.may_call(ip_address("::ffff:172.16.0.1"))
    assert not permitted.may_call(ip_address("64:ff9b::192.168.0.1"))


def test_an_address_that_is_public_or_permitted_may_be_called() -> None:
    permitted = Permitted.parse("10.0.0.0/8", "allow")

    assert permitted.may_call(ip_address("8.8.8.8"))
    assert permitted.may_call(ip_address("10.9.8.7"))
    assert not permitted.may_call(ip_address("192.168.1.1"))
    assert not Permitted().may_call(ip_address("10.9.8.7"))


@pytest.mark.parametrize("text", ["10.0.0.1/8", "https://issuer.example", "a..b", "-a", "*.example", "10.0.0.0/33"])
def test_a_text_that_is_neither_a_host_nor_a_network_is_refused(text: str) -> None:
    with pytest.raises(FieldInvalid, match="allow"):
        Permitted.parse(text, "allow")


@pytest.mark.parametrize("host", ["quay.io", "8.8.8.8", "[2606:4700::1]", "10.1.2.3", "localhost", "db.localhost"])
def test_a_host_may_be_named_that_is_public_or_permitted(host: str) -> None:
    assert Permitted.parse("10.0.0.0/8 localhost db.localhost", "x").may_name(host)


@pytest.mark.parametrize(
    "host", ["10.1.2.3", "169.254.169.254", "[::1]", "::ffff:127.0.0.1", "LOCALHOST.", "db.localhost"]
)
def test_a_private_host_may_not_be_named(host: str) -> None:
    assert not Permitted().may_name(host)
