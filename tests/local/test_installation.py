"""The emulator's environment is made once, by one process at a time, and again when its lock file changes."""

import threading
import time
from pathlib import Path

import pytest

from infra.local import installation
from infra.local.errors import StackError
from infra.local.installation import ministack_python

RUNTIME = "python3.13"


class Installer:
    """Plays venv and pip: records the commands and makes the files that they would make."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.fails = False

    def __call__(self, command: list[str], failure: str, *_: object) -> None:
        self.commands.append(list(command))
        time.sleep(0.05)
        if self.fails:
            raise StackError(failure)
        if command[1:3] == ["-m", "venv"]:
            python = Path(command[-1]) / "bin" / "python"
            python.parent.mkdir(parents=True, exist_ok=True)
            python.touch()

    def modules(self) -> list[str]:
        """`venv`, `pip` … in the order they ran."""
        return [command[2] for command in self.commands]


@pytest.fixture
def installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installer:
    fake = Installer()
    monkeypatch.setattr(installation, "VENV", tmp_path / "venv")
    monkeypatch.setattr(installation, "LOGS", tmp_path / "venv" / "logs")
    monkeypatch.setattr(installation, "_run", fake)
    return fake


def test_an_environment_is_made_once_even_if_several_processes_need_it(installer: Installer, tmp_path: Path) -> None:
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(ministack_python(RUNTIME, Path("/usr/bin/python3"))))
        for _ in "123"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert installer.modules() == ["venv", "pip"]
    assert len(set(found)) == 1
    assert found[0].is_relative_to(tmp_path / "venv" / f"ministack-{RUNTIME}")


def test_each_runtime_has_an_environment_of_its_own(installer: Installer) -> None:
    first = ministack_python("python3.12", Path("/usr/bin/python3.12"))

    assert first != ministack_python(RUNTIME, Path("/usr/bin/python3.13"))
    assert [command[0] for command in installer.commands[::2]] == ["/usr/bin/python3.12", "/usr/bin/python3.13"]


def test_a_changed_lock_file_makes_a_new_environment(
    installer: Installer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ministack_python(RUNTIME, Path("/usr/bin/python3"))
    (tmp_path / "other.txt").write_text("ministack==2")
    monkeypatch.setattr(installation, "MINISTACK_REQUIREMENTS", (str(tmp_path / "other.txt"),))

    ministack_python(RUNTIME, Path("/usr/bin/python3"))

    assert installer.modules() == ["venv", "pip"] * 2
    assert "--clear" in installer.commands[2]


def test_a_failed_environment_is_made_again(installer: Installer) -> None:
    installer.fails = True
    with pytest.raises(StackError, match="The virtual environment of ministack could not be made"):
        ministack_python(RUNTIME, Path("/usr/bin/python3"))
    installer.fails = False

    assert ministack_python(RUNTIME, Path("/usr/bin/python3")).exists()
