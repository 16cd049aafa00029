"""Who may do what: every source of a right, what a stranger is told, and rights that end before a token does."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Denied, NameUnknown, RegistryError, Unauthenticated
from chalicelib.domain.manifests import Manifest
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS, ANY, DELETE, PULL, PUSH, Actor, Role
from chalicelib.domain.repositories import Visibility
from chalicelib.services.security.access import permits
from chalicelib.storage import keys
from chalicelib.storage.accounts.accounts import AccountRow
from chalicelib.storage.registry.repositories import PermissionRow, RepositoryNameRow
from chalicelib.storage.table import get
from tests.support import invariants
from tests.support.backends import House
from tests.support.builders import a_blob, a_granted, a_manifest, a_push, a_repository, someone
from tests.support.rows import all_rows, change, remove, repository_of

APP = RepositoryName.parse("admin/app")
# A token that does not permit something may be told to be a poor token, or its holder to be without the right.
REFUSED = (Denied, Unauthenticated)


def make_public(house: House, repository: str = "admin/app") -> None:
    owner = someone(house, "admin", repository)
    house.services.repositories.change_visibility(owner, RepositoryName.parse(repository), Visibility.PUBLIC)


def allowed(house: House, actor: Actor, name: RepositoryName = APP) -> set[str]:
    """The actions that nothing is raised for."""
    found = set()
    for action in (PULL, PUSH, DELETE, ANY):
        try:
            house.services.access.repository(actor, name, action)
        except REFUSED:
            continue
        found.add(action)
    return found


def test_an_owner_may_do_everything_with_their_repository(house: House) -> None:
    a_repository(house)

    assert allowed(house, house.actor("admin", "admin/app", actions="*")) == {PULL, PUSH, DELETE, ANY}


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (Role.READ, {PULL}),
        (Role.WRITE, {PULL, PUSH, DELETE}),
        (Role.ADMIN, {PULL, PUSH, DELETE, ANY}),
    ],
)
def test_a_granted_role_permits_its_actions_and_no_more(house: House, role: Role, expected: set[str]) -> None:
    a_repository(house)
    house.user("bob")
    a_granted(house, "bob", role)

    assert allowed(house, house.actor("bob", "admin/app", actions="*")) == expected


def test_a_token_asked_for_less_than_the_role_permits_less(house: House) -> None:
    a_repository(house)

    assert allowed(house, house.actor("admin", "admin/app", actions="pull")) == {PULL}


def test_everybody_may_pull_what_is_public_and_do_nothing_else(house: House) -> None:
    a_repository(house)
    house.user("bob")
    make_public(house)

    assert allowed(house, house.actor("bob", "admin/app", actions="*")) == {PULL}
    assert allowed(house, house.actor("", "admin/app", actions="*")) == {PULL}
    assert allowed(house, ANONYMOUS) == {PULL}


def test_a_role_on_a_public_repository_counts_beside_its_being_public(house: House) -> None:
    a_repository(house)
    house.user("bob")
    make_public(house)
    a_granted(house, "bob", Role.WRITE)

    assert allowed(house, house.actor("bob", "admin/app", actions="*")) == {PULL, PUSH, DELETE}


def test_a_private_repository_is_closed_to_the_anonymous_and_to_strangers(house: House) -> None:
    a_repository(house)
    house.user("bob")

    assert allowed(house, ANONYMOUS) == set()
    assert allowed(house, house.actor("", "admin/app")) == set()
    assert allowed(house, house.actor("bob", "admin/app")) == set()


def test_a_repository_made_private_again_closes_to_the_anonymous_at_once(house: House) -> None:
    a_repository(house)
    make_public(house)
    house.services.repositories.change_visibility(someone(house, "admin", "admin/app"), APP, Visibility.PRIVATE)

    assert allowed(house, ANONYMOUS) == set()
    assert allowed(house, house.actor("", "admin/app")) == set()


def test_a_robot_may_what_it_was_granted_with_its_token_as_password(house: House) -> None:
    a_repository(house)
    _, secret = house.robot("admin+builder")
    scope = ["repository:admin/app:pull,push"]
    assert (
        not house.services.tokens.believe(house.services.tokens.issue(("admin+builder", secret), None, scope).token)
        .grants["admin/app"]
        .actions
    )

    a_granted(house, "admin+builder", Role.WRITE)
    robot = house.services.tokens.believe(house.services.tokens.issue(("admin+builder", secret), None, scope).token)

    assert (robot.name, robot.kind) == ("admin+builder", "robot")
    assert allowed(house, robot) == {PULL, PUSH, DELETE}


def test_a_robot_is_not_the_owner_of_its_namespace(house: House) -> None:
    a_repository(house)
    house.robot("admin+builder")

    robot = someone(house, "admin+builder", "admin/app", "admin/new")

    assert {grant.actions for grant in robot.grants.values()} == {frozenset()}


def test_only_the_owner_of_a_namespace_may_create_in_it(house: House) -> None:
    house.user("bob")

    with pytest.raises(REFUSED):
        house.services.repositories.for_push(house.actor("bob", "admin/new"), RepositoryName.parse("admin/new"))

    assert house.services.repositories.for_push(house.actor("bob", "bob/new"), RepositoryName.parse("bob/new"))


def refusal(house: House, actor: Actor, name: str, action: str) -> tuple[type[RegistryError], str, list[str]]:
    """Class, message without the name, and fields of a refusal."""
    with pytest.raises(RegistryError) as raised:
        house.services.access.repository(actor, RepositoryName.parse(name), action)
    return type(raised.value), str(raised.value).replace(name, "NAME"), sorted(raised.value.detail)


@pytest.mark.parametrize("action", [PULL, PUSH, DELETE])
@pytest.mark.parametrize("who", ["bob", ""])
@pytest.mark.parametrize("missing", ["admin/missing", "nobody/missing", "admin/private/deeper"])
def test_a_stranger_cannot_tell_a_private_repository_from_a_missing_one(
    house: House, action: str, who: str, missing: str
) -> None:
    a_repository(house, "admin/private")
    house.user("bob")

    for scopes in ((), ("admin/private", missing)):
        actor = house.actor(who, *scopes)
        assert refusal(house, actor, "admin/private", action) == refusal(house, actor, missing, action)


def test_the_token_of_a_stranger_says_the_same_of_a_private_and_of_a_missing_repository(house: House) -> None:
    a_repository(house, "admin/private")
    house.user("bob")

    grants = house.actor("bob", "admin/private", "admin/missing").grants

    assert replace(grants["admin/private"], name="") == replace(grants["admin/missing"], name="")


def test_a_token_for_another_repository_does_not_open_this_one(house: House) -> None:
    a_repository(house)
    a_repository(house, "admin/other")

    with pytest.raises(Unauthenticated) as refused:
        house.services.access.repository(house.actor("admin", "admin/other"), APP)

    assert refused.value.why == "insufficient_scope"


def test_an_owner_is_told_that_their_repository_is_not_there(house: House) -> None:
    with pytest.raises(NameUnknown):
        house.services.access.repository(house.actor("admin", "admin/missing"), RepositoryName.parse("admin/missing"))


def test_a_token_from_before_the_first_push_finds_the_repository_that_was_made_since(house: House) -> None:
    early = house.actor("admin", "admin/app")
    made = a_repository(house)

    assert house.services.access.repository(early, APP) == made


def test_who_may_push_may_delete_and_who_may_pull_may_not() -> None:
    assert permits(frozenset({PUSH}), DELETE)
    assert not permits(frozenset({PULL}), DELETE)
    assert not permits(frozenset({DELETE}), PUSH)
    assert permits(frozenset({ANY}), PUSH)


@dataclass
class Scene:
    """A repository with content, and what a write in it needs."""

    house: House
    repository: str
    tagged: Manifest
    loose: Digest
    elsewhere: Digest
    upload: str

    @property
    def name(self) -> RepositoryName:
        return RepositoryName.parse(self.repository)


CONTENT = b"content that comes last"


def a_scene(house: House, repository: str) -> Scene:
    tagged = a_push(house, "v1", repository=repository)
    loose = a_blob(house, repository=repository)
    elsewhere = a_blob(house, repository="admin/elsewhere")
    begun = house.services.uploads.begin(someone(house, "admin", repository), RepositoryName.parse(repository))
    return Scene(house, repository, tagged, loose, elsewhere, begun.token)


Write = Callable[[Scene, Actor], object]
WRITES: dict[str, Write] = {
    "push a blob": lambda it, actor: it.house.services.uploads.push(actor, it.name, Digest.of(CONTENT), CONTENT),
    "close an upload": lambda it, actor: it.house.services.uploads.close(
        actor, it.name, it.upload, Digest.of(CONTENT), CONTENT, None
    ),
    "mount a blob": lambda it, actor: it.house.services.blobs.mount(
        actor, repository_of(it.house, it.repository), it.elsewhere, RepositoryName.parse("admin/elsewhere")
    ),
    "push a manifest": lambda it, actor: it.house.services.manifests.push(
        actor, it.name, a_manifest([it.loose]), ["v2"]
    ),
    "move a tag": lambda it, actor: it.house.services.manifests.push(actor, it.name, a_manifest([it.loose]), ["v1"]),
    "delete a tag": lambda it, actor: it.house.services.tags.delete(actor, it.name, "v1"),
    "delete a manifest": lambda it, actor: it.house.services.manifests.delete(actor, it.name, it.tagged.digest),
    "delete a blob": lambda it, actor: it.house.services.blobs.delete(actor, it.name, it.loose),
}


def is_refused(write: Callable[..., object], *arguments: object) -> bool:
    """Whether a write is denied, and not for another reason."""
    try:
        write(*arguments)
    except Denied:
        return True
    return False


def disable(house: House, repository: str) -> None:
    change(get(AccountRow, keys.account(house.account("bob").id)), enabled=False)


def raise_epoch(house: House, repository: str) -> None:
    account = house.account("bob")
    change(account, epoch=account.epoch + 1)


def revoke(house: House, repository: str) -> None:
    remove(PermissionRow, keys.permission(repository_of(house, repository).id, house.account("bob").id))


def lower_to_read(house: House, repository: str) -> None:
    a_granted(house, "bob", Role.READ, repository)


def restore(house: House) -> None:
    change(house.account("bob"), enabled=True, epoch=0)


LOSSES = (disable, raise_epoch, revoke, lower_to_read)


@pytest.mark.parametrize("write", WRITES)
def test_a_right_that_ended_after_the_token_was_made_refuses_the_write(house: House, write: str) -> None:
    house.user("bob")
    a_repository(house, "admin/elsewhere")
    for number, lose in enumerate(LOSSES):
        scene = a_scene(house, f"admin/app{number}")
        a_granted(house, "bob", Role.ADMIN, scene.repository)
        a_granted(house, "bob", Role.READ, "admin/elsewhere")
        actor = someone(house, "bob", scene.repository, "admin/elsewhere")
        lose(house, scene.repository)
        before = all_rows(house)

        assert is_refused(WRITES[write], scene, actor), f"{write} was done after {lose.__name__}"

        assert written_since(house, before) == [], lose.__name__
        restore(house)


def written_since(house: House, before: list[dict[str, object]]) -> list[dict[str, object]]:
    """Rows that are new or changed, but for a push's edges and timers, which a collector takes."""
    harmless = ("USES#", "PARENT#")
    now = [row for row in all_rows(house) if row not in before]
    return [row for row in now if not row["sk"].startswith(harmless) and not row["pk"].startswith("TIMER#")]


@pytest.mark.parametrize("lose", [disable, raise_epoch])
def test_an_owner_whose_account_was_disabled_or_revoked_creates_no_repository(
    house: House, lose: Callable[[House, str], None]
) -> None:
    house.user("bob")
    actor = house.actor("bob", "bob/new")
    lose(house, "")
    before = all_rows(house)

    with pytest.raises(Denied):
        house.services.uploads.begin(actor, RepositoryName.parse("bob/new"))

    assert written_since(house, before) == []


def test_a_role_that_was_raised_to_another_still_writes_with_the_older_token(house: House) -> None:
    a_repository(house)
    house.user("bob")
    actor = a_granted(house, "bob", Role.WRITE)
    a_granted(house, "bob", Role.ADMIN)

    house.services.uploads.push(actor, APP, Digest.of(CONTENT), CONTENT)

    invariants.check(house)


@pytest.mark.parametrize("state", ["deleted", "purging"])
def test_a_write_into_a_repository_that_is_no_longer_live_is_refused(house: House, state: str) -> None:
    repository = a_repository(house)
    actor = someone(house, "admin", "admin/app")
    change(get(RepositoryNameRow, keys.repository_name(repository.namespace_id, "app")), state=state)

    with pytest.raises(NameUnknown):
        house.services.uploads.push(actor, APP, Digest.of(CONTENT), CONTENT)


def test_a_write_with_a_token_for_a_repository_whose_name_now_means_another_is_refused(house: House) -> None:
    repository = a_repository(house)
    actor = someone(house, "admin", "admin/app")
    other = a_repository(house, "admin/other")
    row = get(RepositoryNameRow, keys.repository_name(repository.namespace_id, "app"))
    change(row, repository_id=other.id)

    with pytest.raises(NameUnknown):
        house.services.uploads.push(actor, APP, Digest.of(CONTENT), CONTENT)
