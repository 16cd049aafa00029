"""Fates: what will happen to a tag, and what a policy would do, told before it happens."""

import pytest

from chalicelib.domain.errors import Denied, FieldInvalid, ResourceUnknown
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Role
from chalicelib.services.lifecycle import retention
from chalicelib.services.lifecycle.policies import PolicyHolder, PolicyRequest
from chalicelib.services.lifecycle.retention import EXPIRATION, POLICY, PrunePreview, TagRetention
from tests.support.backends import House
from tests.support.builders import a_bare_push, a_granted, a_manifest, a_push
from tests.support.rows import change, repository_of, rows_like
from tests.support.sweeping import WINDOW_S, later, sweep

NAME = RepositoryName.parse("admin/app")
APP, MINE = PolicyHolder(repository=NAME), PolicyHolder()
DAY_S = 86400
TWO = PolicyRequest(None, True, "number_of_tags", 2)
WEEK = PolicyRequest(None, True, "creation_date", "1w")


def fate(house: House, tag: str, who: str = "admin") -> TagRetention:
    return house.services.fates.of(house.signed_in(who), NAME, tag)


def preview(house: House, asked: PolicyRequest, holder: PolicyHolder = APP, page: str = "") -> PrunePreview:
    return house.services.fates.preview(house.signed_in("admin"), holder, asked, page)


def pushed(house: House, *tags: str, repository: str = "admin/app") -> None:
    for tag in tags:
        a_bare_push(house, a_manifest(), tag, repository=repository)


def policy(house: House, asked: PolicyRequest, holder: PolicyHolder = APP) -> str:
    return house.services.policies.create(house.signed_in("admin"), holder, asked).uuid


def names(found: PrunePreview) -> list[str]:
    return [row.name for _, row in found.tags]


def test_a_tag_without_an_end_stays_and_tells_what_it_holds(house: House) -> None:
    manifest = a_push(house, "v1")
    found = fate(house, "v1")

    assert (found.ends_at, found.cause, found.pruners) == (None, None, ())
    assert [one.digest for one in found.loss.manifests] == [manifest.digest]
    assert found.loss.bytes > manifest.size
    assert found.window_s == WINDOW_S


def test_a_tag_with_an_end_goes_then(house: House) -> None:
    a_push(house, "v1", labels={"quay.expires-after": "2h"})
    found = fate(house, "v1")

    assert (found.ends_at, found.cause) == (found.tag.started_at + 7200, EXPIRATION)


def test_a_policy_takes_what_is_old_in_the_first_round_after(house: House) -> None:
    pushed(house, "v1")
    uuid = policy(house, WEEK)
    found = fate(house, "v1")

    assert (found.ends_at, found.cause) == (found.tag.started_at + 7 * DAY_S, POLICY)
    assert [(one.policy.uuid, one.is_namespace) for one in found.pruners] == [(uuid, False)]


def test_a_policy_takes_all_but_the_latest_in_the_next_round(house: House) -> None:
    policy(house, TWO, MINE)
    sweep(house)
    pushed(house, "v1", "v2", "v3")
    going, staying = fate(house, "v1"), fate(house, "v2")

    assert going.cause == POLICY
    assert going.ends_at is not None
    assert 0 < going.ends_at - house.clock() <= 3600
    assert (staying.ends_at, [one.prunes_at for one in staying.pruners]) == (None, [None])
    later(house, 3600)
    sweep(house)
    with pytest.raises(ResourceUnknown):
        fate(house, "v1")


def test_what_comes_first_ends_it(house: House) -> None:
    a_push(house, "v1", labels={"quay.expires-after": "2d"})
    policy(house, WEEK)
    policy(house, PolicyRequest(None, True, "creation_date", "1d"), MINE)
    found = fate(house, "v1")

    assert (found.ends_at, found.cause) == (found.tag.started_at + DAY_S, POLICY)


@pytest.mark.parametrize("mode", ["READ_ONLY", "MIRROR"])
def test_what_is_not_pruned_is_not_told_to_be(house: House, mode: str) -> None:
    pushed(house, "v1")
    policy(house, PolicyRequest("w", True, "creation_date", "1d"))
    assert fate(house, "v1").pruners == ()
    policy(house, WEEK)
    house.services.time_machine.set_immutable(house.signed_in("admin"), NAME, "v1", immutable=True)
    assert fate(house, "v1").cause is None
    house.services.time_machine.set_immutable(house.signed_in("admin"), NAME, "v1", immutable=False)
    assert fate(house, "v1").cause == POLICY
    repository = repository_of(house)
    change(house.services._repositories.find(repository.namespace_id, NAME), mode=mode)

    assert fate(house, "v1").cause is None
    assert names(preview(house, TWO)) == []


def test_a_reader_sees_the_end_and_not_the_policies(house: House) -> None:
    pushed(house, "v1")
    policy(house, WEEK)
    house.user("bob")
    house.user("eve")
    a_granted(house, "bob", Role.READ)
    found = fate(house, "v1", "bob")

    assert (found.cause, found.pruners) == (POLICY, ())
    with pytest.raises(Denied):
        fate(house, "v1", "eve")
    with pytest.raises(Denied):
        house.services.fates.preview(house.signed_in("bob"), APP, TWO)
    with pytest.raises(ResourceUnknown):
        fate(house, "v2")


@pytest.mark.parametrize(
    "asked",
    [TWO, WEEK, PolicyRequest("a|v", True, "number_of_tags", 1), PolicyRequest("a", False, "number_of_tags", 1)],
)
def test_a_preview_tells_what_the_policy_then_does(house: House, asked: PolicyRequest) -> None:
    pushed(house, "v1", "a1", "v2", "b1")
    later(house, 8 * DAY_S)
    pushed(house, "v3", "a2")
    found = preview(house, asked)
    assert len(rows_like(house, "R#", "TAG#")) == 6
    policy(house, asked)
    sweep(house)

    left = {row["name"] for row in rows_like(house, "R#", "TAG#")}
    assert {"v1", "a1", "v2", "b1", "v3", "a2"} - left == set(names(found))
    assert names(found)


def test_a_preview_tells_how_many_bytes_that_frees(house: House) -> None:
    first, _ = a_push(house, "v1"), a_push(house, "v2")
    found = preview(house, PolicyRequest(None, True, "number_of_tags", 1))

    assert names(found) == ["v1"]
    (loss,) = found.losses
    assert loss.bytes == first.size + sum(one.size for one in loss.blobs)
    assert len(loss.blobs) == 2
    assert {one.digest for loss in found.losses for one in loss.manifests} == {first.digest}
    assert (found.following, found.window_s) == (None, WINDOW_S)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_preview_of_much_goes_on_page_by_page(house: House, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(retention, "MOST_GOING", most)
    for repository in ("admin/app", "admin/web"):
        pushed(house, "v1", "v2", "v3", "v4", repository=repository)
    found = [preview(house, TWO, MINE)]
    while found[-1].following:
        found.append(preview(house, TWO, MINE, found[-1].following))

    assert [(str(place.name), row.name) for page in found for place, row in page.tags] == [
        ("admin/app", "v2"),
        ("admin/app", "v1"),
        ("admin/web", "v2"),
        ("admin/web", "v1"),
    ]


def test_a_preview_looks_at_so_much_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for repository in ("admin/a", "admin/b", "admin/c"):
        pushed(house, "v1", "v2", "v3", repository=repository)
    monkeypatch.setattr(retention, "MOST_READ", 1)
    monkeypatch.setattr(retention, "MOST_REPOSITORIES", 1)
    found = [preview(house, TWO, MINE)]
    while found[-1].following:
        found.append(preview(house, TWO, MINE, found[-1].following))

    assert [row.name for page in found for _, row in page.tags] == ["v1", "v1", "v1"]
    assert len(found) >= 3


def test_a_page_of_another_question_begins_anew(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "MOST_GOING", 1)
    pushed(house, "v1", "v2", "v3", "v4")
    page = preview(house, TWO).following or ""

    assert names(preview(house, TWO, page=page)) == ["v1"]
    other = PolicyRequest(None, True, "number_of_tags", 3)
    assert names(preview(house, other, page=page)) == names(preview(house, other)) == ["v1"]
    assert names(preview(house, TWO, page="nonsense")) == ["v2"]


def test_what_cannot_be_asked_is_told(house: House) -> None:
    pushed(house, "v1")
    for asked in (PolicyRequest(None, True, "nonsense", 1), PolicyRequest("(", True, "number_of_tags", 1)):
        with pytest.raises(FieldInvalid):
            preview(house, asked)
