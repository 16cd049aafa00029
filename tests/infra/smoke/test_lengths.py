"""HEAD of a manifest is checked over HTTP/1.1 and HTTP/2."""

from collections.abc import Callable
from pathlib import Path

import pytest

from infra.smoke import lengths
from infra.smoke.claims import Finding, Verdict
from infra.smoke.client import SmokeClient
from infra.smoke.content import an_image
from infra.smoke.suite import chosen
from tests.infra.smoke.faults import Fault, PassOn, Request, Response

HTTP_1, HTTP_2 = "C2", "B4"
# Plays curl: it records its arguments and its input, and prints `ANSWER`.
CURL = """#!/bin/sh
printf '%s\\n' "$@" > "$0.arguments"
cat > "$0.stdin"
printf "ANSWER"
"""


def with_head(change: Callable[[Response], Response]) -> Fault:
    def fault(request: Request, pass_on: PassOn) -> Response:
        response = pass_on(request)
        return change(response) if request.method == "HEAD" and "/manifests/" in request.path else response

    return fault


class Offline(SmokeClient):
    """A client that pushes nothing, for checks of curl's answer."""

    def push(self, image: object, reference: str) -> None:
        """Nothing."""


@pytest.fixture
def over_http_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_client: Callable[..., SmokeClient]
) -> Callable[[str], Finding]:
    """Returns the finding if curl reports this."""

    def found(answer: str) -> Finding:
        curl = tmp_path / "curl"
        curl.write_text(CURL.replace("ANSWER", answer))
        curl.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        client = Offline("https://registry.example", make_client().options)
        monkeypatch.setattr(client.tokens, "authorization", lambda: ("Authorization", "Bearer a-token"))
        image = an_image()
        monkeypatch.setattr(lengths, "an_image", lambda: image)
        curl.write_text(curl.read_text().replace("SIZE", str(len(image.manifest))))
        return lengths.over_http_2(client)

    return found


def test_a_sound_registry_reports_the_size(look: Callable[..., Finding]) -> None:
    assert look(HTTP_1).verdict is Verdict.HOLDS


def test_a_length_of_nothing_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails(
        HTTP_1, with_head(lambda response: response.with_header("Content-Length", "0")), "by tag 0, by digest 0"
    )


def test_a_missing_length_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails(HTTP_1, with_head(lambda response: response.without("Content-Length")), "missing")


def test_a_missing_digest_fails(assert_fails: Callable[..., None]) -> None:
    assert_fails(
        HTTP_1, with_head(lambda response: response.without("Docker-Content-Digest")), "Docker-Content-Digest ''"
    )


def test_http_2_is_unknown_without_tls(look: Callable[..., Finding]) -> None:
    assert look(HTTP_2).verdict is Verdict.UNKNOWN


def test_http_2_is_unknown_without_curl_and_shows_the_command(
    monkeypatch: pytest.MonkeyPatch, make_client: Callable[..., SmokeClient]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    finding = lengths.over_http_2(Offline("https://registry.example", make_client().options))

    assert finding.verdict is Verdict.UNKNOWN
    assert "curl --http2 -sI" in finding.evidence


def test_http_2_holds_with_the_right_length(over_http_2: Callable[[str], Finding]) -> None:
    finding = over_http_2(r"HTTP/2 200\r\nContent-Length: SIZE\r\n\r\n\n2 200")

    assert finding.verdict is Verdict.HOLDS, finding


def test_http_2_fails_with_another_length(over_http_2: Callable[[str], Finding]) -> None:
    finding = over_http_2(r"HTTP/2 200\r\ncontent-length: 0\r\n\r\n\n2 200")

    assert finding.verdict is Verdict.FAILS
    assert "reported as 0" in finding.evidence


@pytest.mark.parametrize("seen", [r"HTTP/1.1 200 OK\r\ncontent-length: SIZE\r\n\r\n\n1.1 200", ""])
def test_an_answer_without_http_2_is_unknown(seen: str, over_http_2: Callable[[str], Finding]) -> None:
    assert over_http_2(seen).verdict is Verdict.UNKNOWN


def test_curl_gets_the_token_by_a_pipe_and_not_as_an_argument(
    over_http_2: Callable[[str], Finding], tmp_path: Path
) -> None:
    over_http_2("")

    assert "a-token" in (tmp_path / "curl.stdin").read_text()
    assert "a-token" not in (tmp_path / "curl.arguments").read_text()


def test_both_checks_have_the_name_of_the_claim() -> None:
    assert [check.id for check in chosen(["U4"])] == ["U4", "B4"]
