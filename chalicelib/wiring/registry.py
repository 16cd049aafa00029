"""Services of the room `registry`."""

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.services.registry.blobs import Blobs
from chalicelib.services.registry.direct_uploads import DirectUploads
from chalicelib.services.registry.manifests import Manifests
from chalicelib.services.registry.repositories import Repositories
from chalicelib.services.registry.tags import Tags
from chalicelib.storage.stores import Stores
from chalicelib.wiring.accounts import AccountsRoom
from chalicelib.wiring.activity import ActivityRoom
from chalicelib.wiring.security import SecurityRoom

if TYPE_CHECKING:
    from chalicelib.services.registry.presigned_uploads import PresignedUploads
    from chalicelib.services.registry.referrers import Referrers
    from chalicelib.services.registry.relays import Relays
    from chalicelib.services.registry.uploads import Uploads


class RegistryRoom:
    """The services of `/v2`: repositories, blobs, manifests, tags, referrers and uploads."""

    def __init__(self, stores: Stores, security: SecurityRoom, activity: ActivityRoom, accounts: AccountsRoom) -> None:
        self._stores, self._security, self._activity, self._accounts = stores, security, activity, accounts
        self.repositories = Repositories(
            self._security.access, self._activity.usage_log, self._stores, lambda: self._accounts.prototypes
        )
        self.direct_uploads = DirectUploads(self._stores)
        self.blobs = Blobs(self._security.access, self._stores, self.direct_uploads, self.repositories)
        self.manifests = Manifests(
            self._security.access,
            self._activity.usage_log,
            self._stores,
            self.repositories,
            self.blobs,
        )
        self.tags = Tags(self._security.access, self._activity.usage_log, self._stores)

    @cached_property
    def presigned_uploads(self) -> "PresignedUploads":
        from chalicelib.services.registry.presigned_uploads import PresignedUploads

        return PresignedUploads(self._stores, self.uploads, self._security.upload_tokens, self.blobs)

    @cached_property
    def referrers(self) -> "Referrers":
        from chalicelib.services.registry.referrers import Referrers

        return Referrers(self._security.access, self._stores)

    @cached_property
    def relays(self) -> "Relays":
        from chalicelib.services.registry.relays import Relays

        return Relays(self._stores, self.uploads, self._security.upload_tokens)

    @cached_property
    def uploads(self) -> "Uploads":
        from chalicelib.services.registry.uploads import Uploads

        return Uploads(self._security.access, self._stores, self.repositories, self._security.upload_tokens)
