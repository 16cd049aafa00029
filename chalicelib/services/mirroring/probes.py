"""Tries whether another registry can be mirrored with some settings, before a run does."""

from dataclasses import dataclass

from chalicelib.domain.errors import FieldInvalid, OutgoingRefused, ResourceUnknown
from chalicelib.domain.events import MIRROR_TEST_FAILED, MIRROR_TEST_SUCCESS
from chalicelib.domain.mirror_changes import FRESH, MirrorChanges
from chalicelib.domain.mirrors import MirrorSettings, NamePatterns
from chalicelib.domain.names import TAG, RepositoryName
from chalicelib.domain.permissions import Actor, Role
from chalicelib.domain.repositories import Repository
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.mirroring.deadlines import within
from chalicelib.services.mirroring.upstreams import Upstreams
from chalicelib.services.security.access import Access
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction

# Upstream has to answer within so many seconds; the function that waits for it has 29.
LIMIT_S = 20.0
# How many tags are shown, and how many are asked for by their names.
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Probe:
    """What upstream showed: the first tags that match, in order, and whether there may be more."""

    tags: tuple[str, ...]
    more: bool


class Probes:
    """Tries other registries."""

    def __init__(self, access: Access, usage_log: UsageLog, stores: Stores, upstreams: Upstreams) -> None:
        self._access, self._usage_log, self._mirrors, self._upstreams = access, usage_log, stores.mirrors, upstreams

    def test(self, actor: Actor, name: RepositoryName, changes: MirrorChanges) -> Probe:
        """Reaches the other registry with the settings of a repository's mirror and these changes to them.

        Raises UpstreamFailed or OutgoingRefused with what is wrong, ResourceUnknown without settings, NameUnknown,
        Unauthenticated, Denied.
        """
        repository = self._access.require_role(actor, name, Role.ADMIN).repository
        row = self._mirrors.get(repository.id)
        settings = changes.apply(self._upstreams.settings(row) if row else FRESH)
        if not settings.source.reference:
            raise ResourceUnknown("mirror of", str(name))
        try:
            probe = within(LIMIT_S, lambda: self._probe(settings))
        except (FieldInvalid, OutgoingRefused) as error:
            self._record(actor, repository, MIRROR_TEST_FAILED, str(error))
            raise
        self._record(actor, repository, MIRROR_TEST_SUCCESS, settings.source.reference)
        return probe

    def _probe(self, settings: MirrorSettings) -> Probe:
        patterns = NamePatterns(settings.patterns or ("*",))
        with self._upstreams.opened(settings.source) as registry:
            if patterns.names is not None:
                found = [tag for tag in patterns.names[:SHOWN] if registry.head(tag)]
                return Probe(tuple(found), len(patterns.names) > SHOWN)
            tags: list[str] = []
            for page in registry.tags():
                tags += [tag for tag in page if TAG.fullmatch(tag) and patterns.takes(tag)]
                if len(tags) > SHOWN:
                    break
            return Probe(tuple(tags[:SHOWN]), len(tags) > SHOWN)

    def _record(self, actor: Actor, repository: Repository, kind: str, message: str) -> None:
        transaction = Transaction()
        metadata = {"namespace": repository.name.namespace, "repo": repository.name.repository, "message": message}
        self._usage_log.record_for_repository(actor, transaction, kind, repository, metadata)
        transaction.commit()
