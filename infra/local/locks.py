"""`make lock` writes the requirement files, with the hash of every wheel, from the short lists in requirements/."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.local.environment import ROOT
from infra.local.errors import StackError

# Pairs of list and lock file. A list names the lock files that it must agree with, so the order matters.
LOCKS = (
    ("runtime.in", "requirements.txt"),
    ("local.in", "requirements/local.txt"),
    ("test.in", "requirements/test.txt"),
    ("npm.in", "requirements/npm.txt"),
    ("ministack.in", "requirements/ministack.txt"),
    ("checkov.in", "requirements/checkov.txt"),
    ("audit.in", "requirements/audit.txt"),
    ("relay.in", "requirements/relay.txt"),
)
OPTIONS = ("--generate-hashes", "--universal", "--python-version", "3.11", "--only-binary", ":all:")


def lock(uv_arguments: Sequence[str] = ()) -> None:
    """Writes all lock files; pinned versions stay as they are unless `--upgrade` is given."""
    uv = str(Path(sys.executable).parent / "uv")
    for source, target in LOCKS:
        print(f"{target} from requirements/{source} …", flush=True)
        command = [uv, "pip", "compile", "--quiet", *OPTIONS, "--custom-compile-command", "make lock"]
        files = [f"requirements/{source}", "--output-file", target]
        if subprocess.run([*command, *uv_arguments, *files], cwd=ROOT, check=False).returncode != 0:
            raise StackError(f"uv could not compile requirements/{source}; its output above says why.")
