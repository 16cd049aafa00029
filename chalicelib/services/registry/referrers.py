"""Referrers: what else says something about a manifest (signatures, SBOMs, attestations)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import NameUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.pages import Page
from chalicelib.domain.permissions import Actor
from chalicelib.services.security.access import Access
from chalicelib.storage.registry.manifests import ReferrerRow
from chalicelib.storage.stores import Stores

PAGE = 100
# A page stays well under what Lambda can answer.
LARGEST_PAGE_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Referrer:
    """One entry of the list."""

    digest: Digest
    media_type: str
    size: int
    artifact_type: str | None
    annotations: Mapping[str, str]


class Referrers:
    """Lists of referrers."""

    def __init__(self, access: Access, stores: Stores) -> None:
        self._access, self._store = access, stores.manifests

    def list(
        self, actor: Actor, name: RepositoryName, subject: Digest, artifact_type: str | None, last: Digest | None
    ) -> Page[Referrer]:
        """Manifests that refer to a subject, which need not be there, of one artifact type or all, past `last`.

        A repository that is not there yet has none: this list is never a 404. Raises Unauthenticated.
        """
        try:
            repository = self._access.repository(actor, name)
        except NameUnknown:
            return Page([])
        found: list[Referrer] = []
        weight = 0
        while True:
            rows = list(self._store.referrers(repository.id, subject, last, PAGE))
            for row in rows:
                if row.deleted_at is not None or artifact_type not in (None, row.artifact_type):
                    continue
                annotations = row.annotations if row.annotations is not None else self._annotations(repository.id, row)
                weight += len(annotations) + 500
                if len(found) == PAGE or (found and weight > LARGEST_PAGE_BYTES):
                    return Page(found, more=True)
                found.append(_referrer(row, annotations))
            if len(rows) < PAGE:
                return Page(found)
            last = Digest.parse(rows[-1].digest)

    def _annotations(self, repository_id: str, row: ReferrerRow) -> str:
        """Annotations too long for the edge, from the manifest itself."""
        body = self._store.get_body(repository_id, Digest.parse(row.digest))
        return json.dumps(json.loads(body).get("annotations") or {}) if body else "{}"


def _referrer(row: ReferrerRow, annotations: str) -> Referrer:
    return Referrer(Digest.parse(row.digest), row.media_type, row.size, row.artifact_type, json.loads(annotations))
