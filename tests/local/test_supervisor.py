"""The supervisor refuses bad settings, restarts dead programs, and leaves nothing behind."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.local.data import check_space
from infra.local.errors import StackError
from infra.local.processes import ChildProcess, Program
from infra.local.supervisor import listen
from tests.support.stack import ROOT, Stack, free_port, is_alive, wait_for


@pytest.fixture(scope="module")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Starts a stack whose processes the tests of this file may kill."""
    started = Stack(tmp_path_factory.mktemp("local") / "data")
    yield started
    started.stop()


def refusal(**settings: str) -> str:
    """Returns the error message of a start that must fail."""
    done = subprocess.run(
        [sys.executable, "-m", "infra.local", "run"],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, "not one sentence"
    return done.stderr


def kill_again(stack: Stack, name: str) -> None:
    """Kills a process and waits until it is restarted or the stack has given up."""
    killed = stack.kill(name)
    wait_for(
        lambda: stack.process.poll() is not None or stack.pids().get(name, killed) != killed,
        "a restart or the end",
    )


def listening_addresses(pid: int) -> set[str]:
    """Returns the local addresses on which a process listens, in hexadecimal as in /proc/net/tcp."""
    inodes = {
        match[1]
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if (match := re.match(r"socket:\[(\d+)\]", os.readlink(link)))
    }
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return {line[1].split(":")[0] for line in lines if line[3] == "0A" and line[9] in inodes}


def test_a_taken_port_is_refused_in_a_sentence_that_names_the_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]

        message = refusal(CLOUDBERTH_PORT=str(port), CLOUDBERTH_DATA=str(tmp_path))

    assert f"Port {port} is taken" in message
    assert "CLOUDBERTH_PORT" in message


def test_a_data_directory_in_use_is_refused_in_a_sentence_that_names_the_process(local_stack: Stack) -> None:
    message = refusal(CLOUDBERTH_PORT=str(free_port()), CLOUDBERTH_DATA=str(local_stack.data))

    assert str(local_stack.data) in message
    assert f"This stack runs already: process {local_stack.process.pid} " in message
    assert "CLOUDBERTH_DATA" in message


def test_a_data_directory_that_cannot_be_made_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    message = refusal(CLOUDBERTH_PORT=str(free_port()), CLOUDBERTH_DATA=str(tmp_path / "file" / "data"))

    assert "cannot be made" in message
    assert "CLOUDBERTH_DATA" in message


def test_a_full_disk_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"199 MB are free and the stack needs 200 MB"):
        check_space(tmp_path, total=10_000_000_000, free=199_999_999)


def test_a_large_disk_needs_the_free_share_that_the_object_store_requires(tmp_path: Path) -> None:
    check_space(tmp_path, total=10**12, free=10**10)

    with pytest.raises(StackError, match=r"9999 MB are free and the stack needs 10000 MB"):
        check_space(tmp_path, total=10**12, free=10**10 - 1)


def test_the_listening_socket_is_declared_as_tcp_so_that_answers_are_not_delayed() -> None:
    with listen(free_port(), 1)[0] as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_nothing_listens_beyond_loopback(local_stack: Stack) -> None:
    addresses = {address for pid in local_stack.pids().values() for address in listening_addresses(pid)}

    assert addresses == {"0100007F"}


def test_only_their_owner_can_read_keys_and_data(local_stack: Stack) -> None:
    assert local_stack.data.stat().st_mode & 0o077 == 0
    for name in ("s3.json", "secrets.json"):
        assert (local_stack.data / name).stat().st_mode & 0o077 == 0


def test_a_password_that_the_operator_chose_is_not_printed(local_stack: Stack) -> None:
    assert "password  as in CLOUDBERTH_ADMIN_PASSWORD" in local_stack.output()
    assert local_stack.password not in local_stack.output()


@pytest.mark.parametrize("name", ["gateway-1", "dynoxide", "weed", "clockwork"])
def test_a_killed_process_is_started_again(local_stack: Stack, name: str) -> None:
    killed = local_stack.kill(name)

    wait_for(lambda: local_stack.pids().get(name, killed) != killed, f"a new {name}")
    wait_for(local_stack.is_healthy, "health")
    assert f"{name} was killed by SIGKILL; starting it again." in local_stack.output()


def test_two_stacks_run_side_by_side(local_stack: Stack, tmp_path: Path) -> None:
    other = Stack(tmp_path / "data")
    try:
        assert other.is_healthy()
        assert local_stack.is_healthy()
        assert not set(other.pids().values()) & set(local_stack.pids().values())
    finally:
        other.stop()

    assert local_stack.is_healthy()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_stack_leaves_no_process_behind_and_the_next_one_finds_its_data(tmp_path: Path, number: Any) -> None:
    stack = Stack(tmp_path / "data")
    pids = stack.pids()

    status = stack.stop(number)

    assert status == 0
    assert not [name for name, pid in pids.items() if is_alive(pid)]
    again = Stack(tmp_path / "data")
    again.stop()
    assert "password  as before" in again.output()


def test_the_children_of_a_killed_supervisor_die_and_the_next_start_works(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "data")
    pids = stack.pids()

    stack.kill("supervisor")

    wait_for(lambda: not [name for name, pid in pids.items() if is_alive(pid)], "the children's end")
    again = Stack(tmp_path / "data")
    again.stop()
    assert "password  as before" in again.output()


def test_a_process_that_dies_five_times_in_half_a_minute_ends_the_stack_with_a_sentence(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "data")
    pids = stack.pids()
    for _ in range(5):
        kill_again(stack, "gateway-1")

    assert stack.process.wait(30) == 1
    assert "gateway-1 died five times within half a minute (it was killed by SIGKILL)" in stack.output()
    assert not [name for name, pid in pids.items() if is_alive(pid)]


def test_a_program_that_cannot_run_is_restarted_after_ever_longer_pauses(tmp_path: Path) -> None:
    program = Program("broken", (sys.executable, "-c", "print('no table'); raise SystemExit(3)"), os.environ, tmp_path)
    child = ChildProcess(program, tmp_path / "broken.log")
    deaths = []

    def dies_for_good() -> bool:
        deaths.append(child.watch())
        return child.is_hopeless()

    wait_for(dies_for_good, "five deaths")

    assert [death for death in deaths if death] == ["ended with status 3"] * 5
    assert child.tail() == "\n".join(["  | no table"] * 5)
