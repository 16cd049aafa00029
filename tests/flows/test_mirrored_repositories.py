"""A mirror through its repository's life: who pushes into it, and what is left of it after a deletion."""

from collections.abc import Callable

import pytest

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import (
    Denied,
    RegistryError,
    RepositoryClosed,
    RepositoryFrozen,
    RobotInUse,
    Unauthenticated,
)
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import HolderKind, Role
from chalicelib.domain.repositories import Mode
from chalicelib.domain.timers import MIRROR
from tests.support.backends import Backend
from tests.support.builders import a_config, a_manifest, an_organization_repository, built, token_actor
from tests.support.crashes import crash_everywhere, just_before_commit
from tests.support.mirror_builders import SETTINGS, SOURCE, a_mirror, a_robot, changes, mirror_row
from tests.support.rows import change, due_at, events, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, advance_clock, expire_everything, sweep

NAME = RepositoryName.parse("admin/app")


def push(backend: Backend, account: str, tag: str = "v1", label: str = "") -> Digest:
    """Pushes an image with its blobs under a token that is issued now."""
    actor, registry = token_actor(backend, account, str(NAME)), backend.services.registry
    contents = [b"layer", a_config({"quay.expires-after": label} if label else None)]
    layer, config = [built(content) for content in contents]
    for content, digest in zip(contents, (layer, config), strict=True):
        registry.uploads.push(actor, NAME, digest, content)
    manifest = a_manifest([layer], config)
    registry.manifests.push(actor, NAME, manifest, [Tag(tag)])
    return manifest.digest


def tags(backend: Backend) -> list[str]:
    page = backend.services.registry.tags.list(token_actor(backend, "admin", str(NAME)), NAME, None, 100)
    return list(page.items)


def test_only_the_robot_pushes_into_a_mirror_and_deletes_there(backend: Backend) -> None:
    a_mirror(backend)
    a_robot(backend, "admin+other")
    backend.user("writer")
    admin, permissions = backend.signed_in("admin"), backend.services.accounts.permissions
    for holder in ("admin+other", "writer"):
        permissions.put(admin, NAME, HolderKind.USER, holder, Role.ADMIN)

    push(backend, "admin+mirror")
    for account in ("admin", "admin+other", "writer"):
        with pytest.raises(Unauthenticated, match="admin/app is MIRROR: it takes pushes and deletions only by its"):
            push(backend, account)
        with pytest.raises(Unauthenticated):
            backend.services.registry.tags.delete_granted(token_actor(backend, account, str(NAME)), NAME, Tag("v1"))
    backend.services.registry.tags.delete_granted(token_actor(backend, "admin+mirror", str(NAME)), NAME, Tag("v1"))

    assert tags(backend) == []


def test_the_token_endpoint_grants_pushes_to_the_robot_alone(backend: Backend) -> None:
    a_mirror(backend)
    _, secret = backend.robot("admin+other")
    tokens = backend.services.identity.tokens
    robots = backend.services.accounts.robots
    mirror = robots.get(backend.signed_in("admin"), RobotName.parse("admin+mirror")).token or ""

    def granted(name: str, password: str) -> set[str]:
        token = tokens.issue((name, password), None, ["repository:admin/app:pull,push,delete"]).token
        return set(tokens.believe(token).grants["admin/app"].actions)

    assert granted("admin+mirror", mirror) == {"pull", "push", "delete"}
    assert granted("admin", "password") == {"pull"}
    assert granted("admin+other", secret) == set()


def test_a_push_into_a_mirror_costs_no_read_more(backend: Backend) -> None:
    a_mirror(backend)
    push(backend, "admin+mirror")
    actor, manifest = token_actor(backend, "admin+mirror", str(NAME)), a_manifest()
    backend.calls.take()

    backend.services.registry.manifests.push(actor, NAME, manifest, [Tag("v2")])

    assert backend.calls.take() == ["BatchWriteItem", "BatchGetItem", "TransactWriteItems"]


LOSSES: dict[str, Callable[[Backend], object]] = {
    "another robot": lambda backend: backend.services.mirroring.mirrors.change(
        backend.signed_in("admin"), NAME, changes(a_robot(backend, "admin+other"))
    ),
    "read-only": lambda backend: backend.services.registry.repositories.change_mode(
        backend.signed_in("admin"), NAME, Mode.READ_ONLY
    ),
    "lower role": lambda backend: backend.services.accounts.permissions.put(
        backend.signed_in("admin"), NAME, HolderKind.USER, "admin+mirror", Role.READ
    ),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_robot_that_lost_the_mirror_pushes_no_more_with_the_token_that_it_has(backend: Backend, loss: str) -> None:
    a_mirror(backend)
    push(backend, "admin+mirror")
    actor = token_actor(backend, "admin+mirror", str(NAME))

    LOSSES[loss](backend)

    with pytest.raises(Denied) as refused:
        backend.services.registry.manifests.push(actor, NAME, a_manifest(), [Tag("v2")])
    assert isinstance(refused.value, RepositoryClosed) is (loss != "lower role")
    assert tags(backend) == ["v1"]


def test_without_a_mirror_nobody_pushes_and_after_it_everybody_again(backend: Backend) -> None:
    a_mirror(backend)
    admin, service = backend.signed_in("admin"), backend.services.mirroring.mirrors
    service.delete(admin, NAME)
    backend.services.registry.repositories.change_mode(admin, NAME, Mode.MIRROR)
    for account in ("admin", "admin+mirror"):
        with pytest.raises(Unauthenticated):
            push(backend, account)

    backend.services.registry.repositories.change_mode(admin, NAME, Mode.NORMAL)

    push(backend, "admin")
    assert tags(backend) == ["v1"]


def test_tags_and_labels_of_a_mirror_do_not_change_over_the_api(backend: Backend) -> None:
    a_mirror(backend)
    push(backend, "admin+mirror")

    with pytest.raises(RepositoryFrozen, match="Repository is in read only or mirror mode: 2"):
        backend.services.registry.tags.delete(backend.signed_in("admin"), NAME, Tag("v1"))


@pytest.mark.parametrize("label", ["1h", "nonsense"])
def test_a_label_of_expiry_ends_no_tag_of_a_mirror(backend: Backend, label: str) -> None:
    repository = a_mirror(backend)
    push(backend, "admin+mirror", label=label)

    assert rows_like(backend, f"R#{repository.id}", "TAG#v1")[0].get("expires_at") is None
    assert events(backend, "tag_expiration_warned") == []
    advance_clock(backend, 7200)
    assert tags(backend) == ["v1"]


def delete(backend: Backend) -> None:
    backend.services.registry.repositories.delete(backend.signed_in("admin"), NAME)


def restore(backend: Backend, repository_id: str) -> None:
    backend.services.lifecycle.repository_deletion.restore(backend.signed_in("admin"), repository_id, None)


def test_a_deleted_repository_mirrors_nothing_and_a_restored_one_goes_on(backend: Backend) -> None:
    now = int(backend.clock())
    repository = a_mirror(backend, start_at=now + 5000, source={"username": "u", "password": "p"})
    robot = backend.account("admin+mirror").id

    delete(backend)
    assert (due_at(MIRROR, repository.id), mirror_row(repository).view) == (None, None)
    assert rows_like(backend, f"A#{robot}", "MIRROR#") == []

    restore(backend, repository.id)
    view = backend.services.mirroring.mirrors.get(backend.signed_in("admin"), NAME)
    assert (view.robot, view.settings.source.password, view.row.next_at) == ("admin+mirror", "p", now + 5000)
    assert (due_at(MIRROR, repository.id), view.row.view is None) == (now + 5000, False)
    push(backend, "admin+mirror")
    with pytest.raises(RobotInUse):
        backend.services.accounts.robots.delete(backend.signed_in("admin"), RobotName.parse("admin+mirror"))


def test_a_run_that_a_deletion_interrupted_is_looked_after_once_it_is_restored(backend: Backend) -> None:
    repository = a_mirror(backend, start_at=int(backend.clock()) + 5000)
    change(mirror_row(repository), status=SyncStatus.SYNCING)
    delete(backend)
    assert due_at(MIRROR, repository.id) is None

    restore(backend, repository.id)

    assert 0 < (due_at(MIRROR, repository.id) or 0) <= int(backend.clock())


def test_a_mirror_that_is_changed_while_its_repository_is_deleted_begins_no_run(backend: Backend) -> None:
    repository = a_mirror(backend)

    with pytest.raises(RegistryError), just_before_commit(backend, lambda: delete(backend)):
        backend.services.mirroring.mirrors.change(backend.signed_in("admin"), NAME, changes(start_at=7))

    assert (mirror_row(repository).view, due_at(MIRROR, repository.id)) == (None, None)


def test_a_mirror_is_restored_without_a_robot_that_was_deleted_meanwhile(backend: Backend) -> None:
    repository, admin = a_mirror(backend), backend.signed_in("admin")
    delete(backend)
    backend.services.accounts.robots.delete(admin, RobotName.parse("admin+mirror"))

    restore(backend, repository.id)

    assert backend.services.mirroring.mirrors.get(admin, NAME).robot is None
    with pytest.raises(Unauthenticated):
        push(backend, "admin")
    backend.services.mirroring.mirrors.change(admin, NAME, changes(a_robot(backend, "admin+other")))
    push(backend, "admin+other")


def left(backend: Backend, repository_id: str) -> list[tuple[str, str]]:
    """Returns the keys of all rows that have anything of a mirror."""
    rows = (row for row in rows_like(backend) if not row["pk"].startswith(("LOG#", "FENCE#")))
    keys = [(row["pk"], row["sk"]) for row in rows]
    return [key for key in keys if repository_id in f"{key}" or "MIRROR" in f"{key}"]


def test_a_purge_leaves_nothing_of_a_mirror(backend: Backend) -> None:
    repository = a_mirror(backend, start_at=int(backend.clock()) + 10 * WINDOW_S)
    push(backend, "admin+mirror")
    delete(backend)

    expire_everything(backend)

    assert left(backend, repository.id) == []


def test_a_deleted_namespace_leaves_nothing_of_its_mirrors(backend: Backend) -> None:
    backend.user("alice")
    repository = a_mirror(
        backend, "alice/app", a_robot(backend, "alice+mirror"), start_at=int(backend.clock()) + 10 * WINDOW_S
    )
    backend.services.accounts.account_deletion.delete_user(backend.signed_in("admin"), "alice")

    expire_everything(backend)

    assert left(backend, repository.id) == []


def test_a_renamed_namespace_keeps_its_mirrors(backend: Backend) -> None:
    admin, organizations = backend.signed_in("admin"), backend.services.accounts.organizations
    organizations.create(admin, "acme")
    backend.services.accounts.robots.create(admin, RobotName.parse("acme+mirror"))
    name = an_organization_repository(backend).name
    new = changes("acme+mirror", SOURCE, **{**SETTINGS, "is_enabled": False})
    backend.services.mirroring.mirrors.create(admin, name, new)

    backend.services.accounts.renames.rename(admin, "acme", "umbrella")
    sweep(backend)

    view = backend.services.mirroring.mirrors.get(admin, RepositoryName.parse("umbrella/app"))
    assert (view.robot, view.settings.source.reference) == ("umbrella+mirror", SOURCE["reference"])


def test_setting_a_mirror_up_changing_and_removing_it_survive_a_crash(backend: Backend) -> None:
    def prepared(number: int) -> RepositoryName:
        a_mirror(backend, f"admin/round{number}")
        return RepositoryName.parse(f"admin/round{number}")

    admin, service = backend.signed_in("admin"), backend.services.mirroring.mirrors

    def setting_up(number: int) -> Callable[[], object]:
        name = prepared(number)
        service.delete(admin, name)
        return lambda: service.create(admin, name, changes("admin+mirror", SOURCE, **SETTINGS))

    def changing(number: int) -> Callable[[], object]:
        name, robot = prepared(100 + number), a_robot(backend, "admin+other")
        return lambda: service.change(admin, name, changes(robot, interval_s=60))

    def removing(number: int) -> Callable[[], object]:
        name = prepared(200 + number)
        return lambda: service.delete(admin, name)

    for prepare in (setting_up, changing, removing):
        assert crash_everywhere(backend, prepare) == 1
        check_mirrors(backend)


def test_deleting_and_restoring_a_mirror_survive_a_crash(backend: Backend) -> None:
    admin = backend.signed_in("admin")

    def deleting(number: int) -> Callable[[], object]:
        a_mirror(backend, f"admin/round{number}")
        name = RepositoryName.parse(f"admin/round{number}")
        return lambda: backend.services.registry.repositories.delete(admin, name)

    def restoring(number: int) -> Callable[[], object]:
        repository = a_mirror(backend, f"admin/round{100 + number}")
        backend.services.registry.repositories.delete(admin, repository.name)

        def again() -> None:
            try:
                restore(backend, repository.id)
            except RegistryError:
                repository_of(backend, str(repository.name))

        return again

    for prepare in (deleting, restoring):
        assert crash_everywhere(backend, prepare) == 1
        check_mirrors(backend)


def check_mirrors(backend: Backend) -> None:
    """Checks that the rows of names, mirrors, robots and timers say the same."""
    rows = rows_like(backend)
    by_name = {row["repository_id"]: row for row in rows if row["sk"].startswith("REPO#")}
    mirrors = {row["repository_id"]: row for row in rows if row["pk"].startswith("R#") and row["sk"] == "MIRROR"}
    robots = {(row["pk"][2:], row["sk"][7:]) for row in rows if row["pk"][:2] == "A#" and row["sk"][:7] == "MIRROR#"}
    live = {identifier: row["mirror_robot"] for identifier, row in by_name.items() if row.get("mirror_robot")}
    assert live == {identifier: row["robot_id"] for identifier, row in mirrors.items() if identifier in by_name}
    assert robots == {(robot, identifier) for identifier, robot in live.items()}
    for identifier, row in mirrors.items():
        assert row.get("next_at") == due_at(MIRROR, identifier)
        assert (row.get("next_at") is not None) is (identifier in by_name)
    assert {identifier for identifier in by_name if by_name[identifier]["mode"] == "MIRROR"} == live.keys()
