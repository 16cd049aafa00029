"""Manages proxy caches: organizations whose repositories are fetched from another registry when they are pulled."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.errors import FieldInvalid, ResourceUnknown
from chalicelib.domain.events import CACHE_CREATED, CACHE_DELETED
from chalicelib.domain.ids import ulid
from chalicelib.domain.permissions import Actor, HolderKind
from chalicelib.domain.proxy_caches import UPSTREAM, ProxyCacheSettings
from chalicelib.domain.states import NamespaceUpstream
from chalicelib.domain.timers import PROXY_CACHE, Due, HasTime, Later
from chalicelib.services.activity.usage_log import UsageLog
from chalicelib.services.mirroring.deadlines import within
from chalicelib.services.mirroring.hosts import MirrorHosts
from chalicelib.services.mirroring.probes import LIMIT_S
from chalicelib.services.mirroring.upstreams import Upstreams
from chalicelib.services.security.access import Access
from chalicelib.services.security.sealing import Envelope
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountRow
from chalicelib.storage.accounts.permissions import RoleHolder
from chalicelib.storage.mirroring.proxy_caches import ProxyCacheRow
from chalicelib.storage.stores import Stores
from chalicelib.storage.table import Transaction, retry_on_conflict
from chalicelib.storage.timers import timer

NOT_ALLOWED = "The provided registry URL is not allowed"
TAKEN = {
    NamespaceUpstream.PROXY_CACHE: "Proxy Cache Configuration already exists",
    NamespaceUpstream.ORG_MIRROR: "the organization is a mirror: remove that first",
}
SETTLED_S = 10.0


@dataclass(frozen=True, slots=True)
class ProxyCacheView:
    """A proxy cache as the members of the organization see it."""

    upstream: str
    expiration_s: int
    verify_tls: bool


class ProxyCaches:
    """Manages proxy caches."""

    def __init__(
        self,
        access: Access,
        usage_log: UsageLog,
        stores: Stores,
        envelope: Callable[[], Envelope],
        upstreams: Upstreams,
    ) -> None:
        self._access, self._usage_log, self._envelope, self._upstreams = access, usage_log, envelope, upstreams
        self._stores, self._store, self._accounts = stores, stores.proxy_caches, stores.accounts
        self._hosts, self._clock = MirrorHosts(stores), stores.clock

    def get(self, actor: Actor, organization: str) -> ProxyCacheView | None:
        """Returns the proxy cache that an organization is, for its members; None for others of it.

        Raises ResourceUnknown, Unauthenticated, Denied.
        """
        row = self._store.get(self._access.member_of(actor, organization).id)
        return ProxyCacheView(row.upstream, row.expiration_s, bool(row.verify_tls)) if row else None

    def validate(self, actor: Actor, organization: str, settings: ProxyCacheSettings) -> bool:
        """Asks the other registry, within 20 s; returns whether it lets the user in, False for nobody if it wants one.

        Raises UpstreamFailed, OutgoingRefused, FieldInvalid, ResourceUnknown, Unauthenticated, Denied.
        """
        self._access.administered(actor, organization)
        self._hosts.check(settings.source.reference, NOT_ALLOWED)

        def ask() -> bool:
            with self._upstreams.opened(settings.source) as registry:
                return registry.lets_in()

        return within(LIMIT_S, ask)

    def create(self, actor: Actor, organization: str, settings: ProxyCacheSettings) -> None:
        """Makes an organization without repositories a proxy cache; nobody pushes into it then.

        Raises FieldInvalid, ResourceUnknown, Unauthenticated, Denied.
        """
        retry_on_conflict(lambda: self._create(actor, organization, settings))

    def _create(self, actor: Actor, organization: str, settings: ProxyCacheSettings) -> None:
        access = self._access.administered(actor, organization)
        self._hosts.check(settings.source.reference, NOT_ALLOWED)
        namespace, now = self._access.live_namespace(access), self._clock()
        if namespace.upstream is not None:
            raise FieldInvalid("", TAKEN[namespace.upstream])
        if namespace.immutability:
            raise FieldInvalid(UPSTREAM, "tags of the organization are immutable by policy, and those of a cache move")
        if next(iter(self._stores.repositories.in_namespace(access.id, "", 1)), None) is not None:
            raise FieldInvalid(UPSTREAM, "the organization has repositories of its own: use one that is empty")
        keeper = AccountRow.under(
            keys.account(keeper_id := ulid(now)),
            id=keeper_id,
            name=keeper_name(organization),
            kind=AccountKind.ROBOT,
            created_at=int(now),
        )
        row = ProxyCacheRow.under(keys.proxy_cache(access.id), keeper_id=keeper_id)
        row.take(settings, self._envelope().seal)
        transaction = Transaction()
        namespace.upstream = NamespaceUpstream.PROXY_CACHE
        self._accounts.put_namespace(transaction, namespace)
        transaction.put(keeper)
        self._store.add(transaction, row)
        metadata = {"upstream_registry": settings.source.reference, "expiration_s": settings.expiration_s}
        self._usage_log.record_for_namespace(actor, transaction, CACHE_CREATED, access.id, metadata)
        transaction.commit()

    def delete(self, actor: Actor, organization: str) -> None:
        """Makes a proxy cache an ordinary organization; what was fetched stays, and takes pushes.

        Raises ResourceUnknown, Unauthenticated, Denied.
        """
        keeper_id, until = retry_on_conflict(lambda: self._delete(actor, organization)), time.monotonic() + SETTLED_S
        self.work(Due(PROXY_CACHE, keeper_id, int(self._clock())), lambda: time.monotonic() < until)

    def _delete(self, actor: Actor, organization: str) -> str:
        access = self._access.administered(actor, organization)
        row = self._store.get(access.id)
        if row is None:
            raise ResourceUnknown("proxy cache of organization", organization)
        namespace, transaction = self._access.live_namespace(access), Transaction()
        namespace.upstream = None
        self._accounts.put_namespace(transaction, namespace)
        self._store.remove(transaction, row)
        transaction.delete(AccountRow.under(keys.account(row.keeper_id)))
        transaction.put(timer(PROXY_CACHE, row.keeper_id, int(self._clock())))
        metadata = {"upstream_registry": row.upstream}
        self._usage_log.record_for_namespace(actor, transaction, CACHE_DELETED, access.id, metadata)
        transaction.commit()
        return row.keeper_id

    def work(self, due: Due, has_time: HasTime) -> Later | None:
        """Removes the roles of the keeper of a proxy cache that is gone; for the timers."""
        holder = RoleHolder(due.target, "", HolderKind.ROBOT)
        for namespace_id, repository_id, _ in self._stores.permissions.roles_of(holder):
            if not has_time():
                return Later(int(self._clock()))
            retry_on_conflict(partial(self._stores.permissions.end_role, (namespace_id, repository_id), holder))
        return None


def keeper_name(organization: str) -> str:
    """Returns the name under which a proxy cache writes what it fetches: no robot can have it."""
    return f"{organization}+(proxy cache)"
