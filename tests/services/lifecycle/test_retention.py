"""The retention of a tag and the preview of a policy predict what happens."""

import pytest

from chalicelib.domain.errors import Denied, FieldInvalid, ResourceUnknown
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.permissions import Role
from chalicelib.services.lifecycle import retention
from chalicelib.services.lifecycle.policies import PolicyHolder, PolicyRequest
from chalicelib.services.lifecycle.retention import DELETION, EXPIRATION, POLICY, PrunePreview, TagRetention
from tests.support.backends import Backend
from tests.support.builders import a_manifest, an_actor_with_role, an_index, push_image, push_manifest
from tests.support.rows import change, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, advance_clock, delete_tag, sweep
from tests.support.tag_actions import TagActions

NAME = RepositoryName.parse("admin/app")
APP, MINE = PolicyHolder(repository=NAME), PolicyHolder()
DAY_S = 86400
TWO = PolicyRequest(None, True, "number_of_tags", 2)
WEEK = PolicyRequest(None, True, "creation_date", "1w")


def retention_of(backend: Backend, tag: str, who: str = "admin") -> TagRetention:
    return backend.services.lifecycle.retention.of(backend.signed_in(who), NAME, Tag(tag))


def preview(backend: Backend, fields: PolicyRequest, holder: PolicyHolder = APP, page: str = "") -> PrunePreview:
    return backend.services.lifecycle.retention.preview(backend.signed_in("admin"), holder, fields, page)


def pushed(backend: Backend, *tags: str, repository: str = "admin/app") -> None:
    for tag in tags:
        push_manifest(backend, a_manifest(), tag, repository=repository)


def policy(backend: Backend, fields: PolicyRequest, holder: PolicyHolder = APP) -> str:
    return backend.services.lifecycle.policies.create(backend.signed_in("admin"), holder, fields).uuid


def names(found: PrunePreview) -> list[str]:
    return [row.name for _, row in found.tags]


def test_a_tag_without_an_expiry_stays_and_has_its_reclaimable_content(backend: Backend) -> None:
    manifest = push_image(backend, "v1")
    found = retention_of(backend, "v1")

    assert (found.ends_at, found.cause, found.pruners) == (None, None, ())
    assert [one.digest for one in found.reclaimable.manifests] == [manifest.digest]
    assert found.reclaimable.bytes > manifest.size
    assert found.window_s == WINDOW_S


def test_a_tag_ends_at_its_expiry(backend: Backend) -> None:
    push_image(backend, "v1", labels={"quay.expires-after": "2h"})
    found = retention_of(backend, "v1")

    assert (found.ends_at, found.cause) == (found.tag.started_at + 7200, EXPIRATION)


def test_a_policy_prunes_an_old_tag_in_the_first_round_after_its_time(backend: Backend) -> None:
    pushed(backend, "v1")
    uuid = policy(backend, WEEK)
    found = retention_of(backend, "v1")

    assert (found.ends_at, found.cause) == (found.tag.started_at + 7 * DAY_S, POLICY)
    assert [(one.policy.uuid, one.is_namespace) for one in found.pruners] == [(uuid, False)]


def test_a_policy_prunes_all_but_the_newest_in_the_next_round(backend: Backend) -> None:
    policy(backend, TWO, MINE)
    sweep(backend)
    pushed(backend, "v1", "v2", "v3")
    going, staying = retention_of(backend, "v1"), retention_of(backend, "v2")

    assert going.cause == POLICY
    assert going.ends_at is not None
    assert 0 < going.ends_at - backend.clock() <= 3600
    assert (staying.ends_at, [one.prunes_at for one in staying.pruners]) == (None, [None])
    advance_clock(backend, 3600)
    sweep(backend)
    pruned = retention_of(backend, "v1")
    assert (pruned.cause, pruned.pruners) == (DELETION, ())
    assert pruned.ends_at is not None
    assert going.ends_at <= pruned.ends_at <= backend.clock()


def test_a_deleted_tag_shows_when_it_ended_and_what_goes_with_it_while_the_time_machine_keeps_it(
    backend: Backend,
) -> None:
    manifest = push_image(backend, "v1")
    advance_clock(backend, DAY_S)
    delete_tag(backend, "v1")
    now = int(backend.clock())
    advance_clock(backend, WINDOW_S - 60)
    found = retention_of(backend, "v1")

    assert (found.cause, found.window_s, found.expires_at) == (DELETION, WINDOW_S, None)
    assert found.ends_at is not None
    assert 0 <= now - found.ends_at <= 5
    assert [one.digest for one in found.reclaimable.manifests] == [manifest.digest]
    advance_clock(backend, 120)
    with pytest.raises(ResourceUnknown):
        retention_of(backend, "v1")


def test_a_forgotten_tag_has_no_retention(backend: Backend) -> None:
    manifest = push_image(backend, "v1", "v2")
    TagActions(backend).forget("v1", str(manifest.digest), is_alive=True)

    with pytest.raises(ResourceUnknown):
        retention_of(backend, "v1")


@pytest.mark.parametrize("is_recorded", [True, False])
def test_an_expired_tag_shows_its_expiration_as_the_cause(backend: Backend, is_recorded: bool) -> None:
    push_image(backend, "v1", labels={"quay.expires-after": "2h"})
    ends_at = retention_of(backend, "v1").ends_at
    advance_clock(backend, DAY_S)
    if is_recorded:
        sweep(backend)
    found = retention_of(backend, "v1")

    assert (found.ends_at, found.expires_at, found.cause) == (ends_at, ends_at, EXPIRATION)


def test_the_last_life_of_a_tag_in_the_time_machine_counts(backend: Backend) -> None:
    push_image(backend, "v1")
    delete_tag(backend, "v1")
    advance_clock(backend, DAY_S)
    last = push_image(backend, "v1", "keep")
    delete_tag(backend, "v1")
    found = retention_of(backend, "v1")

    assert found.tag.digest == last.digest
    assert found.reclaimable.manifests == (), "another tag keeps it"


def test_the_earliest_cause_ends_the_tag(backend: Backend) -> None:
    push_image(backend, "v1", labels={"quay.expires-after": "2d"})
    policy(backend, WEEK)
    policy(backend, PolicyRequest(None, True, "creation_date", "1d"), MINE)
    found = retention_of(backend, "v1")

    assert (found.ends_at, found.cause) == (found.tag.started_at + DAY_S, POLICY)


@pytest.mark.parametrize("mode", ["READ_ONLY", "MIRROR"])
def test_a_repository_that_is_not_pruned_has_no_policies_in_the_retention(backend: Backend, mode: str) -> None:
    pushed(backend, "v1")
    policy(backend, PolicyRequest("w", True, "creation_date", "1d"))
    assert retention_of(backend, "v1").pruners == ()
    policy(backend, WEEK)
    TagActions(backend).set_immutable("v1", immutable=True)
    assert retention_of(backend, "v1").cause is None
    TagActions(backend).set_immutable("v1", immutable=False)
    assert retention_of(backend, "v1").cause == POLICY
    repository = repository_of(backend)
    change(backend.services.stores.repositories.find(repository.namespace_id, NAME), mode=mode)

    assert retention_of(backend, "v1").cause is None
    assert names(preview(backend, TWO)) == []


def test_a_reader_sees_the_end_and_not_the_policies(backend: Backend) -> None:
    pushed(backend, "v1")
    policy(backend, WEEK)
    backend.user("bob")
    backend.user("eve")
    an_actor_with_role(backend, "bob", Role.READ)
    found = retention_of(backend, "v1", "bob")

    assert (found.cause, found.pruners) == (POLICY, ())
    with pytest.raises(Denied):
        retention_of(backend, "v1", "eve")
    with pytest.raises(Denied):
        backend.services.lifecycle.retention.preview(backend.signed_in("bob"), APP, TWO)
    with pytest.raises(ResourceUnknown):
        retention_of(backend, "v2")


@pytest.mark.parametrize(
    "fields",
    [TWO, WEEK, PolicyRequest("a|v", True, "number_of_tags", 1), PolicyRequest("a", False, "number_of_tags", 1)],
)
def test_a_preview_lists_what_the_policy_then_prunes(backend: Backend, fields: PolicyRequest) -> None:
    pushed(backend, "v1", "a1", "v2", "b1")
    advance_clock(backend, 8 * DAY_S)
    pushed(backend, "v3", "a2")
    found = preview(backend, fields)
    assert len(rows_like(backend, "R#", "TAG#")) == 6
    policy(backend, fields)
    sweep(backend)

    left = {row["name"] for row in rows_like(backend, "R#", "TAG#")}
    assert {"v1", "a1", "v2", "b1", "v3", "a2"} - left == set(names(found))
    assert names(found)


@pytest.mark.parametrize("ending", ["", ".sig"])
def test_a_preview_neither_lists_nor_counts_signatures(backend: Backend, ending: str) -> None:
    images = [push_image(backend, f"v{number}") for number in range(5)]
    for image in images:
        push_manifest(backend, an_index(), f"sha256-{image.digest.hex}{ending}")

    assert names(preview(backend, TWO)) == ["v2", "v1", "v0"]


def test_a_preview_counts_the_bytes_that_are_freed(backend: Backend) -> None:
    first, _ = push_image(backend, "v1"), push_image(backend, "v2")
    found = preview(backend, PolicyRequest(None, True, "number_of_tags", 1))

    assert names(found) == ["v1"]
    (reclaimable,) = found.reclaimable
    assert reclaimable.bytes == first.size + sum(one.size for one in reclaimable.blobs)
    assert len(reclaimable.blobs) == 2
    assert {one.digest for reclaimable in found.reclaimable for one in reclaimable.manifests} == {first.digest}
    assert (found.following, found.window_s) == (None, WINDOW_S)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_large_preview_is_paged(backend: Backend, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(retention, "MOST_PRUNED", most)
    for repository in ("admin/app", "admin/web"):
        pushed(backend, "v1", "v2", "v3", "v4", repository=repository)
    found = [preview(backend, TWO, MINE)]
    while found[-1].following:
        found.append(preview(backend, TWO, MINE, found[-1].following))

    assert [(str(place.name), row.name) for page in found for place, row in page.tags] == [
        ("admin/app", "v2"),
        ("admin/app", "v1"),
        ("admin/web", "v2"),
        ("admin/web", "v1"),
    ]


def test_a_preview_reads_a_limited_number_of_tags_at_once(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    for repository in ("admin/a", "admin/b", "admin/c"):
        pushed(backend, "v1", "v2", "v3", repository=repository)
    monkeypatch.setattr(retention, "MOST_READ", 1)
    monkeypatch.setattr(retention, "MOST_REPOSITORIES", 1)
    found = [preview(backend, TWO, MINE)]
    while found[-1].following:
        found.append(preview(backend, TWO, MINE, found[-1].following))

    assert [row.name for page in found for _, row in page.tags] == ["v1", "v1", "v1"]
    assert len(found) >= 3


def test_a_page_token_of_another_preview_begins_at_the_start(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "MOST_PRUNED", 1)
    pushed(backend, "v1", "v2", "v3", "v4")
    page = preview(backend, TWO).following or ""

    assert names(preview(backend, TWO, page=page)) == ["v1"]
    other = PolicyRequest(None, True, "number_of_tags", 3)
    assert names(preview(backend, other, page=page)) == names(preview(backend, other)) == ["v1"]
    assert names(preview(backend, TWO, page="nonsense")) == ["v2"]


def test_an_invalid_preview_is_refused(backend: Backend) -> None:
    pushed(backend, "v1")
    for fields in (PolicyRequest(None, True, "nonsense", 1), PolicyRequest("(", True, "number_of_tags", 1)):
        with pytest.raises(FieldInvalid):
            preview(backend, fields)
