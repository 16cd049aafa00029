"""Tries whether the repositories of another registry can be listed with the settings of an organization's mirror."""

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.domain.errors import FieldInvalid, OutgoingRefused, ResourceUnknown
from chalicelib.domain.mirrors import NamePatterns
from chalicelib.domain.organization_mirrors import OrganizationMirrorSettings
from chalicelib.domain.permissions import Actor
from chalicelib.services.mirroring.deadlines import within
from chalicelib.services.mirroring.probes import LIMIT_S
from chalicelib.services.mirroring.upstreams import Upstreams
from chalicelib.services.security.access import Access
from chalicelib.services.security.sealing import Envelope
from chalicelib.storage.stores import Stores


@dataclass(frozen=True, slots=True)
class OrganizationProbe:
    """Whether the other registry answered, and a sentence for the administrator."""

    is_success: bool
    message: str


class OrganizationProbes:
    """Tries other registries of organizations' mirrors."""

    def __init__(self, access: Access, stores: Stores, envelope: Callable[[], Envelope], upstreams: Upstreams) -> None:
        self._access, self._store = access, stores.organization_mirrors
        self._envelope, self._upstreams = envelope, upstreams

    def verify(self, actor: Actor, organization: str) -> OrganizationProbe:
        """Asks for the first page of the list, within 20 s. Raises ResourceUnknown, Unauthenticated, Denied."""
        access = self._access.administered(actor, organization)
        row = self._store.get(access.id)
        if row is None:
            raise ResourceUnknown("mirror of organization", organization)
        settings = row.settings(self._envelope().open)
        try:
            return within(LIMIT_S, lambda: self._ask(settings))
        except (FieldInvalid, OutgoingRefused) as error:
            return OrganizationProbe(False, str(error))

    def _ask(self, settings: OrganizationMirrorSettings) -> OrganizationProbe:
        patterns = NamePatterns(settings.filters or ("*",))
        with self._upstreams.listing(settings) as pages:
            page = next(pages, [])
        taken = sum(patterns.takes(name) for name in page)
        return OrganizationProbe(
            True, f"Connection successful: {taken} of the first {len(page)} repositories match repository_filters"
        )
