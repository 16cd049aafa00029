"""Pulls through somebody who changes, keeps or loses things."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from infra.smoke.claims import Finding, Verdict
from tests.infra.smoke.faults import Asked, Fault, PassOn, Told


def on(method: str, word: str, change: Callable[[Told], Told]) -> Fault:
    """Changes the answers to a method on paths with a word."""

    def fault(asked: Asked, pass_on: PassOn) -> Told:
        told = pass_on(asked)
        return change(told) if asked.method == method and word in asked.path else told

    return fault


def redirected(asked: Asked, pass_on: PassOn) -> Told:
    """Leads from blobs to `/bytes`."""
    is_blob = asked.method == "GET" and "/blobs/" in asked.path
    return Told(307, [("Location", "/bytes")]) if is_blob else pass_on(asked)


def keeping() -> Fault:
    """A cache that gives the first manifest of a tag for ever."""
    kept: dict[str, Told] = {}

    def fault(asked: Asked, pass_on: PassOn) -> Told:
        if asked.method == "GET" and "/manifests/" in asked.path:
            return kept.setdefault(asked.path, pass_on(asked))
        return pass_on(asked)

    return fault


def last_line_only(asked: Asked, pass_on: PassOn) -> Told:
    """What payload format 1.0 has in `headers`."""
    last = {name.lower(): (name, value) for name, value in asked.headers}
    return pass_on(replace(asked, headers=list(last.values())))


@pytest.mark.parametrize("name", ["B5", "B6", "B7", "B8", "C4", "C5"])
def test_a_sound_registry_holds(name: str, look: Callable[..., Finding]) -> None:
    assert look(name).verdict is Verdict.HOLDS


def test_a_manifest_with_one_byte_more_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails("B5", on("GET", "/manifests/", lambda told: replace(told, body=told.body + b"\n")), "bytes")


def test_a_manifest_of_another_type_fails(assert_fails: Callable[..., None]) -> None:
    plain = on("GET", "/manifests/", lambda told: told.with_header("Content-Type", "application/json"))

    assert_fails("B5", plain, "Content-Type 'application/json'")


def test_a_push_that_breaks_off_leaves_the_claim_unknown(look: Callable[..., Finding]) -> None:
    finding = look("B5", on("POST", "/uploads/", lambda told: Told(503)))

    assert finding.verdict is Verdict.UNKNOWN
    assert "no upload could be begun: 503" in finding.evidence


def test_a_blob_without_a_redirect_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails("B6", on("GET", "/blobs/", lambda told: Told(502)), "GET of a blob: 502")


@pytest.mark.parametrize(("content", "words"), [(b"other", "5 of 50000 bytes"), (b"x" * 50_000, "other ones")])
def test_other_bytes_behind_the_redirect_fail(content: bytes, words: str, assert_fails: Callable[..., None]) -> None:
    def fault(asked: Asked, pass_on: PassOn) -> Told:
        if asked.path == "/bytes":
            return Told(200, body=content)
        return redirected(asked, pass_on)

    assert_fails("B6", fault, words)


def test_an_address_that_ignores_range_fails(assert_fails: Callable[..., None]) -> None:
    sent: list[bytes] = []

    def fault(asked: Asked, pass_on: PassOn) -> Told:
        if asked.is_put("uploads"):
            sent.append(asked.body)
        if asked.path == "/bytes":
            return Told(200, body=sent[-1])
        return redirected(asked, pass_on)

    assert_fails("B6", fault, "bytes 1000-1999: 200, 50000 bytes")


def test_an_address_that_wants_our_token_fails(assert_fails: Callable[..., None]) -> None:
    def fault(asked: Asked, pass_on: PassOn) -> Told:
        if asked.path == "/bytes":
            return Told(200 if asked.header("Authorization") else 401)
        return redirected(asked, pass_on)

    assert_fails("B6", fault, "without a token: 401")


@pytest.mark.parametrize(("path", "name"), [("/v2/auth", "token"), ("/blobs/", "redirect")])
def test_what_may_be_kept_fails(path: str, name: str, assert_fails: Callable[..., None]) -> None:
    loose = on("GET", path, lambda told: told.with_header("Cache-Control", "max-age=60"))

    assert_fails("B7", loose, f"{name} 'max-age=60'")


def test_a_tag_that_still_shows_its_old_manifest_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails("B7", keeping(), "still shows the old manifest")


def test_lines_of_a_header_that_are_lost_fail(assert_fails: Callable[..., None]) -> None:
    assert_fails("C4", last_line_only, "two: 200 and 304")


def test_a_manifest_that_is_refused_for_its_accept_lines_fails(assert_fails: Callable[..., None]) -> None:
    def fault(asked: Asked, pass_on: PassOn) -> Told:
        lines = [value for name, value in asked.headers if name == "Accept"]
        return Told(406) if len(lines) > 3 else pass_on(asked)

    assert_fails("C4", fault, "four lines of Accept: 406")


def test_conditions_that_are_ignored_show_nothing(look: Callable[..., Finding]) -> None:
    def fault(asked: Asked, pass_on: PassOn) -> Told:
        return pass_on(replace(asked, headers=[pair for pair in asked.headers if pair[0] != "If-None-Match"]))

    assert look("C4", fault).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("word", ["sha256%3A", "/list/"])
def test_a_spelling_that_is_not_found_fails(word: str, assert_fails: Callable[..., None]) -> None:
    assert_fails("C5", on("GET", word, lambda told: Told(404)), "404")


def test_an_escape_that_breaks_somebody_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails("C5", on("GET", "/v2/admin%2F", lambda told: Told(502)), "name with %2F 502")


def test_what_cannot_be_deleted_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails("B8", lambda asked, pass_on: Told(405) if asked.method == "DELETE" else pass_on(asked), "DELETE 405")


def test_what_is_still_there_after_its_end_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails("B8", on("GET", "/blobs/", lambda told: Told(307)), "then GET 404 404 307 307")
