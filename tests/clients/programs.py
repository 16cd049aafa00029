"""Runs clients: command line programs with their own home, credentials and storage."""

import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))


@dataclass(frozen=True)
class Program:
    """A program with fixed options. A call runs it and returns its standard output."""

    command: tuple[str, ...]
    environment: Mapping[str, str]

    def __call__(self, *arguments: str | Path, typed: str = "") -> str:
        """Runs it with `typed` as its input; fails the test with its output if it fails."""
        done = self._run(arguments, typed)
        assert done.returncode == 0, f"{shlex.join(done.args)} failed with {done.returncode}:\n{_output(done)}"
        return done.stdout.strip()

    def output(self, *arguments: str | Path) -> str:
        """Runs it; returns its output with its log."""
        done = self._run(arguments, "")
        assert done.returncode == 0, f"{shlex.join(done.args)} failed with {done.returncode}:\n{_output(done)}"
        return _output(done)

    def refused(self, *arguments: str | Path, typed: str = "") -> str:
        """Runs it, which must fail; returns its output in lower case."""
        done = self._run(arguments, typed)
        assert done.returncode != 0, f"{shlex.join(done.args)} was not refused:\n{_output(done)}"
        return _output(done).lower()

    def with_options(self, *options: str) -> "Program":
        return replace(self, command=(*self.command, *options))

    def with_environment(self, **variables: str) -> "Program":
        return replace(self, environment={**self.environment, **variables})

    def _run(self, arguments: tuple[str | Path, ...], typed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *map(str, arguments)],
            env=dict(self.environment),
            input=typed,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )


def _output(done: subprocess.CompletedProcess[str]) -> str:
    return f"{done.stdout}\n{done.stderr}".strip()


def make_environment(home: Path, host: str) -> dict[str, str]:
    """Returns an environment with its own home and one registry without TLS; the user's settings are not used."""
    settings = home / ".config" / "containers"
    for directory in (settings, home / "run", home / "tmp"):
        directory.mkdir(parents=True)
    (settings / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (settings / "registries.conf").write_text(f'[[registry]]\nlocation = "{host}"\ninsecure = true\n')
    (home / "no-login.json").write_text("{}")
    return {
        "PATH": SEARCH_PATH,
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local"),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "DOCKER_CONFIG": str(home / "docker-login"),
    }


def anonymous(program: Program) -> Program:
    """Returns the same program without any login."""
    home = Path(program.environment["HOME"])
    return program.with_environment(
        REGISTRY_AUTH_FILE=str(home / "no-login.json"), DOCKER_CONFIG=str(home / "no-login")
    )
