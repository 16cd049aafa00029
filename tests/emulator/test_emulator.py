"""An emulator hides the operator's environment from functions and leaves no process behind."""

import json
import sys
import threading
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from infra.emulator.emulator import Emulator
from infra.local.errors import StackError
from tests.support.emulation import Cloud, Ledger
from tests.support.stack import is_alive, wait_for

SEES = """
import os, sys

def handler(event, context):
    return {"names": list(os.environ), "place": __file__, "python": list(sys.version_info[:2])}
"""
SLEEPS = """
import os, time

def handler(event, context):
    with open(os.environ["LEDGER"], "w") as ledger:
        ledger.write(str(os.getpid()))
    time.sleep(60)
"""


def test_a_function_sees_nothing_of_the_operators_environment(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("CLOUDBERTH_URL", "http://production")
    with Emulator(tmp_path, python=python) as emulator:
        monkeypatch.delenv("AWS_PROFILE")
        seen = called(Cloud(emulator), SEES)

    assert {"AWS_PROFILE", "CLOUDBERTH_URL", "PYTHONPATH", "VIRTUAL_ENV"} & set(seen["names"]) == set()
    assert {"AWS_ACCESS_KEY_ID", "AWS_REGION", "LAMBDA_TASK_ROOT"} <= set(seen["names"])


def test_a_function_runs_with_the_python_of_its_runtime_and_below_the_emulators_directory(
    python: Path, tmp_path: Path
) -> None:
    with Emulator(tmp_path, python=python) as emulator:
        seen = called(Cloud(emulator), SEES)

    assert Path(seen["place"]).is_relative_to(tmp_path / "tmp")
    assert "python{}.{}".format(*seen["python"]) in str(python)


def test_a_stopped_emulator_leaves_no_function_running(python: Path, ledger: Ledger, tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "cloud", python=python)
    try:
        cloud = Cloud(emulator)
        name = cloud.function(SLEEPS, LEDGER=str(ledger.path))
        cloud.lambda_.invoke(FunctionName=name, InvocationType="Event")
        wait_for(ledger.lines, "the function")
    finally:
        statuses = [emulator.stop(), emulator.stop()]

    assert statuses == [0, 0]
    wait_for(lambda: not is_alive(ledger.lines()[0]), "the end of the function", seconds=2)


def test_permissions_are_enforced_with_auth(python: Path, tmp_path: Path) -> None:
    with Emulator(tmp_path, python=python, auth=True) as emulator:
        cloud = Cloud(emulator)
        user = cloud.iam.create_user(UserName="powerless")["User"]["UserName"]
        key = cloud.iam.create_access_key(UserName=user)["AccessKey"]
        theirs = cloud.with_key(key["AccessKeyId"], key["SecretAccessKey"])

        with pytest.raises(ClientError, match="AccessDenied"):
            theirs.dynamodb.list_tables()


def test_an_emulator_that_does_not_start_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"(?s)ministack does not start; .*ministack\.log.*No module named"):
        Emulator(tmp_path, python=Path(sys.executable))


def test_two_emulators_run_side_by_side(python: Path, tmp_path: Path) -> None:
    found: list[str] = []

    def run(name: str) -> None:
        with Emulator(tmp_path / name, python=python) as emulator:
            found.append(emulator.url)
            meeting.wait(20)

    meeting = threading.Barrier(2)
    threads = [threading.Thread(target=run, args=(name,)) for name in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(found)) == 2


def called(cloud: Cloud, code: str) -> dict[str, list[str]]:
    """Returns the answer of a new function."""
    answer: dict[str, list[str]] = json.load(cloud.lambda_.invoke(FunctionName=cloud.function(code))["Payload"])
    return answer
