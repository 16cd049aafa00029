"""How the tests run a client: a command line program with a home, credentials and storage of its own."""

import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))


@dataclass(frozen=True)
class Program:
    """A program and the options it always gets. Calling it runs it and returns what it printed."""

    command: tuple[str, ...]
    environment: Mapping[str, str]

    def __call__(self, *arguments: str | Path, typed: str = "") -> str:
        """Run it, and fail the test with its own words when it fails. `typed` is what it reads from its input."""
        done = self._run(arguments, typed)
        assert done.returncode == 0, f"{shlex.join(done.args)} failed with {done.returncode}:\n{_said(done)}"
        return done.stdout.strip()

    def said(self, *arguments: str | Path) -> str:
        """Run it, and return all it said on the way, its log included."""
        done = self._run(arguments, "")
        assert done.returncode == 0, f"{shlex.join(done.args)} failed with {done.returncode}:\n{_said(done)}"
        return _said(done)

    def refused(self, *arguments: str | Path, typed: str = "") -> str:
        """Run it where it must fail, and return its words in lower case."""
        done = self._run(arguments, typed)
        assert done.returncode != 0, f"{shlex.join(done.args)} was not refused:\n{_said(done)}"
        return _said(done).lower()

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


def _said(done: subprocess.CompletedProcess[str]) -> str:
    return f"{done.stdout}\n{done.stderr}".strip()


def make_environment(home: Path, host: str) -> dict[str, str]:
    """A home that knows one registry, without TLS; nothing of the user's own settings or proxies."""
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
    """The same program of someone who never logged in anywhere."""
    home = Path(program.environment["HOME"])
    return program.with_environment(
        REGISTRY_AUTH_FILE=str(home / "no-login.json"), DOCKER_CONFIG=str(home / "no-login")
    )
