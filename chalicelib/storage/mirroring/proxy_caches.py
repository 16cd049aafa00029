"""Stores proxy caches, and what other registries said of their tags."""

from pynamodb.attributes import UnicodeAttribute

from chalicelib.domain.digests import Digest
from chalicelib.domain.proxy_caches import ProxyCacheSettings
from chalicelib.storage import keys
from chalicelib.storage.attributes import DigestText, Integer
from chalicelib.storage.mirroring.sources import Open, Seal, SourceRow
from chalicelib.storage.table import Row, Transaction, absent, get

# What upstream said of a tag is kept so many seconds after its end, for when it does not answer.
KEPT_S = 30 * 86_400


class ProxyCacheRow(SourceRow):
    """The proxy cache that an organization is. `keeper_id` is the account that writes what is fetched."""

    upstream = UnicodeAttribute()
    expiration_s = Integer()
    keeper_id = UnicodeAttribute()

    @property
    def namespace_id(self) -> str:
        """The organization's id."""
        return keys.namespace_id(self.pk)

    @property
    def about(self) -> str:
        """What the sealed source belongs to."""
        return f"{self.namespace_id} proxy cache"

    def settings(self, open_sealed: Open) -> ProxyCacheSettings:
        """Returns the settings; `open_sealed` is `Envelope.open`."""
        return ProxyCacheSettings(self.source(self.upstream, open_sealed), self.expiration_s)

    def take(self, settings: ProxyCacheSettings, seal: Seal) -> None:
        """Takes settings over; `seal` is `Envelope.seal`."""
        self.take_source(settings.source, seal)
        self.upstream, self.expiration_s = settings.source.reference, settings.expiration_s


class CheckedTagRow(Row):
    """What another registry said of a tag, which is not asked again before `until`, in seconds since the epoch."""

    digest = DigestText()
    until = Integer()
    expires_at = Integer()


class ProxyCacheStore:
    """The proxy caches in the table."""

    def get(self, namespace_id: str) -> ProxyCacheRow | None:
        """Returns the proxy cache that an organization is."""
        return get(ProxyCacheRow, keys.proxy_cache(namespace_id))

    def add(self, transaction: Transaction, row: ProxyCacheRow) -> None:
        """Writes a new proxy cache."""
        transaction.put(row, absent())

    def remove(self, transaction: Transaction, row: ProxyCacheRow) -> None:
        """Removes a proxy cache, unless it is another one meanwhile."""
        transaction.delete(ProxyCacheRow.under(row.key), ProxyCacheRow.keeper_id == row.keeper_id)

    def require(self, transaction: Transaction, row: ProxyCacheRow) -> None:
        """Makes a transaction fail if the organization is this proxy cache no more."""
        transaction.check(ProxyCacheRow, row.key, ProxyCacheRow.keeper_id == row.keeper_id)

    def checked(self, repository_id: str, tag: str) -> CheckedTagRow | None:
        """Returns what the other registry last said of a tag."""
        return get(CheckedTagRow, keys.checked_tag(repository_id, tag))

    def check(self, repository_id: str, tag: str, digest: Digest, until: int) -> None:
        """Notes what the other registry says of a tag, and until when that is believed."""
        key = keys.checked_tag(repository_id, tag)
        CheckedTagRow.under(key, digest=digest, until=until, expires_at=until + KEPT_S).save()
