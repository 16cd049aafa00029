"""The program handles a sound registry, a broken one, none, and wrong arguments."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import unquote

import pytest

from infra.smoke.client import SmokeClient
from infra.smoke.content import LARGEST_BODY
from tests.infra.smoke.faults import Front, PassOn, Request, Reset, Response
from tests.support.stack import ROOT, Stack, wait_for

PASSWORD = "a-password-for-tests"
Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(**more: str) -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if name != "CLOUDBERTH_PASSWORD"} | more


def smoke(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "infra.smoke", *words],
        cwd=ROOT,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def pushed(front: Front) -> list[str]:
    """Returns the paths in the repository that were pushed."""
    puts = [unquote(request.path) for request in front.seen if request.method == "PUT"]
    blobs = {f"blobs/{found[1]}" for path in puts if (found := re.search(r"digest=(sha256:\w+)", path))}
    return sorted(blobs | {path.partition("admin/smoke/")[2] for path in puts if "/manifests/" in path})


def left_of(front: Front, client: SmokeClient) -> list[str]:
    return [path for path in pushed(front) if client.request("GET", client.path(path)).status != 404]


def test_a_sound_registry_fails_nothing_and_keeps_nothing(
    fronted: Callable[..., Front], make_client: Callable[..., SmokeClient], tmp_path: Path
) -> None:
    front = fronted()
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")

    done = smoke(front.url, "--password-file", str(file))

    assert done.returncode == 0, done.stdout
    assert re.search(r"^17 holds, 0 fails, 3 not offered, 5 unknown$", done.stdout, re.MULTILINE), done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120
    assert PASSWORD not in done.stdout + done.stderr
    assert len(pushed(front)) > 30
    assert left_of(front, make_client()) == []


def test_a_broken_registry_fails_with_the_remedy(fronted: Callable[..., Front]) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        return Response(403) if request.is_put("uploads", LARGEST_BODY) else pass_on(request)

    done = smoke(fronted(fault).url, "--only", "U1,U2", CLOUDBERTH_PASSWORD=PASSWORD)

    assert done.returncode == 1
    assert '`upload_proof = "staging"`' in " ".join(done.stdout.split())
    assert "1 holds, 1 fails, 0 not offered, 0 unknown" in done.stdout


def test_a_crash_in_the_middle_leaves_nothing(
    fronted: Callable[..., Front], make_client: Callable[..., SmokeClient]
) -> None:
    def fault(request: Request, pass_on: PassOn) -> Response:
        if request.method == "GET" and "/manifests/" in request.path:
            raise Reset
        return pass_on(request)

    front = fronted(fault)
    done = smoke(front.url, "--only", "B5", "--json", CLOUDBERTH_PASSWORD=PASSWORD)

    document = json.loads(done.stdout)
    assert document["checks"][0]["evidence"].startswith("could not be checked: GET 127.0.0.1:")
    assert (document["counts"]["unknown"], document["left_behind"]) == (1, [])
    assert pushed(front)
    assert left_of(front, make_client()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_deletes_what_was_pushed(
    number: signal.Signals, fronted: Callable[..., Front], make_client: Callable[..., SmokeClient]
) -> None:
    front = fronted()
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.smoke", front.url, "--only", "B5,U7", "--slow", "40"],
        cwd=ROOT,
        env=environment(CLOUDBERTH_PASSWORD=PASSWORD),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: len(pushed(front)) >= 2, "the first blobs")
    process.send_signal(number)
    out, errors = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Interrupted" in errors
    assert "Left behind" not in out
    assert left_of(front, make_client()) == []


def test_json_has_the_same_results(stack: Stack) -> None:
    done = smoke(stack.url, "--only", "U2,U10", "--json", CLOUDBERTH_PASSWORD=PASSWORD)

    document = json.loads(done.stdout)
    assert [check["result"] for check in document["checks"]] == ["holds", "unknown"]
    assert (document["url"], done.returncode) == (stack.url, 0)


def test_a_run_stops_at_the_first_refused_sign_in_with_one_sentence(fronted: Callable[..., Front]) -> None:
    front = fronted()

    done = smoke(front.url, "--only", "B1,B5,U1", CLOUDBERTH_PASSWORD="not-this-one")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"admin cannot sign in at {front.url}: no token: the registry answered 401")
    assert len(done.stderr.splitlines()) == 1
    assert "not-this-one" not in done.stderr
    assert sum("/v2/auth" in request.path for request in front.seen) == 1


def test_a_registry_that_does_not_answer_is_reported_in_one_sentence() -> None:
    done = smoke("http://127.0.0.1:1", CLOUDBERTH_PASSWORD=PASSWORD)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("http://127.0.0.1:1 does not answer: ")
    assert len(done.stderr.splitlines()) == 1


def test_the_list_needs_neither_address_nor_password() -> None:
    done = smoke("--list", "--only", "U1")

    assert done.returncode == 0
    assert "U1 " in done.stdout
    assert "If it fails: " in done.stdout


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "URL must be scheme and host of a registry"),
        (["registry.example"], "URL must be scheme and host of a registry"),
        (["https://registry.example/v2/"], "URL must be scheme and host of a registry"),
        (["https://me:secret@registry.example"], "URL holds a name or password"),
        (["http://registry.example"], "has no TLS"),
        (["http://localhost:1", "--only", "U99"], "there is no check U99"),
        (["http://localhost:1", "--repository", "Smoke"], "is not NAMESPACE/NAME"),
        (["http://localhost:1", "--password-file", "/nowhere"], "/nowhere cannot be read"),
        (["http://localhost:1", "--relay-gb", "-1"], "is less than 0.02"),
        (["http://localhost:1", "--slow", "nan"], "nan"),
        (["http://localhost:1", "--upload-proof", "trust"], "invalid choice"),
    ],
)
def test_wrong_arguments_are_refused_with_the_reason(words: list[str], reason: str) -> None:
    done = smoke(*words, CLOUDBERTH_PASSWORD=PASSWORD)

    assert done.returncode == 2
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_password_is_refused_with_the_ways_to_give_it() -> None:
    done = smoke("http://localhost:1")

    assert done.returncode == 2
    assert "set CLOUDBERTH_PASSWORD or use --password-file FILE" in done.stderr


def test_the_password_is_no_argument() -> None:
    assert "--password " not in smoke("--help").stdout


def test_a_robot_pushes_into_its_users_namespace(fronted: Callable[..., Front]) -> None:
    front = fronted()

    smoke(front.url, "--user", "admin+builder", "--only", "B5", CLOUDBERTH_PASSWORD="wrong")

    assert any("repository%3Aadmin%2Fsmoke%3A" in request.path for request in front.seen)
