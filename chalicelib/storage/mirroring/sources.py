"""What the rows of mirrors and proxy caches share: where they copy from and when, sealed where it is secret."""

import json
from collections.abc import Callable

from pynamodb.attributes import UnicodeAttribute

from chalicelib.domain.mirrors import MirrorSource, SyncStatus
from chalicelib.storage.attributes import EnumText, Integer, OptionalBytes, OptionalInteger
from chalicelib.storage.table import Row

# The fields of a source that are sealed, as a proxy's address may contain a password.
SEALED = ("username", "password", "http_proxy", "https_proxy")
Open = Callable[[str, str, bytes], str]
Seal = Callable[[str, str], tuple[str, bytes]]


class SourceRow(Row):
    """Something that is copied from another registry. `settings_version` counts the changes of its settings."""

    # JSON of the fields of SEALED, sealed for `about`.
    sealed_source = OptionalBytes()
    key_id = UnicodeAttribute(default="")
    verify_tls = Integer(default=1)
    no_proxy = UnicodeAttribute(default="")
    settings_version = Integer(default=0)

    @property
    def about(self) -> str:
        """What the sealed source belongs to."""
        raise NotImplementedError

    def source(self, reference: str, open_sealed: Open) -> MirrorSource:
        """Returns the source; `open_sealed` is `Envelope.open`."""
        sealed = json.loads(open_sealed(self.about, self.key_id, self.sealed_source)) if self.sealed_source else {}
        return MirrorSource(reference, verify_tls=bool(self.verify_tls), no_proxy=self.no_proxy, **sealed)

    def take_source(self, source: MirrorSource, seal: Seal) -> None:
        """Takes a source over, but for its reference; `seal` is `Envelope.seal`."""
        self.no_proxy, self.verify_tls = source.no_proxy, int(source.verify_tls)
        sealed = json.dumps({field: getattr(source, field) for field in SEALED})
        self.key_id, self.sealed_source = seal(self.about, sealed)
        self.settings_version += 1


class ScheduledRow(SourceRow):
    """A mirror, of a repository or of an organization.

    `tries` counts the runs that have failed since the last success, `next_at` is when the next one begins; `version`
    counts all writes.
    """

    robot_id = UnicodeAttribute()
    is_enabled = Integer(default=1)
    interval_s = Integer()
    start_at = Integer()
    timeout_s = Integer()
    status = EnumText(SyncStatus, default=SyncStatus.NEVER_RUN)
    tries = Integer(default=0)
    next_at = OptionalInteger()
    synced_at = OptionalInteger()
    version = Integer(default=0)
