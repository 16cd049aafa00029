"""Collects the files that Lambda needs: the sources, Chalice's runtime and the wheels of requirements.txt."""

import shutil
import subprocess
import sys
from pathlib import Path

import chalice

from infra.local.installation import reason
from infra.packaging.errors import PackageError
from infra.packaging.sources import copy_sources

# The modules of Chalice that run on Lambda; the others belong to its command line (`chalice package` omits them too).
CHALICE_RUNTIME = ("__init__.py", "app.py")
# Amazon Linux 2023, the system of both runtimes, has this glibc; wheels for older ones run there too.
GLIBC_MINOR, OLDEST_GLIBC_MINOR = 34, 17
WHEEL_ARCHITECTURES = {"arm64": "aarch64", "x86_64": "x86_64"}


def collect(project: Path, python: Path, architecture: str, destination: Path) -> None:
    """Fills a new directory with the files for `architecture` and the version of `python`. Raises PackageError."""
    _install_wheels(project / "requirements.txt", python, architecture, destination)
    copy_sources(project, destination)
    (destination / "chalice").mkdir()
    for name in CHALICE_RUNTIME:
        shutil.copyfile(Path(chalice.__file__).parent / name, destination / "chalice" / name)


def _install_wheels(requirements: Path, python: Path, architecture: str, destination: Path) -> None:
    """Installs wheels with this pip run by the runtime's Python, so that tags and markers are the runtime's."""
    command = [sys.executable, "-m", "pip", "--python", str(python)]
    command += ["--disable-pip-version-check", "--no-input", "install", "--root-user-action", "ignore"]
    command += ["--require-hashes", "--only-binary", ":all:", "--no-deps", "--no-compile", "--progress-bar", "off"]
    for platform in _platforms(architecture):
        command += ["--platform", platform]
    command += ["--target", str(destination), "--requirement", str(requirements)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise PackageError(f"pip could not install {requirements.name} for {architecture}: {reason(done.stdout)}.")


def _platforms(architecture: str) -> list[str]:
    """Returns the tags of every glibc, the newest first, since pip compares tags literally and prefers the first."""
    machine = WHEEL_ARCHITECTURES[architecture]
    minors = range(GLIBC_MINOR, OLDEST_GLIBC_MINOR - 1, -1)
    return [*(f"manylinux_2_{minor}_{machine}" for minor in minors), f"manylinux2014_{machine}"]
