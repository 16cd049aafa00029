"""Lists of referrers: pages, filters, and deleted ones."""

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import Unauthenticated
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import ANONYMOUS
from chalicelib.services.registry.referrers import LARGEST_PAGE_BYTES, PAGE, Referrer
from chalicelib.storage import keys
from chalicelib.storage.registry.manifests import LARGEST_ANNOTATIONS, ReferrerRow
from chalicelib.storage.table import put_all
from tests.support.backends import Backend
from tests.support.builders import (
    a_blob,
    a_config,
    a_manifest,
    a_referrer,
    a_repository,
    an_index,
    push_image,
    push_manifest,
    token_actor,
)

NAME = RepositoryName.parse("admin/app")
SUBJECT = Digest.of(b"subject")


def listed(
    backend: Backend,
    subject: Digest = SUBJECT,
    kind: str | None = None,
    last: Digest | None = None,
    repository: str = "admin/app",
) -> tuple[list[Referrer], bool]:
    name = RepositoryName.parse(repository)
    page = backend.services.registry.referrers.list(
        token_actor(backend, "admin", repository), name, subject, kind, last
    )
    return list(page.items), page.more


def every(backend: Backend, kind: str | None = None) -> tuple[list[Digest], int]:
    """Returns all digests of a list, and the number of its pages."""
    found: list[Digest] = []
    pages, more = 0, True
    while more:
        items, more = listed(backend, kind=kind, last=found[-1] if found else None)
        found, pages = found + [item.digest for item in items], pages + 1
        assert pages < 50
    return found, pages


def edges(backend: Backend, count: int, **fields: object) -> list[Digest]:
    """Writes referrers as so many pushes do; returns the digests in their order."""
    repository, seed = a_repository(backend), str(fields)
    digests = sorted((Digest.of(f"{seed}{number}".encode()) for number in range(count)), key=str)
    plain = {"media_type": "t", "size": 1, "ulid": "u", "annotations": "{}", **fields}
    put_all(
        ReferrerRow.under(keys.referrer(repository.id, SUBJECT, digest), digest=str(digest), **plain)
        for digest in digests
    )
    return digests


def test_a_referrer_is_listed_with_all_its_fields(backend: Backend) -> None:
    subject = push_image(backend, "v1")
    referrer = a_referrer(backend, subject.digest, artifactType="application/x.sbom", annotations={"a": "\u00e4"})
    (found,), more = listed(backend, subject.digest)

    assert not more
    assert (found.digest, found.media_type, found.size) == (referrer.digest, referrer.media_type, referrer.size)
    assert (found.artifact_type, dict(found.annotations)) == ("application/x.sbom", {"a": "\u00e4"})


def test_a_subject_may_be_pushed_after_its_referrers_or_never(backend: Backend) -> None:
    subject = a_manifest()
    a_repository(backend)
    referrer = a_referrer(backend, subject.digest)
    assert [it.digest for it in listed(backend, subject.digest)[0]] == [referrer.digest]

    push_manifest(backend, subject, "v1")

    assert [it.digest for it in listed(backend, subject.digest)[0]] == [referrer.digest]


def test_images_and_indexes_can_be_referrers(backend: Backend) -> None:
    image = push_manifest(backend, a_manifest([], a_blob(backend, a_config()), SUBJECT))
    index = push_manifest(backend, an_index([], subject={"mediaType": "t/x", "digest": str(SUBJECT), "size": 1}))
    kinds = {it.digest: it.artifact_type for it in listed(backend)[0]}

    assert kinds == {image.digest: "application/vnd.oci.image.config.v1+json", index.digest: None}


def test_a_deleted_referrer_is_hidden_until_it_is_pushed_again(backend: Backend) -> None:
    a_repository(backend)
    referrer, other = a_referrer(backend, SUBJECT), a_referrer(backend, SUBJECT)
    backend.services.registry.manifests.delete(token_actor(backend, "admin", "admin/app"), NAME, referrer.digest)
    assert [it.digest for it in listed(backend)[0]] == [other.digest]

    push_manifest(backend, referrer)

    assert {it.digest for it in listed(backend)[0]} == {referrer.digest, other.digest}


def test_referrers_stay_within_their_repository_and_subject(backend: Backend) -> None:
    a_repository(backend)
    a_repository(backend, "admin/other")
    a_referrer(backend, SUBJECT)

    assert listed(backend, repository="admin/other") == ([], False)
    assert listed(backend, Digest.of(b"other")) == ([], False)


def test_more_referrers_than_a_page_are_listed_once_over_several_pages(backend: Backend) -> None:
    digests = edges(backend, 2 * PAGE + 1)
    first, more = listed(backend)

    assert (len(first), more) == (PAGE, True)
    assert every(backend) == (digests, 3)


def test_exactly_one_page_has_no_next_page(backend: Backend) -> None:
    edges(backend, PAGE)
    items, more = listed(backend)

    assert (len(items), more) == (PAGE, False)


def test_a_filter_and_deleted_referrers_do_not_shorten_a_page(backend: Backend) -> None:
    wanted = edges(backend, PAGE + 5, artifact_type="wanted")
    edges(backend, 150, artifact_type="other")
    edges(backend, 150, artifact_type="wanted", deleted_at=1)

    assert every(backend, "wanted") == (wanted, 2)
    assert len(listed(backend, kind="wanted")[0]) == PAGE
    assert every(backend, "none such") == ([], 1)


def test_annotations_above_8_kb_are_read_from_the_manifest(backend: Backend) -> None:
    a_repository(backend)
    annotations = {"long": "x" * LARGEST_ANNOTATIONS, "umlaut": "\u00e4"}
    a_referrer(backend, SUBJECT, annotations=annotations)
    ((found,), more) = listed(backend)

    assert not more
    assert dict(found.annotations) == annotations


def test_a_page_is_smaller_than_the_largest_response(backend: Backend) -> None:
    a_repository(backend)
    pushed = {a_referrer(backend, SUBJECT, annotations={"a": f"{number}" * 700_000}).digest for number in range(4)}
    first, more = listed(backend)
    digests, _ = every(backend)

    assert more
    assert sum(len(text) for it in first for text in it.annotations.values()) < LARGEST_PAGE_BYTES
    assert (len(digests), set(digests)) == (4, pushed)


def test_a_referrer_larger_than_a_page_is_listed(backend: Backend) -> None:
    a_repository(backend)
    pushed = {a_referrer(backend, SUBJECT, annotations={"a": f"{number}" * 2_200_000}).digest for number in range(2)}

    assert len(pushed) == 2
    assert set(every(backend)[0]) == pushed


def test_a_missing_repository_has_no_referrers_and_a_private_one_lists_none(backend: Backend) -> None:
    assert listed(backend, repository="admin/missing") == ([], False)
    a_repository(backend)
    with pytest.raises(Unauthenticated):
        backend.services.registry.referrers.list(ANONYMOUS, NAME, SUBJECT, None, None)
