"""The list of checks is complete, and a failing check is reported."""

import re
from collections.abc import Callable

import pytest

from infra.smoke.claims import Check, Finding, Verdict, holds
from infra.smoke.client import SmokeClient
from infra.smoke.suite import CHECKS, chosen, printable, run
from tests.support.stack import ROOT

VARIABLES = (ROOT / "infra" / "terraform" / "variables.tf").read_text("utf-8")
OUTPUTS = (ROOT / "infra" / "terraform" / "outputs.tf").read_text("utf-8")


def test_every_open_question_of_the_first_deployment_has_a_check() -> None:
    names = {name for check in CHECKS for name in check.names}

    assert {f"U{number}" for number in range(1, 13)} | {f"C{number}" for number in range(1, 7)} <= names


def test_every_check_has_a_name_of_its_own_and_one_sentence() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS)
    assert all(check.claim.endswith(".") and check.remedy.endswith((".", "?")) for check in CHECKS)


def test_remedies_name_variables_and_outputs_that_are_there() -> None:
    remedies = " ".join(check.remedy for check in CHECKS)
    variables = set(re.findall(r"`(\w+) = ", remedies)) | set(re.findall(r"`(architecture|domain)`", remedies))
    outputs = set(re.findall(r"terraform output (\w+)", remedies))

    assert variables >= {"upload_proof", "cloudfront", "relay", "settings", "domain", "architecture"}
    assert [name for name in variables if f'variable "{name}"' not in VARIABLES] == []
    assert outputs
    assert [name for name in outputs if f'output "{name}"' not in OUTPUTS] == []


def test_files_that_remedies_name_are_there() -> None:
    named = {path for check in CHECKS for path in re.findall(r"infra/[\w/]+\.\w+", check.remedy)}

    assert named
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_checks_are_chosen_by_any_of_their_names() -> None:
    assert [check.id for check in chosen(["c1", " U5 "])] == ["U2", "U5"]
    assert chosen([""]) == CHECKS


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no check U99, X"):
        chosen(["U1", "x", "u99"])


def a_check(look: Callable[[SmokeClient], Finding]) -> Check:
    return Check("X", "It is so.", "Nothing.", look)


@pytest.mark.parametrize("error", [ValueError("what went wrong"), KeyError("what went wrong"), AssertionError()])
def test_a_check_that_raises_is_unknown_with_the_reason(
    error: Exception, make_client: Callable[..., SmokeClient]
) -> None:
    def broken(client: SmokeClient) -> Finding:
        raise error

    finding = run(make_client(), a_check(broken)).finding

    assert finding.verdict is Verdict.UNKNOWN
    assert ("what went wrong" if error.args else "AssertionError") in finding.evidence


def test_evidence_has_no_password_and_no_control_characters(make_client: Callable[..., SmokeClient]) -> None:
    client = make_client()

    row = run(client, a_check(lambda client: holds(f"\x1b[2J{client.options.password}\r\n")))

    assert row.finding.evidence == "?[2J[hidden]??"
    assert printable("Grüße, 7 ± 8") == "Grüße, 7 ± 8"
