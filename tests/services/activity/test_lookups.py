"""A HEAD of a tag and a GET of the digest that it named are one pull of the tag, in whichever processes."""

from collections.abc import Callable

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import Actor, Role
from chalicelib.domain.pulls import HOUR_S, LOOKUP_S, Puller
from chalicelib.services.activity.lookups import Lookups, Recent
from chalicelib.storage.activity.lookups import LookupStore
from chalicelib.wiring.activity import ActivityRoom
from chalicelib.wiring.registry import RegistryRoom
from tests.support.backends import Backend
from tests.support.builders import an_actor_with_role, push_image, token_actor
from tests.support.rows import rows_like

NAME = RepositoryName.parse("admin/app")
PULLER = Puller("alice", "192.0.2.1", "r")


def in_another_process(backend: Backend) -> None:
    """Gives the services anew, as another process has them, which remembers nothing."""
    services = backend.services
    services.activity = ActivityRoom(services.stores, services.security)
    services.registry = RegistryRoom(services.stores, services.security, services.activity, services.accounts)


def a_reader(backend: Backend, name: str = "bob") -> Actor:
    backend.user(name)
    return an_actor_with_role(backend, name, Role.READ)


def head(backend: Backend, actor: Actor, tag: str = "v1") -> Digest:
    return backend.services.registry.manifests.find(actor, NAME, Tag(tag)).digest


def get(backend: Backend, actor: Actor, reference: "str | Digest") -> None:
    parsed = Tag(reference) if isinstance(reference, str) else reference
    backend.services.registry.manifests.pull(actor, NAME, parsed)


def counts(backend: Backend, tag: str = "v1") -> tuple[int, int]:
    """How often a tag and its manifest were pulled."""
    shown = backend.services.activity.pulls.of_tag(backend.signed_in("admin"), NAME, Tag(tag))
    return shown.of_tag.pulls, shown.of_manifest.pulls


@pytest.mark.parametrize("pull_log", ["hourly", "all"])
@pytest.mark.parametrize("processes", [1, 2])
def test_head_of_a_tag_and_get_of_its_digest_are_one_pull_of_the_tag(
    new_backend: Callable[..., Backend], pull_log: str, processes: int
) -> None:
    backend = new_backend(pull_log=pull_log)
    push_image(backend, "v1")
    reader = a_reader(backend)

    digest = head(backend, reader)
    if processes == 2:
        in_another_process(backend)
    get(backend, reader, digest)

    assert counts(backend) == (1, 1)


def test_a_head_alone_and_a_get_of_a_digest_alone_count_for_no_tag(backend: Backend) -> None:
    digest = push_image(backend, "v1").digest
    reader, other = a_reader(backend), a_reader(backend, "carol")
    head(backend, reader)
    assert counts(backend) == (0, 0)

    get(backend, other, digest)
    assert counts(backend) == (0, 1)


def test_the_same_pair_counts_once_an_hour_also_beside_a_get_of_the_tag(backend: Backend) -> None:
    push_image(backend, "v1")
    reader = a_reader(backend)
    for _ in range(3):
        get(backend, reader, head(backend, reader))
        in_another_process(backend)
    get(backend, reader, "v1")
    assert counts(backend) == (1, 1)

    backend.clock.ahead_s += HOUR_S
    get(backend, reader, head(backend, reader))
    assert counts(backend) == (2, 2)


def test_every_pair_counts_if_the_setting_says_so(new_backend: Callable[..., Backend]) -> None:
    backend = new_backend(pull_log="all")
    push_image(backend, "v1")
    reader = a_reader(backend)
    for _ in range(2):
        get(backend, reader, head(backend, reader))

    assert counts(backend) == (2, 2)


def test_tags_of_one_manifest_are_counted_apart(backend: Backend) -> None:
    push_image(backend, "v1", "latest")
    reader = a_reader(backend)
    for tag in ("v1", "latest"):
        get(backend, reader, head(backend, reader, tag))

    assert counts(backend, "v1") == (1, 2)
    assert counts(backend, "latest") == (1, 2)


def test_a_repeated_pair_costs_no_call_more_than_its_reads(backend: Backend) -> None:
    push_image(backend, "v1")
    reader = a_reader(backend)
    get(backend, reader, head(backend, reader))
    backend.calls.take()

    for _ in range(2):
        digest = head(backend, reader)
        assert backend.calls.take() == ["GetItem"]
        get(backend, reader, digest)
        assert backend.calls.take() == ["GetItem"]


def test_a_get_in_another_process_reads_the_lookup_once(backend: Backend) -> None:
    push_image(backend, "v1")
    reader = a_reader(backend)
    digest = head(backend, reader)
    in_another_process(backend)
    get(backend, reader, digest)
    backend.calls.take()

    get(backend, reader, digest)
    assert backend.calls.take() == ["GetItem"]
    assert counts(backend) == (1, 1)


def test_the_lookups_of_a_push_are_remembered_but_not_written(backend: Backend) -> None:
    push_image(backend, "v1")
    pusher = token_actor(backend, "admin", "admin/app")
    backend.calls.take()
    digest = head(backend, pusher)
    assert backend.calls.take() == ["GetItem"]
    get(backend, pusher, digest)

    assert counts(backend) == (1, 1)
    assert rows_like(backend, "PULLS#", "LOOKUP#") == []


def test_the_lookups_of_pushers_are_written_where_that_costs_nothing(new_backend: Callable[..., Backend]) -> None:
    backend = new_backend(pull_batch_s=60)
    push_image(backend, "v1")
    pusher = token_actor(backend, "admin", "admin/app")
    digest = head(backend, pusher)
    in_another_process(backend)
    get(backend, pusher, digest)
    backend.services.activity.usage_log.flush()

    assert counts(backend) == (1, 1)


def test_a_lookup_is_over_after_an_hour(backend: Backend) -> None:
    lookups = Lookups(LookupStore(), True, backend.clock)
    lookups.add(PULLER, "v1", "sha256:a", may_push=False)
    assert lookups.tag_of(PULLER, "sha256:a") == "v1"
    assert Lookups(LookupStore(), True, backend.clock).tag_of(PULLER, "sha256:a") == "v1"

    backend.clock.ahead_s += LOOKUP_S
    for one in (lookups, Lookups(LookupStore(), True, backend.clock)):
        assert one.tag_of(PULLER, "sha256:a") == ""


class Broken(LookupStore):
    """A table that does not answer."""

    def put(self, *_: object) -> None:
        raise OSError

    def get(self, *_: object) -> None:
        raise OSError


def test_a_table_that_fails_fails_neither_a_lookup_nor_a_pull(backend: Backend) -> None:
    lookups = Lookups(Broken(), True, backend.clock)
    lookups.add(PULLER, "v1", "sha256:a", may_push=False)

    assert lookups.tag_of(PULLER, "sha256:a") == "v1"
    assert lookups.tag_of(PULLER, "sha256:b") == ""


def test_a_process_remembers_a_limited_number_of_values() -> None:
    recent: Recent[int] = Recent(2)
    for number in (1, 2, 1, 3):
        recent.put(number, number)

    assert [recent.get(number) for number in (1, 2, 3)] == [1, None, 3]
    assert recent.take(3) == 3
    assert recent.take(3) is None
