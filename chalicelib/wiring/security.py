"""Services of the room `security`."""

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.services.security.access import Access
from chalicelib.services.security.sealing import SealedEpochs
from chalicelib.services.security.signing import Signing
from chalicelib.services.security.throttles import Throttles
from chalicelib.storage.stores import Stores

if TYPE_CHECKING:
    from chalicelib.remote.outgoing import Outgoing
    from chalicelib.services.security.sealing import Envelope, PageTokens
    from chalicelib.services.security.upload_tokens import UploadTokens


class SecurityRoom:
    """Access control, keys, throttles and guarded outgoing requests."""

    def __init__(self, stores: Stores) -> None:
        self._stores, self.access, self.throttles = stores, Access(stores), Throttles(stores.throttles, stores.clock)
        self.epochs = SealedEpochs(lambda: self.envelope)

    @cached_property
    def signing(self) -> Signing:
        stores = self._stores
        settings = stores.settings
        return Signing(stores.secrets.signing, settings.url, settings.service, stores.clock)

    @cached_property
    def envelope(self) -> "Envelope":
        from chalicelib.services.security.sealing import Envelope

        return Envelope(self._stores.secrets.envelope)

    @cached_property
    def page_tokens(self) -> "PageTokens":
        from chalicelib.services.security.sealing import PageTokens

        return PageTokens(self.envelope)

    @cached_property
    def upload_tokens(self) -> "UploadTokens":
        from chalicelib.services.security.upload_tokens import UploadTokens

        stores = self._stores
        settings = stores.settings
        return UploadTokens(stores.secrets.upload, settings.upload_s, settings.presigned_upload_s, stores.clock)

    @cached_property
    def outgoing(self) -> "Outgoing":
        from chalicelib.domain.addresses import Permitted
        from chalicelib.remote.outgoing import Outgoing

        return Outgoing(Permitted.parse(self._stores.settings.outgoing_allow, "outgoing_allow"))
