"""Checks the hosts that settings of mirrors name, before any of them is asked."""

from chalicelib.domain.addresses import Permitted
from chalicelib.domain.errors import FieldInvalid, MirrorInvalid
from chalicelib.domain.mirror_changes import PROXIES
from chalicelib.domain.mirror_sources import host_of
from chalicelib.domain.mirrors import MirrorSource
from chalicelib.storage.stores import Stores

WHY = "is not on the public internet, and the operator does not permit it"


class MirrorHosts:
    """The hosts that mirrors may name: public ones, and those that the operator permits."""

    def __init__(self, stores: Stores) -> None:
        self._permitted = Permitted.parse(stores.settings.outgoing_allow, "outgoing_allow")

    def check(self, address: str, refusal: str) -> None:
        """Raises FieldInvalid, which begins with `refusal`, for a reference or an address that may not be called."""
        host = host_of(address)
        if not self._permitted.may_name(host):
            raise FieldInvalid("", f"{refusal}: {host} {WHY}")

    def check_proxies(self, before: MirrorSource, after: MirrorSource) -> None:
        """Raises MirrorInvalid for a new proxy that may not be called."""
        for name in PROXIES:
            address = getattr(after, name)
            if address and address != getattr(before, name) and not self._permitted.may_name(host_of(address)):
                raise MirrorInvalid(f"external_registry_config.proxy.{name}", f"{host_of(address)} {WHY}")
