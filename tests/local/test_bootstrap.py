"""The bootstrap explains why the virtual environment cannot be made or filled."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra.local.errors import StackError
from infra.local.installation import fetch_dynoxide, pip_install, reason
from tests.support.stack import ROOT

BOOTSTRAP = ROOT / "infra" / "local" / "bootstrap.py"
# No program listens on this port, which is reserved for the discard protocol.
DEAD = "http://127.0.0.1:9/"
AS_PYTHON_3_9 = f"""
import runpy, sys
sys.version_info = (3, 9, 2, "final", 0)
sys.version = "3.9.2 (default)"
runpy.run_path({str(BOOTSTRAP)!r}, run_name="__main__")
"""
DEBIAN_WITHOUT_VENV = """\
The virtual environment was not created successfully because ensurepip is not
available.  On Debian/Ubuntu systems, you need to install the python3-venv
package using the following command.
"""
PIP_DISK_FULL = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n"
NPM_DISK_FULL = "npm error code ENOSPC\nnpm error syscall write\n"
NPM_FORBIDDEN = "npm error code E403\nnpm error 403 403 Forbidden - GET\n"
PIP_NO_BUILD = "ERROR: No matching distribution found for uvloop==0.23.0\n"
PIP_TIMEOUT = "pip._vendor.urllib3.exceptions.ReadTimeoutError: Read timed out.\n"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=60, check=False)


def a_wheel(directory: Path, name: str) -> None:
    """Makes the smallest package that pip can install."""
    metadata = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(directory / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{metadata}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{metadata}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{metadata}/RECORD", "")


def requirement(directory: Path, name: str) -> str:
    """Writes a requirement file with a hash that no package has."""
    file = directory / "requirements.txt"
    file.write_text(f"{name}==1.0 --hash=sha256:{'0' * 64}\n")
    return str(file)


def test_an_old_python_prints_which_version_is_needed_and_how_to_name_it():
    done = run("-c", AS_PYTHON_3_9)

    assert done.returncode == 1
    assert done.stderr.startswith("Cloudberth needs Python 3.11 or newer and this is 3.9.2 (")
    assert "make run PYTHON=" in done.stderr
    assert done.stderr.count("\n") == 1


def test_every_python_3_can_compile_the_bootstrap():
    ast.parse(BOOTSTRAP.read_text(), feature_version=(3, 4))


def test_an_unknown_mode_prints_the_known_ones():
    done = run(str(BOOTSTRAP), "deploy")

    assert done.returncode == 2
    assert "run | account | test | check" in done.stderr


def test_a_refusal_of_the_npm_registry_is_reported_in_a_sentence_with_the_log(tmp_path, monkeypatch):
    monkeypatch.setenv("npm_config_registry", DEAD)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))

    with pytest.raises(
        StackError, match=r"npm could not fetch dynoxide: the download was refused .* The whole log: "
    ) as refused:
        fetch_dynoxide(tmp_path / "dynoxide")

    assert Path(str(refused.value).rpartition(": ")[2]).exists()
    assert not (tmp_path / "dynoxide" / "stamp").exists(), "the next run would not try again"


def test_a_refusal_of_the_package_index_is_reported_in_a_sentence_with_the_log(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", DEAD)
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)

    with pytest.raises(StackError, match=r"pip could not install the packages: the download was refused .* log: "):
        pip_install(Path(sys.executable), [requirement(tmp_path, "cloudberth-absent")], tmp_path / "stamp")

    assert not (tmp_path / "stamp").exists(), "the next run would not try again"


def test_a_package_with_another_hash_than_the_locked_one_is_not_installed(tmp_path, monkeypatch):
    a_wheel(tmp_path, "cloudberth_forged")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))

    with pytest.raises(StackError, match=r"the hash of a download differs"):
        pip_install(Path(sys.executable), [requirement(tmp_path, "cloudberth-forged")], tmp_path / "stamp")


@pytest.mark.parametrize(
    ("log", "meaning"),
    [
        (PIP_DISK_FULL, "the disk is full"),
        (NPM_DISK_FULL, "the disk is full"),
        (DEBIAN_WITHOUT_VENV, "apt install python3-venv"),
        (NPM_FORBIDDEN, "the download was refused"),
        (PIP_TIMEOUT, "the download was refused or there is no network"),
        (PIP_NO_BUILD, "uvloop==0.23.0 is not available"),
        ("something new\n", "something new"),
        ("", "it printed nothing"),
    ],
)
def test_the_output_of_pip_npm_and_venv_is_turned_into_a_reason(log, meaning):
    assert meaning in reason(log)
