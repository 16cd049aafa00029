"""Referrers: what else says something about a manifest, in pages, without the deleted."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Unauthenticated
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS
from chalicelib.services.registry.referrers import LARGEST_PAGE_BYTES, PAGE, Referrer
from chalicelib.storage import keys
from chalicelib.storage.registry.manifests import LARGEST_ANNOTATIONS, ReferrerRow
from chalicelib.storage.table import put_all
from tests.support.backends import House
from tests.support.builders import (
    a_bare_push,
    a_blob,
    a_config,
    a_manifest,
    a_push,
    a_referrer,
    a_repository,
    an_index,
    someone,
)

NAME = RepositoryName.parse("admin/app")
SUBJECT = Digest.of(b"subject")


def listed(
    house: House,
    subject: Digest = SUBJECT,
    kind: str | None = None,
    last: Digest | None = None,
    repository: str = "admin/app",
) -> tuple[list[Referrer], bool]:
    name = RepositoryName.parse(repository)
    page = house.services.referrers.list(someone(house, "admin", repository), name, subject, kind, last)
    return list(page.items), page.more


def every(house: House, kind: str | None = None) -> tuple[list[Digest], int]:
    """All digests of a list, and over how many pages they came."""
    found: list[Digest] = []
    pages, more = 0, True
    while more:
        items, more = listed(house, kind=kind, last=found[-1] if found else None)
        found, pages = found + [item.digest for item in items], pages + 1
        assert pages < 50
    return found, pages


def edges(house: House, count: int, **fields: object) -> list[Digest]:
    """Edges as so many pushes write them; gives the digests in their order."""
    repository, seed = a_repository(house), str(fields)
    digests = sorted((Digest.of(f"{seed}{number}".encode()) for number in range(count)), key=str)
    plain = {"media_type": "t", "size": 1, "ulid": "u", "annotations": "{}", **fields}
    put_all(
        ReferrerRow.under(keys.referrer(repository.id, SUBJECT, digest), digest=str(digest), **plain)
        for digest in digests
    )
    return digests


def test_a_referrer_is_listed_with_all_that_is_known_of_it(house: House) -> None:
    subject = a_push(house, "v1")
    referrer = a_referrer(house, subject.digest, artifactType="application/x.sbom", annotations={"a": "\u00e4"})
    (found,), more = listed(house, subject.digest)

    assert not more
    assert (found.digest, found.media_type, found.size) == (referrer.digest, referrer.media_type, referrer.size)
    assert (found.artifact_type, dict(found.annotations)) == ("application/x.sbom", {"a": "\u00e4"})


def test_a_subject_may_come_after_its_referrers_or_never(house: House) -> None:
    subject = a_manifest()
    a_repository(house)
    referrer = a_referrer(house, subject.digest)
    assert [it.digest for it in listed(house, subject.digest)[0]] == [referrer.digest]

    a_bare_push(house, subject, "v1")

    assert [it.digest for it in listed(house, subject.digest)[0]] == [referrer.digest]


def test_images_and_indexes_refer_too(house: House) -> None:
    image = a_bare_push(house, a_manifest([], a_blob(house, a_config()), SUBJECT))
    index = a_bare_push(house, an_index([], subject={"mediaType": "t/x", "digest": str(SUBJECT), "size": 1}))
    kinds = {it.digest: it.artifact_type for it in listed(house)[0]}

    assert kinds == {image.digest: "application/vnd.oci.image.config.v1+json", index.digest: None}


def test_a_deleted_referrer_is_hidden_and_shows_again_when_it_is_pushed_again(house: House) -> None:
    a_repository(house)
    referrer, other = a_referrer(house, SUBJECT), a_referrer(house, SUBJECT)
    house.services.manifests.delete(someone(house, "admin", "admin/app"), NAME, referrer.digest)
    assert [it.digest for it in listed(house)[0]] == [other.digest]

    a_bare_push(house, referrer)

    assert {it.digest for it in listed(house)[0]} == {referrer.digest, other.digest}


def test_referrers_stay_within_their_repository_and_subject(house: House) -> None:
    a_repository(house)
    a_repository(house, "admin/other")
    a_referrer(house, SUBJECT)

    assert listed(house, repository="admin/other") == ([], False)
    assert listed(house, Digest.of(b"other")) == ([], False)


def test_more_than_a_page_comes_in_pages_each_once(house: House) -> None:
    digests = edges(house, 2 * PAGE + 1)
    first, more = listed(house)

    assert (len(first), more) == (PAGE, True)
    assert every(house) == (digests, 3)


def test_just_a_page_has_no_next_one(house: House) -> None:
    edges(house, PAGE)
    items, more = listed(house)

    assert (len(items), more) == (PAGE, False)


def test_a_filter_and_the_deleted_leave_no_hole_in_a_page(house: House) -> None:
    wanted = edges(house, PAGE + 5, artifact_type="wanted")
    edges(house, 150, artifact_type="other")
    edges(house, 150, artifact_type="wanted", deleted_at=1)

    assert every(house, "wanted") == (wanted, 2)
    assert len(listed(house, kind="wanted")[0]) == PAGE
    assert every(house, "none such") == ([], 1)


def test_annotations_above_8_kb_are_read_from_the_manifest(house: House) -> None:
    a_repository(house)
    annotations = {"long": "x" * LARGEST_ANNOTATIONS, "umlaut": "\u00e4"}
    a_referrer(house, SUBJECT, annotations=annotations)
    ((found,), more) = listed(house)

    assert not more
    assert dict(found.annotations) == annotations


def test_a_page_weighs_less_than_what_can_be_answered(house: House) -> None:
    a_repository(house)
    pushed = {a_referrer(house, SUBJECT, annotations={"a": f"{number}" * 700_000}).digest for number in range(4)}
    first, more = listed(house)
    digests, _ = every(house)

    assert more
    assert sum(len(text) for it in first for text in it.annotations.values()) < LARGEST_PAGE_BYTES
    assert (len(digests), set(digests)) == (4, pushed)


def test_one_that_is_too_heavy_for_any_page_still_comes(house: House) -> None:
    a_repository(house)
    pushed = {a_referrer(house, SUBJECT, annotations={"a": f"{number}" * 2_200_000}).digest for number in range(2)}

    assert len(pushed) == 2
    assert set(every(house)[0]) == pushed


def test_what_is_not_there_has_none_and_what_is_private_tells_nothing(house: House) -> None:
    assert listed(house, repository="admin/missing") == ([], False)
    a_repository(house)
    with pytest.raises(Unauthenticated):
        house.services.referrers.list(ANONYMOUS, NAME, SUBJECT, None, None)
