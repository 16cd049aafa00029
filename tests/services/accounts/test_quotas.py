"""Tests who reads and sets quotas, and that every kind of push respects them."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Thread

import pytest

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import (
    AlreadyThere,
    Denied,
    FieldInvalid,
    QuotaExceeded,
    RegistryError,
    ResourceUnknown,
    Unauthenticated,
)
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, Actor, Role
from chalicelib.domain.timers import QUOTA, Due
from chalicelib.domain.uploads import UploadBody
from chalicelib.services.accounts.quotas import LimitChanges, QuotaHolder, QuotaLimit, check_room
from chalicelib.services.lifecycle.timers import Timers
from chalicelib.storage.accounts.quotas import linked_bytes
from chalicelib.storage.timers import TimerStore
from tests.support.backends import Backend
from tests.support.builders import (
    a_blob,
    a_direct_upload,
    a_manifest,
    a_repository,
    an_actor_with_role,
    an_organization,
    push_image,
    push_manifest,
    token_actor,
)
from tests.support.crashes import Crash, before_calls, crash_before, crash_everywhere
from tests.support.rows import ABSENT, events, rows_like, set_link_state

ACME, MINE = QuotaHolder("acme", AccountKind.ORGANIZATION), QuotaHolder()
GIVEN = QuotaHolder("acme", AccountKind.ORGANIZATION, by_superuser=True)
BASE = RepositoryName.parse("bob/base")
ADMINS = QuotaHolder("admin", AccountKind.USER, by_superuser=True)


def give(backend: Backend, number: int, *limits: tuple[str, int], holder: QuotaHolder = ADMINS) -> int:
    """Sets a quota with limits; returns its id."""
    quotas, actor = backend.services.accounts.quotas, backend.signed_in("admin")
    quotas.create(actor, holder, QuotaLimit(number))
    quota = quotas.of(actor, holder)
    assert quota is not None
    for severity, percent in limits:
        quotas.add_limit(actor, holder, quota.id, severity, percent)
    return quota.id


def test_a_quota_is_created_changed_and_removed_and_all_of_it_is_recorded(backend: Backend) -> None:
    an_organization(backend)
    quotas, actor = backend.services.accounts.quotas, backend.signed_in("admin")
    identifier = give(backend, 2_000_000, ("Warning", 80), holder=GIVEN)

    assert quotas.change(actor, GIVEN, identifier, QuotaLimit(limit="5 MiB")).limit_bytes == 5 * 1024**2
    (limit,) = quotas.get(actor, ACME, identifier).limits
    assert quotas.change_limit(actor, GIVEN, identifier, limit.id, LimitChanges(percent=70)).percent == 70
    assert quotas.change_limit(actor, GIVEN, identifier, limit.id, LimitChanges("Reject")).percent == 70
    quotas.delete_limit(actor, GIVEN, identifier, limit.id)
    quotas.delete(actor, GIVEN, identifier)

    assert quotas.of(actor, ACME) is None
    assert [event["kind"].removeprefix("org_") for event in events(backend, "org_")] == [
        "create_quota", "create_quota_limit", "change_quota", "change_quota_limit", "change_quota_limit",
        "delete_quota_limit", "delete_quota",
    ]  # fmt: skip


def test_a_namespace_has_one_quota(backend: Backend) -> None:
    give(backend, 10)

    with pytest.raises(AlreadyThere, match="already exists"):
        give(backend, 20)


def test_of_two_creations_at_once_one_succeeds(backend: Backend) -> None:
    def attempt(number: int) -> bool:
        try:
            backend.services.accounts.quotas.create(backend.signed_in("admin"), ADMINS, QuotaLimit(number))
        except AlreadyThere:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == [False, False, False, True]
    assert len(events(backend, "org_create_quota")) == 1


def test_a_crash_leaves_a_quota_whole(backend: Backend) -> None:
    def prepare(number: int) -> Callable[[], object]:
        quotas, actor = backend.services.accounts.quotas, backend.signed_in("admin")
        quota = quotas.of(actor, ADMINS)
        if quota is None:
            quotas.create(actor, ADMINS, QuotaLimit(number))
            quota = quotas.of(actor, ADMINS)
        assert quota is not None
        return lambda: quotas.change(actor, ADMINS, quota.id, QuotaLimit(number + 100))

    crash_everywhere(backend, prepare)


def test_only_members_read_and_only_superusers_set_quotas(backend: Backend) -> None:
    an_organization(backend, owner=backend.user("alice").name)
    backend.user("bob")
    identifier = give(backend, 10, ("Warning", 50), holder=GIVEN)
    quotas, alice = backend.services.accounts.quotas, backend.signed_in("alice")
    (limit,) = quotas.get(alice, ACME, identifier).limits

    def writes(actor: Actor, holder: QuotaHolder) -> list[Callable[[], object]]:
        return [
            lambda: quotas.create(actor, holder, QuotaLimit(-1)),
            lambda: quotas.change(actor, holder, identifier, QuotaLimit(1)),
            lambda: quotas.delete(actor, holder, identifier),
            lambda: quotas.add_limit(actor, holder, identifier, "Explode", 1),
            lambda: quotas.change_limit(actor, holder, identifier, limit.id, LimitChanges(percent=1)),
            lambda: quotas.delete_limit(actor, holder, identifier, limit.id),
        ]

    refused: list[tuple[Callable[[], object], type[RegistryError]]] = []
    for name in ("alice", "bob"):
        actor = backend.signed_in(name)
        refused += [(write, Denied) for holder in (ACME, GIVEN) for write in writes(actor, holder)]
    refused += [(write, Denied) for write in writes(backend.signed_in("admin"), ACME)]
    refused += [(write, Unauthenticated) for write in writes(ANONYMOUS, GIVEN)]
    refused += [(lambda: quotas.of(backend.signed_in("bob"), ACME), Denied)]
    refused += [(lambda: quotas.of(alice, GIVEN), Denied)]
    refused += [(partial(quotas.of, ANONYMOUS, holder), Unauthenticated) for holder in (ACME, MINE, GIVEN)]
    for ask, kind in refused:
        with pytest.raises(kind):
            ask()
    assert quotas.get(backend.signed_in("admin"), ACME, identifier).limits == (limit,)


def test_superusers_with_full_access_set_quotas_by_organization_routes(new_backend: Callable[..., Backend]) -> None:
    backend = new_backend(superusers_full_access=True)
    an_organization(backend, owner=backend.user("alice").name)
    quotas = backend.services.accounts.quotas
    quotas.create(backend.signed_in("admin"), ACME, QuotaLimit(10))

    assert quotas.of(backend.signed_in("alice"), ACME) is not None
    with pytest.raises(Denied):
        quotas.create(backend.signed_in("alice"), ACME, QuotaLimit(10))


@pytest.mark.parametrize(
    ("holder", "identifier"),
    [
        (QuotaHolder("nowhere", AccountKind.ORGANIZATION, by_superuser=True), None),
        (QuotaHolder("acme", AccountKind.USER, by_superuser=True), None),
        (QuotaHolder("admin", AccountKind.ORGANIZATION, by_superuser=True), None),
        (QuotaHolder("nowhere", AccountKind.ORGANIZATION), None),
        (GIVEN, 1),
        (ADMINS, 1),
    ],
)
def test_a_missing_quota_or_limit_is_an_error(backend: Backend, holder: QuotaHolder, identifier: int | None) -> None:
    an_organization(backend)
    quotas, actor = backend.services.accounts.quotas, backend.signed_in("admin")

    with pytest.raises(ResourceUnknown):
        quotas.get(actor, holder, identifier or 1)
    if holder.by_superuser:
        with pytest.raises(ResourceUnknown):
            quotas.change(actor, holder, identifier or 1, QuotaLimit(1))


def test_an_invalid_number_of_bytes_is_refused(backend: Backend) -> None:
    with pytest.raises(FieldInvalid):
        give(backend, -1)


# Each kind of push brings a blob of 64 bytes into admin/app.
def by_push(backend: Backend) -> None:
    a_blob(backend)


def by_chunks(backend: Backend) -> None:
    actor, uploads, content = token_actor(backend, "admin", "admin/app"), backend.services.registry.uploads, b"x" * 64
    _, name = backend.owner()
    progress = uploads.append(actor, name, uploads.begin(actor, name).token, UploadBody(content))
    uploads.close(actor, name, progress.token, Digest.of(content), UploadBody())


def by_one_put(backend: Backend) -> None:
    actor, uploads, content = token_actor(backend, "admin", "admin/app"), backend.services.registry.uploads, b"y" * 64
    _, name = backend.owner()
    uploads.close(actor, name, uploads.begin(actor, name).token, Digest.of(content), UploadBody(content))


def by_mount(backend: Backend) -> None:
    digest = a_blob(backend, b"z" * 64, str(BASE))
    an_actor_with_role(backend, "admin", Role.READ, str(BASE))
    registry, actor = backend.services.registry, token_actor(backend, "admin", "admin/app", str(BASE))
    assert registry.blobs.mount(actor, registry.repositories.for_push(actor, backend.owner()[1]), digest, BASE)


def by_adoption(backend: Backend) -> None:
    content = b"w" * 64
    a_direct_upload(backend, content)
    actor, name = backend.owner()
    backend.services.registry.blobs.find(actor, name, Digest.of(content))


WAYS = [by_push, by_chunks, by_one_put, by_mount, by_adoption]


@pytest.mark.parametrize("way", WAYS)
def test_every_kind_of_push_is_refused_above_the_limit_and_accepted_up_to_it(
    backend: Backend, way: Callable[[Backend], None]
) -> None:
    backend.user("bob")
    a_blob(backend, b"first" * 8)
    identifier = give(backend, 206, ("Reject", 50), ("Warning", 10))
    with pytest.raises(QuotaExceeded) as raised:
        way(backend)
    assert (raised.value.namespace, raised.value.limit_bytes) == ("admin", 103)

    backend.services.accounts.quotas.change(backend.signed_in("admin"), ADMINS, identifier, QuotaLimit(208))
    way(backend)
    with pytest.raises(QuotaExceeded):
        a_blob(backend, b"1")


def test_a_manifest_is_refused_once_the_namespace_is_above_its_limit(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    identifier = give(backend, 10, ("Reject", 100))
    with pytest.raises(QuotaExceeded):
        push_manifest(backend, manifest, "v2")
    with pytest.raises(QuotaExceeded):
        push_manifest(backend, a_manifest(), "v3")

    backend.services.accounts.quotas.change(backend.signed_in("admin"), ADMINS, identifier, QuotaLimit(10_000))
    push_manifest(backend, manifest, "v2")


def test_a_quota_that_only_warns_refuses_nothing(backend: Backend) -> None:
    give(backend, 0, ("Warning", 1))

    push_image(backend, "v1")


def test_a_quota_of_zero_bytes_refuses_every_push(backend: Backend) -> None:
    give(backend, 0, ("Reject", 100))

    for push in (a_blob, lambda it: push_manifest(it, a_manifest(), "empty")):
        with pytest.raises(QuotaExceeded):
            push(backend)


@pytest.mark.parametrize("limit", ["Warning", "Reject"])
def test_a_push_reads_sizes_only_where_there_is_a_limit(backend: Backend, limit: str) -> None:
    name = backend.owner()[1]
    actor = token_actor(backend, "admin", "admin/app")
    backend.services.registry.repositories.for_push(actor, name)
    actor = token_actor(backend, "admin", "admin/app")

    def calls() -> list[str]:
        content = str(backend.clock()).encode()
        backend.calls.take()
        backend.services.registry.uploads.push(actor, name, Digest.of(content), content)
        return backend.calls.take()

    without = calls()
    identifier = give(backend, 10**6)
    assert calls() == without
    backend.services.accounts.quotas.add_limit(backend.signed_in("admin"), ADMINS, identifier, limit, 100)
    more = ["BatchGetItem", "GetItem"] if limit == "Reject" else ["BatchGetItem"]
    assert sorted(calls()) == sorted([*without, *more])


def test_a_missing_namespace_has_no_quota_to_check(backend: Backend) -> None:
    backend.calls.take()
    check_room(None, 10, 0, lambda: False)

    assert backend.calls.take() == []


@pytest.mark.parametrize("way", WAYS)
def test_of_two_pushes_into_the_last_bytes_one_is_refused(backend: Backend, way: Callable[[Backend], None]) -> None:
    backend.user("bob")
    a_blob(backend, b"first" * 8)
    give(backend, 40 + 64, ("Reject", 100))
    overtook: list[bool] = []

    def called(*_: object, **call: object) -> None:
        """Lets another push take the room before the write."""
        if call.get("operation_name") == "TransactWriteItems" and not overtook and has_looked(backend):
            overtook.append(True)
            a_blob(backend, b"the other " * 6, "admin/other")

    backend.calls.take()
    with pytest.raises(QuotaExceeded), before_calls(backend, called):
        way(backend)
    assert overtook
    assert linked_bytes(backend.account("admin").id) == 40 + 60


def has_looked(backend: Backend) -> bool:
    """Whether the next write adds the bytes, as the quota has been checked."""
    return "GetItem" in backend.calls.names[-5:]


def test_many_pushes_at_once_fill_a_quota_to_its_last_byte_and_no_further(backend: Backend) -> None:
    give(backend, 64 * 5, ("Reject", 100))
    a_repository(backend)
    refused: list[str] = []

    def push(number: int) -> None:
        try:
            a_blob(backend, bytes([number]) * 64)
        except QuotaExceeded as error:
            refused.append(str(error))

    threads = [Thread(target=push, args=(number,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 4
    assert linked_bytes(backend.account("admin").id) == 64 * 5


def warned(backend: Backend) -> list[int]:
    return [json.loads(row["metadata"])["threshold_percent"] for row in events(backend, "quota_warning")]


def tick(backend: Backend, seconds: int = 61) -> None:
    backend.clock.ahead_s += seconds
    Timers(TimerStore(), {QUOTA: backend.services.accounts.quotas.warn}, backend.clock).run(lambda: 60.0)


def test_a_passed_warning_limit_is_recorded_once_and_again_after_it_was_below(backend: Backend) -> None:
    give(backend, 200, ("Warning", 50), ("Warning", 90))
    repository = a_repository(backend)
    a_blob(backend, b"a" * 64)
    tick(backend)
    assert warned(backend) == []
    digest = a_blob(backend, b"b" * 64)
    tick(backend)
    a_blob(backend, b"c")
    tick(backend)
    assert warned(backend) == [50]
    a_blob(backend, b"d" * 64)
    tick(backend)
    assert sorted(warned(backend)) == [50, 90]

    for name in (digest, Digest.of(b"d" * 64)):
        set_link_state(repository, name, ABSENT)
    tick(backend, 86_500)
    a_blob(backend, b"e" * 64)
    tick(backend)
    assert sorted(warned(backend)) == [50, 50, 90]


def test_a_warning_that_crashes_anywhere_is_recorded_once(backend: Backend) -> None:
    give(backend, 100, ("Warning", 50))
    a_blob(backend, b"a" * 64)
    number = 0
    while True:
        number += 1
        try:
            with crash_before(backend, number):
                backend.services.accounts.quotas.warn(Due(QUOTA, backend.account("admin").id, 0), lambda: True)
            break
        except Crash:
            continue
    assert warned(backend) == [50]


def test_a_namespace_whose_quota_was_removed_is_no_longer_checked(backend: Backend) -> None:
    identifier = give(backend, 100, ("Warning", 50))
    a_blob(backend, b"a" * 64)
    backend.services.accounts.quotas.delete(backend.signed_in("admin"), ADMINS, identifier)
    tick(backend)

    assert warned(backend) == []
    assert rows_like(backend, "TIMER#quota") == []
