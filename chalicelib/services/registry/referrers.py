"""Lists the referrers of a manifest: signatures, SBOMs, attestations.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
"""

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
# A page stays well below the size of a response from Lambda.
LARGEST_PAGE_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Referrer:
    """One manifest in the list. `size` is in bytes."""

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
        """Returns the manifests past `last` that refer to a subject, of one artifact type or all.

        The subject need not exist; a repository that does not exist has none, as this list is never a 404. Raises
        Unauthenticated.
        """
        try:
            repository = self._access.repository(actor, name)
        except NameUnknown:
            return Page([])
        referrers: list[Referrer] = []
        page_bytes = 0
        while True:
            rows = list(self._store.referrers(repository.id, subject, last, PAGE))
            for row in rows:
                if row.deleted_at is not None or artifact_type not in (None, row.artifact_type):
                    continue
                annotations = row.annotations if row.annotations is not None else self._annotations(repository.id, row)
                page_bytes += len(annotations) + 500
                if len(referrers) == PAGE or (referrers and page_bytes > LARGEST_PAGE_BYTES):
                    return Page(referrers, more=True)
                referrers.append(_referrer(row, annotations))
            if len(rows) < PAGE:
                return Page(referrers)
            last = Digest.parse(rows[-1].digest)

    def _annotations(self, repository_id: str, row: ReferrerRow) -> str:
        """Returns annotations that are too long for the referrer's row, as JSON, from the manifest."""
        body = self._store.get_body(repository_id, Digest.parse(row.digest))
        return json.dumps(json.loads(body).get("annotations") or {}) if body else "{}"


def _referrer(row: ReferrerRow, annotations: str) -> Referrer:
    return Referrer(Digest.parse(row.digest), row.media_type, row.size, row.artifact_type, json.loads(annotations))
