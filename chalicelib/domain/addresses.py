"""Internet addresses that the registry may call: public ones, and those that the operator permits.

The ranges are listed here because Python's own list differs from version to version:
https://www.iana.org/assignments/iana-ipv4-special-registry/ and .../iana-ipv6-special-registry/
"""

import ipaddress
import re
from dataclasses import dataclass

from chalicelib.domain.errors import FieldInvalid

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Private, shared, loopback, link-local (where clouds serve their credentials), documentation, 6to4 relay (RFC 7526),
# benchmarks, multicast and reserved ranges; and Azure's 168.63.129.16, a virtual address of the host in a public range.
SPECIAL_V4 = [
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
]  # fmt: skip
# In IPv6 only global unicast is public, without the ranges of protocols (such as Teredo), documentation and 6to4.
GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
SPECIAL_V6 = [ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]
# IPv6 ranges that embed an IPv4 address: a connection goes to their last 32 bits.
EMBEDDED_V4 = [ipaddress.IPv6Network(text) for text in ("::ffff:0:0/96", "64:ff9b::/96")]
# The interface identifiers of ISATAP, before the IPv4 address at the end of a tunnel (RFC 5214 section 6.1).
ISATAP = (0x00005EFE, 0x02005EFE)
HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")


def bare(address: Address) -> Address:
    """Returns the address that a connection goes to: the IPv4 address that an IPv6 address embeds, or the same."""
    if isinstance(address, ipaddress.IPv6Address) and any(address in network for network in EMBEDDED_V4):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: Address) -> bool:
    """Whether an address is on the public internet and has no special use."""
    address = bare(address)
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in SPECIAL_V4)
    is_tunnel = (int(address) >> 32) & 0xFFFFFFFF in ISATAP
    return address in GLOBAL_V6 and not is_tunnel and not any(address in network for network in SPECIAL_V6)


def _bare_network(network: Network) -> Network:
    """Returns the IPv4 network that an IPv6 network embeds, or the same."""
    for embedding in EMBEDDED_V4:
        if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(embedding):
            return ipaddress.IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network


@dataclass(frozen=True, slots=True)
class Permitted:
    """Hosts and networks that the operator lets the registry call although they are not public."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str, field: str) -> "Permitted":
        """Parses hosts, addresses and networks, separated by commas or spaces. Raises FieldInvalid."""
        hosts: set[str] = set()
        networks: list[Network] = []
        for word in re.split(r"[,\s]+", text.strip().lower()):
            try:
                if word:
                    networks.append(_bare_network(ipaddress.ip_network(word)))
            except ValueError:
                if not HOST.fullmatch(word):
                    why = f"{word[:80]!r} is neither a host nor a network like 10.0.0.0/8"
                    raise FieldInvalid(field, why) from None
                hosts.add(word)
        return cls(frozenset(hosts), tuple(networks))

    def has_host(self, host: str) -> bool:
        """Whether a host is permitted by its name or, if it is written as an address, by its network."""
        name = host.lower().rstrip(".").strip("[]")
        if name in self.hosts:
            return True
        try:
            return self.has_address(ipaddress.ip_address(name))
        except ValueError:
            return False

    def may_name(self, host: str) -> bool:
        """Whether a host may be called as far as its name tells. What a name resolves to is checked before a call."""
        name = host.lower().rstrip(".").strip("[]")
        try:
            return self.may_call(ipaddress.ip_address(name))
        except ValueError:
            return (name != "localhost" and not name.endswith(".localhost")) or self.has_host(name)

    def may_call(self, address: Address) -> bool:
        """Whether an address is public or lies in a permitted network."""
        return is_public(address) or self.has_address(address)

    def has_address(self, address: Address) -> bool:
        """Whether an address lies in a permitted network."""
        called = bare(address)
        return any(called in network for network in self.networks if network.version == called.version)
