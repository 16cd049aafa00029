"""Checks of pulls fail behind a proxy that changes, caches or loses content."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from infra.smoke.claims import Finding, Verdict
from tests.infra.smoke.faults import Fault, PassOn, Request, Response


def on(method: str, word: str, change: Callable[[Response], Response]) -> Fault:
    """Changes the answers to one method on paths that contain a word."""

    def fault(request: Request, pass_on: PassOn) -> Response:
        response = pass_on(request)
        return change(response) if request.method == method and word in request.path else response

    return fault


def redirected(request: Request, pass_on: PassOn) -> Response:
    """Redirects blobs to `/bytes`."""
    is_blob = request.method == "GET" and "/blobs/" in request.path
    return Response(307, [("Location", "/bytes")]) if is_blob else pass_on(request)


def keeping() -> Fault:
    """Plays a cache that returns the first manifest of a tag for ever."""
    kept: dict[str, Response] = {}

    def fault(request: Request, pass_on: PassOn) -> Response:
        if request.method == "GET" and "/manifests/" in request.path:
            return kept.setdefault(request.path, pass_on(request))
        return pass_on(request)

    return fault


def last_line_only(request: Request, pass_on: PassOn) -> Response:
    """Keeps the last line of each header, as `headers` of payload format 1.0 does."""
    last = {name.lower(): (name, value) for name, value in request.headers}
    return pass_on(replace(request, headers=list(last.values())))


@pytest.mark.parametrize("name", ["B5", "B6", "B7", "B8", "C4", "C5"])
def test_a_sound_registry_holds(name: str, look: Callable[..., Finding]) -> None:
    assert look(name).verdict is Verdict.HOLDS


def test_a_manifest_with_one_byte_more_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails(
        "B5", on("GET", "/manifests/", lambda response: replace(response, body=response.body + b"\n")), "bytes"
    )


def test_a_manifest_of_another_type_fails(assert_fails: Callable[..., None]) -> None:
    plain = on("GET", "/manifests/", lambda response: response.with_header("Content-Type", "application/json"))

    assert_fails("B5", plain, "Content-Type 'application/json'")


def test_a_push_that_breaks_off_leaves_the_claim_unknown(look: Callable[..., Finding]) -> None:
    finding = look("B5", on("POST", "/uploads/", lambda response: Response(503)))

    assert finding.verdict is Verdict.UNKNOWN
    assert "no upload could begin: 503" in finding.evidence


def test_a_blob_without_a_redirect_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails("B6", on("GET", "/blobs/", lambda response: Response(502)), "GET of a blob: 502")


@pytest.mark.parametrize(("content", "words"), [(b"other", "5 of 50000 bytes"), (b"x" * 50_000, "other ones")])
def test_other_bytes_behind_the_redirect_fail(content: bytes, words: str, assert_fails: Callable[..., None]) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        if request.path == "/bytes":
            return Response(200, body=content)
        return redirected(request, pass_on)

    assert_fails("B6", fault, words)


def test_an_address_that_ignores_range_fails(assert_fails: Callable[..., None]) -> None:
    sent: list[bytes] = []

    def fault(request: Request, pass_on: PassOn) -> Response:
        if request.is_put("uploads"):
            sent.append(request.body)
        if request.path == "/bytes":
            return Response(200, body=sent[-1])
        return redirected(request, pass_on)

    assert_fails("B6", fault, "bytes 1000-1999: 200, 50000 bytes")


def test_an_address_that_wants_our_token_fails(assert_fails: Callable[..., None]) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        if request.path == "/bytes":
            return Response(200 if request.header("Authorization") else 401)
        return redirected(request, pass_on)

    assert_fails("B6", fault, "without a token: 401")


@pytest.mark.parametrize(("path", "name"), [("/v2/auth", "token"), ("/blobs/", "redirect")])
def test_what_may_be_cached_fails(path: str, name: str, assert_fails: Callable[..., None]) -> None:
    loose = on("GET", path, lambda response: response.with_header("Cache-Control", "max-age=60"))

    assert_fails("B7", loose, f"{name} 'max-age=60'")


def test_a_tag_that_still_shows_its_old_manifest_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails("B7", keeping(), "still shows the old manifest")


def test_lines_of_a_header_that_are_lost_fail(assert_fails: Callable[..., None]) -> None:
    assert_fails("C4", last_line_only, "two: 200 and 304")


def test_a_manifest_that_is_refused_for_its_accept_lines_fails(assert_fails: Callable[..., None]) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        lines = [value for name, value in request.headers if name == "Accept"]
        return Response(406) if len(lines) > 3 else pass_on(request)

    assert_fails("C4", fault, "four lines of Accept: 406")


def test_conditions_that_are_ignored_show_nothing(look: Callable[..., Finding]) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        return pass_on(replace(request, headers=[pair for pair in request.headers if pair[0] != "If-None-Match"]))

    assert look("C4", fault).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("word", ["sha256%3A", "/list/"])
def test_a_spelling_that_is_not_found_fails(word: str, assert_fails: Callable[..., None]) -> None:
    assert_fails("C5", on("GET", word, lambda response: Response(404)), "404")


@pytest.mark.parametrize("status", [400, 502])
def test_an_escaped_slash_that_is_not_decoded_fails(status: int, assert_fails: Callable[..., None]) -> None:
    assert_fails("C5", on("GET", "/v2/admin%2F", lambda response: Response(status)), f"name with %2F {status}")


def test_a_path_that_is_decoded_twice_fails(assert_fails: Callable[..., None]) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        return pass_on(replace(request, path=request.path.replace("%252F", "%2F")))

    assert_fails("C5", fault, "name with %252F 200")


def test_what_cannot_be_deleted_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails(
        "B8", lambda request, pass_on: Response(405) if request.method == "DELETE" else pass_on(request), "DELETE 405"
    )


def test_what_is_still_there_after_its_end_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails("B8", on("GET", "/blobs/", lambda response: Response(307)), "then GET 404 404 307 307")
