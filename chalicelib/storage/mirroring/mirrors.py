"""Stores mirrors: the settings of a mirrored repository, and how far its runs are."""

import json
from collections.abc import Callable

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition

from chalicelib.domain.mirrors import MirrorSettings, MirrorSource, SyncStatus
from chalicelib.storage import keys
from chalicelib.storage.attributes import EnumText, Integer, OptionalBytes, OptionalInteger, OptionalText
from chalicelib.storage.table import Row, Transaction, absent, at_version, get

# The fields of a source that are sealed, as a proxy's address may contain a password.
SEALED = ("username", "password", "http_proxy", "https_proxy")


class MirrorRow(Row):
    """The mirror of a repository.

    `run` is the ULID of the current or the last run, `tries` counts the runs that have failed since the last success,
    `next_at` is when the next run begins. `settings_version` counts the changes of the settings, by which a run sees
    them; `version` counts all writes.
    """

    repository_id = UnicodeAttribute()
    robot_id = UnicodeAttribute()
    is_enabled = Integer(default=1)
    reference = UnicodeAttribute()
    # JSON of the fields of SEALED, sealed for `about`.
    sealed_source = OptionalBytes()
    key_id = UnicodeAttribute(default="")
    verify_tls = Integer(default=1)
    no_proxy = UnicodeAttribute(default="")
    # JSON lists.
    patterns = UnicodeAttribute()
    architectures = UnicodeAttribute(default="[]")
    interval_s = Integer()
    start_at = Integer()
    timeout_s = Integer()
    unsigned_images = Integer(default=0)
    settings_version = Integer(default=0)
    status = EnumText(SyncStatus, default=SyncStatus.NEVER_RUN)
    run = OptionalText()
    tries = Integer(default=0)
    next_at = OptionalInteger()
    synced_at = OptionalInteger()
    version = Integer(default=0)
    view = OptionalText()
    view_at = OptionalText()

    @property
    def about(self) -> str:
        """What the sealed source belongs to."""
        return f"{self.repository_id} mirror"

    def settings(self, open_sealed: Callable[[str, str, bytes], str]) -> MirrorSettings:
        """Returns the settings; `open_sealed` is `Envelope.open`."""
        sealed = json.loads(open_sealed(self.about, self.key_id, self.sealed_source)) if self.sealed_source else {}
        source = MirrorSource(self.reference, verify_tls=bool(self.verify_tls), no_proxy=self.no_proxy, **sealed)
        return MirrorSettings(
            source,
            tuple(json.loads(self.patterns)),
            self.interval_s,
            self.start_at,
            self.timeout_s,
            bool(self.is_enabled),
            tuple(json.loads(self.architectures)),
            bool(self.unsigned_images),
        )

    def take(self, settings: MirrorSettings, seal: Callable[[str, str], tuple[str, bytes]]) -> None:
        """Takes settings over; `seal` is `Envelope.seal`."""
        source = settings.source
        self.reference, self.no_proxy, self.verify_tls = source.reference, source.no_proxy, int(source.verify_tls)
        self.key_id, self.sealed_source = seal(
            self.about, json.dumps({field: getattr(source, field) for field in SEALED})
        )
        self.patterns, self.architectures = json.dumps(settings.patterns), json.dumps(settings.architectures)
        self.interval_s, self.start_at, self.timeout_s = settings.interval_s, settings.start_at, settings.timeout_s
        self.is_enabled, self.unsigned_images = int(settings.is_enabled), int(settings.unsigned_images)
        self.settings_version += 1


class MirrorStore:
    """The mirrors in the table."""

    def get(self, repository_id: str) -> MirrorRow | None:
        """Returns the mirror of a repository."""
        return get(MirrorRow, keys.mirror(repository_id))

    def put(self, transaction: Transaction, row: MirrorRow, stored_version: int | None) -> None:
        """Writes a mirror if it has the version that was read; None for a new one."""
        row.version = 0 if stored_version is None else stored_version + 1
        transaction.put(row, _unchanged(stored_version))


def _unchanged(version: int | None) -> Condition:
    return absent() if version is None else at_version(MirrorRow.version, version)
