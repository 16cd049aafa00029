"""`/v2/<name>/referrers/<digest>`."""

from __future__ import annotations

from chalicelib.domain import media_types
from chalicelib.domain.digests import Digest
from tests.support.app_client import AppClient
from tests.support.builders import a_referrer, push_image

SIGNATURE, BILL = "application/vnd.example.signature", "application/vnd.example.sbom"


def path(digest: Digest) -> str:
    return f"/v2/admin/app/referrers/{digest}"


def test_a_referrer_is_listed_in_an_index_with_all_its_fields(app_client: AppClient) -> None:
    subject = push_image(app_client.backend, "v1").digest
    referrer = a_referrer(app_client.backend, subject, artifactType=SIGNATURE, annotations={"a": "caf\u00e9"})
    answer = app_client.ask("GET", path(subject), app_client.token("admin/app"))

    assert answer.headers["content-type"] == media_types.OCI_INDEX
    assert "oci-filters-applied" not in answer.headers
    assert answer.json() == {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [
            {
                "mediaType": referrer.media_type,
                "digest": str(referrer.digest),
                "size": referrer.size,
                "artifactType": SIGNATURE,
                "annotations": {"a": "caf\u00e9"},
            }
        ],
    }


def test_the_filter_returns_one_type_and_names_itself(app_client: AppClient) -> None:
    subject = Digest.of(b"to come")
    for kind in (SIGNATURE, BILL, BILL):
        a_referrer(app_client.backend, subject, artifactType=kind)
    token = app_client.token("admin/app")
    for kind, count in ((SIGNATURE, 1), (BILL, 2), ("other", 0)):
        answer = app_client.ask("GET", f"{path(subject)}?artifactType={kind}", token)

        assert [entry["artifactType"] for entry in answer.json()["manifests"]] == [kind] * count
        assert answer.headers["oci-filters-applied"] == "artifactType"


def test_a_long_list_has_links_that_keep_the_filter(app_client: AppClient) -> None:
    subject = Digest.of(b"to come")
    longs = [{"a": letter * 900_000} for letter in "xyz"]
    pushed = {
        str(a_referrer(app_client.backend, subject, artifactType=BILL, annotations=long).digest) for long in longs
    }
    token, target, pages = app_client.token("admin/app"), f"{path(subject)}?artifactType={BILL}", []
    while target:
        answer = app_client.ask("GET", target, token)
        pages.append([entry["digest"] for entry in answer.json()["manifests"]])
        assert len(answer.body) < 4 * 1024 * 1024
        target = answer.headers.get("link", "")[1:].partition(">")[0]
        assert not target or "artifactType=" in target

    assert len(pages) > 1
    assert {digest for page in pages for digest in page} == pushed
    assert sum(map(len, pages)) == len(pushed)


def test_a_manifest_without_referrers_has_an_empty_list(app_client: AppClient) -> None:
    push_image(app_client.backend, "v1")
    for repository in ("admin/app", "admin/missing"):
        answer = app_client.ask("GET", f"/v2/{repository}/referrers/{Digest.of(b'')}", app_client.token(repository))

        assert (answer.status, answer.json()["manifests"]) == (200, [])


def test_an_invalid_digest_is_refused(app_client: AppClient) -> None:
    token = app_client.token("admin/app")
    for wanted in ("latest", "sha256:abc", "%00", f"{Digest.of(b'')}?last=x"):
        answer = app_client.ask("GET", f"/v2/admin/app/referrers/{wanted}", token)

        assert (wanted, answer.status, answer.code) == (wanted, 400, "DIGEST_INVALID")


def test_a_caller_who_may_not_pull_is_refused(app_client: AppClient) -> None:
    subject = push_image(app_client.backend, "v1").digest
    for token in ({}, app_client.token("admin/other")):
        assert app_client.ask("GET", path(subject), token).status == 401
