"""Random sequences of pushes, deletions, the clock, crashes and the garbage collector.

No pullable manifest ever loses a byte, and nothing unreferenced outlives the longer of window and lease, plus the
grace, plus one sweep. At least 500 steps in every run of the tests; `make soak` takes thousands.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import BlobUnknown, FieldInvalid, ManifestBlobUnknown, RegistryError, ResourceUnknown
from chalicelib.domain.manifests import Manifest
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.timers import EXPIRY, GARBAGE
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import NamespaceRow
from chalicelib.storage.registry.tags import TagRow
from chalicelib.storage.table import get
from infra.local.stream import TableStream, filters
from infra.local.timetolive import TimeToLiveService
from tests.support import invariants
from tests.support.backends import Backend
from tests.support.builders import a_direct_upload, a_manifest, a_repository, an_index, token_actor
from tests.support.crashes import Crash, crash_before, meanwhile
from tests.support.rows import DELETING, change, object_keys, repository_of, rows_like
from tests.support.sweeping import sweep
from tests.support.tag_actions import TagActions

REPOSITORIES = ("admin/one", "admin/two")
TAGS = ("v1", "v2", "v3")
CONTENTS = tuple(b"layer %d" % number for number in range(5))
LEASE_S, GRACE_S, PRESIGN_S, UPLOAD_S = 600, 900, 600, 600
WINDOWS_S = (0, 86_400)
# How far the clock advances in a step: within a lease, past one, past the grace, past a window.
STEPS_S = (5, 5, LEASE_S // 3, LEASE_S // 2, LEASE_S + 5, GRACE_S + 5, 86_400 + 5)
T = TypeVar("T")
IS_SOAK = os.environ.get("CLOUDBERTH_SOAK") == "1"
SETTINGS = settings(
    max_examples=200 if IS_SOAK else 6,
    stateful_step_count=150 if IS_SOAK else 85,
    deadline=None,
    derandomize=not IS_SOAK,
    # Shrinking an example takes longer than a test may; enable it by hand to find a cause.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
repositories, tags, contents = st.sampled_from(REPOSITORIES), st.sampled_from(TAGS), st.sampled_from(CONTENTS)
some_layers = st.lists(contents, min_size=1, max_size=3, unique=True)
# Before which call of a push the collector runs; 0 for none.
moments = st.sampled_from((0, 0, 0, 1, 2, 3, 4))
# Before which of its calls an operation dies; 0 for none.
deaths = st.sampled_from((*[0] * 10, 1, 2, 3, 4, 5, 6, 8, 11))


class Registry(RuleBasedStateMachine):
    """A backend with two repositories, their clients, owners and jobs."""

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self.backend = backend
        self.manifests: list[Manifest] = []
        # Blobs that a pusher was told are there: repository and digest, and until when they must be.
        self.promised: dict[tuple[str, Digest], float] = {}
        # Manifests that an owner may restore: repository and digest, and until when.
        self.restorable: dict[tuple[str, str], float] = {}
        # Manifests that were pushed without a tag: repository and manifest, and until when their lease lasts.
        self.leased: dict[tuple[str, Digest], float] = {}
        # Keys whose presigned addresses a puller received, and until when they are valid.
        self.given: dict[str, float] = {}
        self.window_s = max(WINDOWS_S)
        self.deleted: set[str] = set()
        # The keys of the bucket, and when each was first seen by the backend's clock.
        self.written: dict[str, float] = {}
        backend.services.stores.objects.client.meta.events.register("after-call.s3.ListObjectsV2", self.date)
        client, stream = backend.services.stores.table.connection.client, TableStream(self.hear, filters(), 100)
        self.ttl = TimeToLiveService(client, backend.settings.table, stream, 0, backend.clock)
        for repository in REPOSITORIES:
            a_repository(backend, repository)
        self.set_window(self.window_s)

    @property
    def now(self) -> float:
        return self.backend.clock()

    def date(self, parsed: dict[str, Any], **_: object) -> None:
        """Replaces the bucket's dates by the backend's clock."""
        for entry in parsed.get("Contents", ()):
            at = self.written.get(entry["Key"])
            entry["LastModified"] = datetime.fromtimestamp(at, UTC) if at else entry["LastModified"]

    def dying(self, death: int, operation: Callable[[], Any]) -> Any:
        """Runs an operation, which dies before a call if one is given; a refusal by the registry is a valid result."""
        try:
            with suppress(RegistryError), crash_before(self.backend, death):
                return operation()
        except Crash:
            return None

    # Pushers

    @rule(repository=repositories, content=contents, death=deaths)
    def push_blob(self, repository: str, content: bytes, death: int) -> None:
        name, digest = RepositoryName.parse(repository), Digest.of(content)
        actor = token_actor(self.backend, "admin", repository)

        def push() -> bool:
            self.backend.services.registry.uploads.push(actor, name, digest, content)
            return True

        if self.dying(death, push):
            self.promised[repository, digest] = self.now + LEASE_S - 1

    @rule(repository=repositories, content=contents)
    def bring_past_us(self, repository: str, content: bytes) -> None:
        a_direct_upload(self.backend, content, self.now, repository)

    @rule(repository=repositories, content=contents)
    def ask_for_a_blob(self, repository: str, content: bytes) -> None:
        """A client that skips its upload if the registry says that it has the blob."""
        name, digest = RepositoryName.parse(repository), Digest.of(content)
        with suppress(BlobUnknown):
            actor = token_actor(self.backend, "admin", repository)
            self.backend.services.registry.blobs.find(actor, name, digest, promise=True)
            self.promised[repository, digest] = self.now + LEASE_S / 2 - 1

    @rule(repository=repositories, content=contents)
    def pull_a_blob(self, repository: str, content: bytes) -> None:
        """A client that receives an address and uses it later."""
        name, digest = RepositoryName.parse(repository), Digest.of(content)
        with suppress(BlobUnknown):
            actor = token_actor(self.backend, "admin", repository)
            found = self.backend.services.registry.blobs.find(actor, name, digest)
            self.given[found.s3_key] = self.now + PRESIGN_S - 1

    @rule(repository=repositories, content=contents, death=deaths)
    def mount(self, repository: str, content: bytes, death: int) -> None:
        source = next(one for one in REPOSITORIES if one != repository)
        actor = token_actor(self.backend, "admin", repository, source)
        target, digest = a_repository(self.backend, repository), Digest.of(content)
        mount = self.backend.services.registry.blobs.mount
        if self.dying(death, lambda: mount(actor, target, digest, RepositoryName.parse(source))):
            self.promised[repository, digest] = self.now + LEASE_S - 1

    @rule(repository=repositories, tag=tags, layers=some_layers, death=deaths, between=moments)
    def push_image(self, repository: str, tag: str, layers: list[bytes], death: int, between: int) -> None:
        self.push(repository, self.image(repository, layers), [tag], death, between)

    @rule(repository=repositories, layers=some_layers, death=deaths)
    def push_untagged(self, repository: str, layers: list[bytes], death: int) -> None:
        self.push(repository, self.image(repository, layers), [], death)

    @rule(repository=repositories, tag=tags, layers=some_layers, death=deaths, between=moments)
    def push_index(self, repository: str, tag: str, layers: list[bytes], death: int, between: int) -> None:
        """Pushes an index after its children, as every client does."""
        children = [self.image(repository, layers), self.image(repository, layers[:1])]
        for child in children:
            self.push(repository, child, [])
        self.push(repository, an_index([child.digest for child in children]), [tag], death, between)

    @precondition(lambda self: self.manifests)
    @rule(data=st.data(), repository=repositories, tag=tags, death=deaths, between=moments)
    def push_again(self, data: Any, repository: str, tag: str, death: int, between: int) -> None:
        self.push(repository, data.draw(st.sampled_from(self.manifests[-12:])), [tag], death, between)

    @precondition(lambda self: self.manifests)
    @rule(data=st.data(), repository=repositories, death=deaths)
    def push_referrer(self, data: Any, repository: str, death: int) -> None:
        subject = data.draw(st.sampled_from(self.manifests[-8:]))
        self.push(repository, a_manifest(subject=subject.digest), [], death)

    def image(self, repository: str, layers: list[bytes]) -> Manifest:
        """Returns an image whose layers are pushed unless the registry has them."""
        for layer in layers:
            if self.promised.get((repository, Digest.of(layer)), 0) <= self.now:
                self.push_blob(repository, layer, 0)
        return a_manifest([Digest.of(layer) for layer in layers], annotations=self.padding(len(layers)))

    def push(self, repository: str, manifest: Manifest, tags: list[str], death: int = 0, between: int = 0) -> None:
        """Pushes a manifest, with the collector between two calls; blobs that the pusher was promised must exist."""
        name, missing = RepositoryName.parse(repository), set[str]()
        self.manifests.append(manifest)
        actor = token_actor(self.backend, "admin", repository)

        def push() -> bool:
            try:
                self.backend.services.registry.manifests.push(actor, name, manifest, [Tag(tag) for tag in tags])
            except ManifestBlobUnknown as error:
                missing.update(error.digests)
            return not missing

        with meanwhile(self.backend, between, lambda: sweep(self.backend, EXPIRY, GARBAGE)):
            if self.dying(death, push) and not tags:
                self.leased[repository, manifest.digest] = self.now + LEASE_S - 1
        kept = {str(digest) for where, digest in self.unexpired(self.promised) if where == repository}
        assert not missing & kept, "a promise was broken"

    @staticmethod
    def padding(number: int) -> dict[str, str]:
        """Returns annotations that make some manifests too long for an item."""
        return {"nonce": os.urandom(4).hex()} | ({"padding": "x" * 40_000} if number == 3 else {})

    @rule(data=st.data(), repository=repositories, death=deaths)
    def delete_tag(self, data: Any, repository: str, death: int) -> None:
        identifier = repository_of(self.backend, repository).id
        there = [row["sk"].removeprefix("TAG#") for row in rows_like(self.backend, f"R#{identifier}", "TAG#")]
        tag = data.draw(st.sampled_from(there or TAGS))
        row = get(TagRow, keys.tag(identifier, tag))

        def delete() -> bool:
            TagActions(self.backend, repository=repository).delete(tag)
            return True

        if self.dying(death, delete) and row is not None:
            self.restorable[repository, str(row.digest)] = self.now + self.window_s - 1

    @precondition(lambda self: self.manifests)
    @rule(data=st.data(), repository=repositories, death=deaths)
    def delete_manifest(self, data: Any, repository: str, death: int) -> None:
        digest, name = data.draw(st.sampled_from(self.manifests[-8:])).digest, RepositoryName.parse(repository)
        actor = token_actor(self.backend, "admin", repository)
        self.leased.pop((repository, digest), None)
        self.dying(death, lambda: self.backend.services.registry.manifests.delete(actor, name, digest))

    @rule(repository=repositories, content=contents)
    def delete_blob(self, repository: str, content: bytes) -> None:
        digest, name = Digest.of(content), RepositoryName.parse(repository)
        self.promised.pop((repository, digest), None)
        with suppress(RegistryError):
            self.backend.services.registry.blobs.delete(token_actor(self.backend, "admin", repository), name, digest)

    @precondition(lambda self: self.manifests)
    @rule(data=st.data(), repository=repositories, tag=tags, death=deaths)
    def restore(self, data: Any, repository: str, tag: str, death: int) -> None:
        kept = [digest for where, digest in self.unexpired(self.restorable) if where == repository]
        known = kept or [str(manifest.digest) for manifest in self.manifests[-12:]]
        digest = data.draw(st.sampled_from(known))
        tags, refused = TagActions(self.backend, repository=repository), list[RegistryError]()

        def restore() -> None:
            try:
                tags.restore(tag, digest)
            except ResourceUnknown as error:
                refused.append(error)

        self.dying(death, restore)
        assert not (kept and refused), "the Time Machine lost what it had to keep"

    @rule(repository=repositories, tag=tags, hours=st.sampled_from((1, 30, None)), death=deaths)
    def set_end(self, repository: str, tag: str, hours: int | None, death: int) -> None:
        end = None if hours is None else int(self.now) + hours * 3600
        tags = TagActions(self.backend, repository=repository)
        self.dying(death, lambda: tags.set_end(tag, end))

    @precondition(lambda self: self.manifests)
    @rule(data=st.data(), repository=repositories, tag=tags, is_alive=st.booleans(), death=deaths)
    def forget(self, data: Any, repository: str, tag: str, is_alive: bool, death: int) -> None:
        digest = str(data.draw(st.sampled_from(self.manifests[-12:])).digest)
        tags = TagActions(self.backend, repository=repository)
        self.restorable.pop((repository, digest), None)
        with suppress(ResourceUnknown, FieldInvalid):
            self.dying(death, lambda: tags.forget(tag, digest, is_alive=is_alive))

    @rule(seconds=st.sampled_from(WINDOWS_S))
    def change_window(self, seconds: int) -> None:
        self.set_window(seconds)

    def set_window(self, seconds: int) -> None:
        change(get(NamespaceRow, keys.namespace(self.backend.account("admin").id)), window_s=seconds)
        self.restorable = {} if seconds < self.window_s else self.restorable
        self.window_s = seconds

    @rule(seconds=st.sampled_from(STEPS_S))
    def wait(self, seconds: int) -> None:
        self.backend.clock.ahead_s += seconds

    @rule()
    def collect(self) -> None:
        sweep(self.backend, EXPIRY, GARBAGE)

    @rule(death=st.integers(1, 40))
    def collect_and_die(self, death: int) -> None:
        self.dying(death, lambda: sweep(self.backend, EXPIRY, GARBAGE))
        # A claimed timer stays claimed for the rest of the turn.
        self.backend.clock.ahead_s += 20

    @rule()
    def collect_again(self) -> None:
        """Resumes abandoned turns, long after other turns have done their work."""
        dead = {(where, Digest.parse(text)) for where, text in self.restorable}
        for repository, digest in sorted(dead | self.promised.keys() | self.leased.keys(), key=str):
            identifier = repository_of(self.backend, repository).id
            for target in (keys.manifest_target, keys.blob_target):
                self.backend.services.lifecycle.garbage.collect(target(identifier, digest))
            self.backend.services.lifecycle.garbage.collect(keys.bytes_target(digest))

    @rule(death=deaths)
    def expire_everything(self, death: int) -> None:
        """The TTL service removes expired rows; the stream's consumer may die."""
        self.dying(death, self.ttl.turn)

    def hear(self, event: dict[str, Any], _: object) -> None:
        for record in event["Records"]:
            self.backend.services.lifecycle.tag_expiry.removed(record["dynamodb"]["OldImage"])

    @rule()
    def reconcile(self) -> None:
        self.backend.services.lifecycle.reconcile.run(lambda: True)

    @precondition(lambda self: self.deleted)
    @rule(data=st.data())
    def delete_late(self, data: Any) -> None:
        """S3 repeats an old deletion late."""
        self.backend.services.stores.objects.delete(data.draw(st.sampled_from(sorted(self.deleted))))

    @invariant()
    def nothing_that_lives_has_lost_anything(self) -> None:
        invariants.check(self.backend)
        current = bucket(self.backend)
        self.deleted |= self.written.keys() - current
        self.written = {key: self.written.get(key, self.now) for key in current}
        assert not self.deleted & current, "a key was used twice"
        sent = {key for key, until in self.given.items() if until > self.now}
        assert sent <= current, "an address that was given out leads nowhere"

    @invariant()
    def nothing_that_was_promised_is_on_its_way_out(self) -> None:
        rows = {(row["pk"], row["sk"]): row for row in rows_like(self.backend, "R#")}
        identifiers = {repository: repository_of(self.backend, repository).id for repository in REPOSITORIES}
        pushed = [keys.blob_link(identifiers[where], digest) for where, digest in self.unexpired(self.promised)]
        pushed += [keys.manifest(identifiers[where], digest) for where, digest in self.unexpired(self.leased)]
        dead = [
            keys.manifest(identifiers[where], Digest.parse(text)) for where, text in self.unexpired(self.restorable)
        ]
        assert all(rows[key]["state"] != DELETING for key in [*pushed, *dead]), "a promise is being broken"

    def unexpired(self, promises: dict[tuple[str, T], float]) -> list[tuple[str, T]]:
        """The promises that hold at this moment."""
        return [promise for promise, until in promises.items() if until > self.now]

    def teardown(self) -> None:
        """Lets all timers finish, then checks that exactly the reachable content is left."""
        for _ in range(4):
            self.backend.clock.ahead_s += max(WINDOWS_S) + LEASE_S + GRACE_S + 5
            sweep(self.backend, EXPIRY, GARBAGE)
        self.backend.clock.ahead_s += 86_400 + self.backend.settings.settled_s + 5
        self.backend.services.lifecycle.reconcile.run(lambda: True)
        invariants.check(self.backend)
        assert bucket(self.backend) == reachable(self.backend)
        assert rows_like(self.backend, "BLOB#", "META") == [] or reachable(self.backend)
        self.backend.services.stores.objects.client.meta.events.unregister("after-call.s3.ListObjectsV2", self.date)


def bucket(backend: Backend) -> set[str]:
    """Returns all keys of the backend's repositories in the bucket."""
    found: set[str] = set()
    for repository in REPOSITORIES:
        identifier = repository_of(backend, repository).id
        found |= {*object_keys(backend, f"in/{identifier}/"), *object_keys(backend, f"bodies/{identifier}/")}
    return found


def reachable(backend: Backend) -> set[str]:
    """Returns the keys that live tags reach through manifests, their children, referrers and blobs."""
    blobs = {row["pk"].removeprefix("BLOB#"): row["s3_key"] for row in rows_like(backend, "BLOB#", "META")}
    found: set[str] = set()
    for repository in REPOSITORIES:
        rows = rows_like(backend, f"R#{repository_of(backend, repository).id}")
        todo = [row["digest"] for row in rows if row["sk"].startswith("TAG#")]
        edges = [row["sk"].split("#") for row in rows]
        bodies = {row["sk"].removeprefix("BODY#"): row.get("s3_key") for row in rows if row["sk"].startswith("BODY#")}
        seen: set[str] = set()
        while todo:
            digest = todo.pop()
            if digest in seen:
                continue
            seen.add(digest)
            todo += [parts[1] for parts in edges if parts[0] == "PARENT" and parts[2] == digest]
            referrers = [parts[2] for parts in edges if parts[0] == "REFERRER" and parts[1] == digest]
            todo += [referrer for referrer in referrers if referrer in bodies]
            found |= {blobs[parts[1]] for parts in edges if parts[0] == "USES" and parts[2] == digest}
            found |= {bodies[digest]} if bodies.get(digest) else set()
    return found


def test_nothing_that_lives_loses_a_byte_and_nothing_dead_keeps_one(new_backend: Callable[..., Backend]) -> None:
    chosen = {"lease_s": LEASE_S, "grace_s": GRACE_S, "presign_s": PRESIGN_S}
    chosen |= dict.fromkeys(("upload_s", "presigned_upload_s"), UPLOAD_S)
    machine: Any = lambda: Registry(new_backend(**chosen))  # noqa: E731
    run_state_machine_as_test(machine, settings=SETTINGS)
