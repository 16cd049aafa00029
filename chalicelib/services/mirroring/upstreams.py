"""Opens the other registries that mirrors copy from, and leaves those alone that want it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chalicelib.domain.errors.upstreams import UpstreamLimited
from chalicelib.domain.mirrors import MirrorSettings, MirrorSource
from chalicelib.domain.upstreams import Credentials, Route, UpstreamRepository
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
        until = self._store.not_before(repository.api_host, source.username)
        if until > self._clock():
            raise UpstreamLimited(repository.api_host, until)
        client = self._client(source, repository)
        try:
            yield client
        finally:
            client.close()

    def _client(self, source: MirrorSource, repository: UpstreamRepository) -> RegistryClient:
        route = Route(source.verify_tls, source.http_proxy, source.https_proxy, source.no_proxy)
        credentials = Credentials(source.username, source.password) if source.username else None
        streams = Streams(self._outgoing(), route)
        return RegistryClient(streams, repository, credentials, self._clock, may_be_plain=not source.verify_tls)

    def wait(self, run: MirrorRunRow, source: MirrorSource, limited: UpstreamLimited) -> None:
        """Lets a run wait, without a worker, until upstream may be asked again; tells all others with its user."""
        host = UpstreamRepository.of(source.reference).api_host
        self._store.limit(host, source.username, limited.until)
        self._store.wait(run, limited.until)
        logger.info("upstream limits", host=host, until=limited.until)
