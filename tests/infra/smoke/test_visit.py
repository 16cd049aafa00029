"""What a visit leaves behind."""

import os
from collections.abc import Callable

import pytest

from infra.smoke.content import LARGEST_BODY, MEBIBYTE, Stream, an_image, digest_of
from infra.smoke.visit import Refused, Visit
from infra.smoke.wire import NoAnswer
from tests.infra.smoke.faults import Asked, Front, PassOn, Reset, Told


def what_stands(visit: Visit, *paths: str) -> list[int]:
    return [visit.ask("GET", visit.path(path)).status for path in paths]


def test_an_image_that_was_pushed_goes_with_all_that_it_names(visiting: Callable[..., Visit]) -> None:
    visit, image = visiting(), an_image()
    tag = visit.tag()
    visit.push(image, tag)
    paths = [f"manifests/{tag}", f"manifests/{image.digest}", *(f"blobs/{digest_of(blob)}" for blob in image.blobs)]
    assert what_stands(visit, *paths) == [200, 200, 307, 307]

    assert visit.clear() == []
    assert what_stands(visit, *paths) == [404] * 4


def test_a_tag_that_moved_leaves_neither_image(visiting: Callable[..., Visit]) -> None:
    visit, first, second = visiting(), an_image(), an_image()
    tag = visit.tag()
    visit.push(first, tag)
    visit.push(second, tag)

    assert visit.clear() == []
    assert what_stands(visit, f"manifests/{first.digest}", f"manifests/{second.digest}") == [404, 404]


def test_uploads_that_nobody_ended_are_cancelled(visiting: Callable[..., Visit]) -> None:
    visit = visiting()
    untouched, begun = visit.begin(), visit.begin()
    begun = visit.moved(begun, visit.patch(begun, b"some"))

    assert visit.clear() == []
    assert visit.ask("GET", begun).status == 404
    assert visit.ask("GET", untouched).status == 404


def test_an_upload_whose_answer_was_lost_is_cancelled_by_its_first_name(
    fronted: Callable[..., Front], visiting: Callable[..., Visit]
) -> None:
    def fault(asked: Asked, pass_on: PassOn) -> Told:
        told = pass_on(asked)
        return Told(502) if asked.method == "PATCH" else told

    visit = visiting(fronted(fault).url)
    upload = visit.begin()
    assert visit.patch(upload, b"some").status == 502

    assert visit.clear() == []
    assert visiting().ask("GET", upload).status == 404


def test_what_came_by_the_edge_and_was_never_looked_for_goes_too(visiting: Callable[..., Visit]) -> None:
    visit, stream = visiting(), Stream(LARGEST_BODY + MEBIBYTE)
    digest = stream.digest()
    assert visit.close(visit.begin(), digest, stream.pieces(), stream.size).status == 201

    assert visit.clear() == []
    assert visit.find_blob(digest).status == 404


class Late:
    """Keeps the one PUT that is interrupted, and lets it arrive after the DELETE, by digest, that was to undo it."""

    def __init__(self, what: str, digest: str) -> None:
        self._what, self._digest = what, digest
        self._kept: list[Asked] = []
        self._is_over = False

    def __call__(self, asked: Asked, pass_on: PassOn) -> Told:
        if not self._is_over and not self._kept and asked.is_put(self._what):
            self._kept.append(asked)
            raise Reset
        told = pass_on(asked)
        if self._kept and asked.method == "DELETE" and asked.path.endswith(f"/{self._what}/{self._digest}"):
            assert (told.status, pass_on(self._kept.pop()).status) == (404, 201)
            self._is_over = True
        return told


def test_a_manifest_that_comes_after_its_delete_goes_with_its_blobs(
    fronted: Callable[..., Front], visiting: Callable[..., Visit]
) -> None:
    image = an_image()
    visit = visiting(fronted(Late("manifests", image.digest)).url)
    tag = visit.tag()
    with pytest.raises(NoAnswer):
        visit.push(image, tag)

    assert visit.clear() == []
    paths = [f"manifests/{tag}", f"manifests/{image.digest}", *(f"blobs/{digest_of(blob)}" for blob in image.blobs)]
    assert what_stands(visiting(), *paths) == [404] * 4


def test_a_blob_that_comes_after_its_delete_goes(fronted: Callable[..., Front], visiting: Callable[..., Visit]) -> None:
    digest = digest_of(content := os.urandom(100))
    visit = visiting(fronted(Late("blobs", digest)).url)
    with pytest.raises(NoAnswer):
        visit.put_blob(content)

    assert visit.clear() == []
    assert visiting().find_blob(digest).status == 404


def test_what_cannot_be_taken_away_is_told(fronted: Callable[..., Front], visiting: Callable[..., Visit]) -> None:
    def fault(asked: Asked, pass_on: PassOn) -> Told:
        return Told(405, body=b"no") if asked.method == "DELETE" else pass_on(asked)

    visit = visiting(fronted(fault).url)
    digest = digest_of(content := os.urandom(100))
    visit.put_blob(content)

    assert visit.clear() == [f"/v2/admin/smoke/blobs/{digest}: 405: no"]
    assert visiting().ask("DELETE", visit.path(f"blobs/{digest}")).status == 202


def test_a_registry_that_goes_away_is_told_and_stops_nothing(
    fronted: Callable[..., Front], visiting: Callable[..., Visit]
) -> None:
    front = fronted()
    visit = visiting(front.url)
    visit.put_blob(b"one")
    visit.put_blob(b"two")
    visit.url = "http://127.0.0.1:1"

    left = visit.clear()

    assert len(left) == 2
    assert all("ConnectionRefusedError" in line for line in left)


def test_an_upload_that_is_sent_to_another_host_is_not_followed(
    fronted: Callable[..., Front], visiting: Callable[..., Visit]
) -> None:
    def fault(asked: Asked, pass_on: PassOn) -> Told:
        told = pass_on(asked)
        return told.with_header("Location", "https://elsewhere.example/x") if asked.method == "POST" else told

    with pytest.raises(Refused, match="another host"):
        visiting(fronted(fault).url).begin()
