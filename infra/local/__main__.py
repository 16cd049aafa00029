"""`python -m infra.local` runs the stack until Ctrl-C, changes its accounts, follows its log, and runs checks."""

import errno
import os
import sys
from collections.abc import Mapping
from typing import Any

from chalicelib import __version__
from infra.local import access_log, ports
from infra.local.checks import check
from infra.local.environment import ROOT, StackSettings, settings_from, worker_environment
from infra.local.errors import StackError
from infra.local.locks import lock
from infra.local.servers import DYNOXIDE, answers, credentials, endpoints
from infra.local.supervisor import Supervisor
from infra.local.variables import unknown

USAGE = "Usage: python -m infra.local run | account … | logs | check [pytest arguments] | lock [uv arguments]"


def main(arguments: list[str]) -> int:
    """Runs a command and returns its exit status."""
    try:
        return _command(arguments)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(f"The disk is full ({error.filename}); free some space and start again.", file=sys.stderr)
        return 1


def _command(arguments: list[str]) -> int:
    match arguments:
        case ["run"]:
            run(settings_from(os.environ), os.environ)
        case ["check", *pytest_arguments]:
            return check(pytest_arguments)
        case ["account", *account_arguments]:
            become_account(settings_from(os.environ), account_arguments)
        case ["logs"]:
            access_log.follow(settings_from(os.environ).data)
        case ["lock", *uv_arguments]:
            lock(uv_arguments)
        case _:
            raise StackError(USAGE)
    return 0


def run(settings: StackSettings, environ: Mapping[str, str]) -> None:
    """Runs a stack until a signal stops it."""
    say(f"Starting Cloudberth {__version__} over {settings.data} …")
    for sentence in unknown(environ):
        say(sentence)
    if settings.tables == "ministack":
        say(
            f"ministack keeps the tables{'' if DYNOXIDE.exists() else ', since dynoxide is not here'}. It saves"
            " them every 20 s and when it is stopped, so a kill -9 may lose the writes since then."
        )
    Supervisor(settings, environ, say).run(
        lambda seeded: show_user(seeded, settings), lambda s: show_ready(s, settings)
    )
    say("Stopped.")


def show_user(seeded: Mapping[str, Any], settings: StackSettings) -> None:
    """Prints the first user before anything else can fail, since a random password is printed only once."""
    say(f"\n  user      {seeded['user']}")
    say(f"  password  {password(seeded, settings)}\n")


def show_ready(seconds: float, settings: StackSettings) -> None:
    """Prints the address and the commands that push a first image."""
    user, host = settings.admin, settings.host
    say(f"Cloudberth is ready at {settings.url} after {seconds:.1f} s. Ctrl-C stops it.\n")
    say("Push a first image:\n")
    say(f"  docker login {host} --username {user}")
    say(f"  docker pull busybox && docker tag busybox {host}/{user}/busybox")
    say(f"  docker push {host}/{user}/busybox\n")
    say("podman, buildah and skopeo need an option for plain HTTP:\n")
    source, target = "docker://docker.io/library/busybox", f"docker://{host}/{user}/busybox"
    say(f"  skopeo copy --dest-tls-verify=false --dest-creds {user}:PASSWORD {source} {target}\n")


def password(seeded: Mapping[str, Any], settings: StackSettings) -> str:
    """Returns the text after `password`; a random password is shown only at the start that made it."""
    if not seeded["created"]:
        return "as before"
    if settings.admin_password is not None:
        return "as in CLOUDBERTH_ADMIN_PASSWORD"
    return f"{seeded['password']}   (shown only once; keep it)"


def become_account(settings: StackSettings, arguments: list[str]) -> None:
    """Replaces this process by `infra.local.account` in the environment of the stack with this data directory."""
    base_port = ports.read(settings.data / ports.FILE)
    if base_port is None or not answers(base_port + 1, "/healthz"):
        raise StackError(
            f"No stack runs with the data directory {settings.data}; start it with `make run` and try again."
        )
    environment = worker_environment(
        settings, endpoints(base_port, settings.tables), credentials(settings.data), os.environ
    )
    os.chdir(ROOT)
    os.execve(sys.executable, [sys.executable, "-m", "infra.local.account", *arguments], environment)


def say(line: str) -> None:
    """Prints a line for the operator, at once even through a pipe."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
