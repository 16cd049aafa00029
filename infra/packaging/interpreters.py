"""Finds the Python of Lambda's runtime on this machine, since only that minor version writes its bytecode."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from infra.packaging.errors import PackageError

# The first is the default, and the newest that the AWS provider 5 for Terraform knows.
RUNTIMES = ("python3.13", "python3.12")
# A version's bytecode may change until its final release.
ASK = "import sys; print('python%d.%d' % sys.version_info[:2], sys.version_info.releaselevel)"


def interpreter(runtime: str) -> Path:
    """Returns the path of a final release of `runtime` (python3.13). Raises PackageError."""
    for candidate in _candidates(runtime):
        version = subprocess.run([candidate, "-ISc", ASK], capture_output=True, text=True, check=False)
        if version.stdout.split() == [runtime, "final"]:
            return candidate
    others = " or ".join(other for other in RUNTIMES if other != runtime)
    raise PackageError(
        f"There is no {runtime} on PATH nor among the versions of pyenv or uv, and only it writes the bytecode that "
        f"Lambda's {runtime} reads: install it, or choose --runtime {others}."
    )


def _candidates(runtime: str) -> Iterator[Path]:
    yield Path(sys.executable)
    if found := shutil.which(runtime):
        yield Path(found)
    version = runtime.removeprefix("python")
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/{runtime}"), reverse=True)
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or Path.home() / ".local" / "share" / "uv" / "python")
    yield from sorted(uv.glob(f"cpython-{version}.*/bin/{runtime}"), reverse=True)
