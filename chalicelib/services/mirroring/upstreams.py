"""Opens the other registries that mirrors copy from, and leaves those alone that want it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from chalicelib.domain.errors.upstreams import UpstreamLimited
from chalicelib.domain.mirrors import MirrorSettings, MirrorSource
from chalicelib.domain.organization_mirrors import OrganizationMirrorSettings
from chalicelib.domain.upstreams import Credentials, Route, UpstreamRepository
from chalicelib.remote.listings import NamespaceListing
from chalicelib.remote.outgoing import Outgoing
from chalicelib.remote.registries import RegistryClient
from chalicelib.remote.streams import Streams
from chalicelib.services.security.sealing import Envelope
from chalicelib.storage.mirroring.mirrors import MirrorRow
from chalicelib.storage.mirroring.runs import MirrorRunRow
from chalicelib.storage.stores import Stores
from chalicelib.telemetry import logger


class Upstreams:
    """Other registries. `outgoing` is the guard of all that is called, `envelope` opens sealed passwords."""

    def __init__(self, stores: Stores, outgoing: Callable[[], Outgoing], envelope: Callable[[], Envelope]) -> None:
        self._store, self._clock = stores.mirror_runs, stores.clock
        self._outgoing, self._envelope = outgoing, envelope

    def settings(self, row: MirrorRow) -> MirrorSettings:
        """Returns the settings of a mirror, with its password."""
        return row.settings(self._envelope().open)

    @contextmanager
    def opened(self, source: MirrorSource) -> Iterator[RegistryClient]:
        """Yields a client of the repository that a mirror copies.

        Raises FieldInvalid, and UpstreamLimited if any worker was told that upstream wants to be left alone.
        """
        repository = UpstreamRepository.of(source.reference)
        with self._limits(repository.api_host, source.username):
            client = self._client(source, repository)
            try:
                yield client
            finally:
                client.close()

    @contextmanager
    def _limits(self, host: str, username: str) -> Iterator[None]:
        """Obeys what any worker was told by a registry, and tells all what it says now. Raises UpstreamLimited."""
        until = self._store.not_before(host, username)
        if until > self._clock():
            raise UpstreamLimited(host, until)
        try:
            yield
        except UpstreamLimited as limited:
            self._store.limit(host, username, limited.until)
            raise

    def _client(self, source: MirrorSource, repository: UpstreamRepository) -> RegistryClient:
        streams, credentials = Streams(self._outgoing(), _route(source)), _credentials(source)
        return RegistryClient(streams, repository, credentials, self._clock, may_be_plain=not source.verify_tls)

    @contextmanager
    def listing(self, settings: OrganizationMirrorSettings) -> Iterator[Iterator[list[str]]]:
        """Yields the names of all repositories that an organization's mirror may take, page by page.

        Raises OutgoingRefused, UpstreamFailed with the field that may mend it, and UpstreamLimited if any worker was
        told that the other registry wants to be left alone.
        """
        source = settings.source
        with self._limits(urlsplit(settings.url).netloc, source.username):
            streams = Streams(self._outgoing(), _route(source))
            listing = NamespaceListing(streams, settings.kind, settings.url, _credentials(source), self._clock)
            try:
                yield listing.pages(settings.namespace)
            finally:
                streams.close()

    def wait(self, run: MirrorRunRow, limited: UpstreamLimited) -> None:
        """Lets a run wait, without a worker, until upstream may be asked again."""
        self._store.wait(run, limited.until)
        logger.info("upstream limits", host=limited.host, until=limited.until)


def _route(source: MirrorSource) -> Route:
    return Route(source.verify_tls, source.http_proxy, source.https_proxy, source.no_proxy)


def _credentials(source: MirrorSource) -> Credentials | None:
    return Credentials(source.username, source.password) if source.username else None
