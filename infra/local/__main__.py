"""`python -m infra.local run|check|lock`: the stack until Ctrl-C, every check of the house, or new lock files."""

import errno
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from infra.local.checks import check
from infra.local.environment import Settings, settings_from
from infra.local.errors import StackError
from infra.local.locks import lock
from infra.local.servers import DYNOXIDE
from infra.local.supervisor import Supervisor

USAGE = "Usage: python -m infra.local run | check [pytest arguments] | lock [uv arguments]"


def main(arguments: list[str]) -> int:
    """Runs a command; its exit status."""
    try:
        match arguments:
            case ["run"]:
                run(settings_from(os.environ), os.environ)
                return 0
            case ["check", *pytest_arguments]:
                return check(pytest_arguments)
            case ["lock", *uv_arguments]:
                lock(uv_arguments)
                return 0
            case _:
                raise StackError(USAGE)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(f"The disk is full ({error.filename}); free some space and start again.", file=sys.stderr)
        return 1


def run(settings: Settings, environ: Mapping[str, str]) -> None:
    """Runs a stack until a signal ends it."""
    say(f"Starting Cloudberth over {settings.data} …")
    if settings.tables == "ministack":
        say(
            f"ministack keeps the tables{'' if DYNOXIDE.exists() else ', for want of a dynoxide binary here'}: it saves"
            " them every 20 s and when it is stopped, so a kill -9 may lose what came between."
        )
    Supervisor(settings, environ, say).run(announcement(settings))
    say("Stopped.")


def announcement(settings: Settings) -> Callable[[Mapping[str, Any], float], None]:
    """Tells, once everything is up, who may log in and how a first image is pushed."""

    def announce(made: Mapping[str, Any], seconds: float) -> None:
        user, host = made["user"], settings.host
        say(f"\nCloudberth is ready at {settings.url} after {seconds:.1f} s. Ctrl-C stops it.\n")
        say(f"  user      {user}")
        say(f"  password  {password(made, settings)}\n")
        say("Push a first image:\n")
        say(f"  docker login {host} --username {user}")
        say(f"  docker pull busybox && docker tag busybox {host}/{user}/busybox")
        say(f"  docker push {host}/{user}/busybox\n")
        say("podman, buildah and skopeo want to be told that this is plain HTTP:")
        say(f"  podman login --tls-verify=false -u {user} {host} && podman push --tls-verify=false"
            f" busybox {host}/{user}/busybox\n")

    return announce


def password(made: Mapping[str, Any], settings: Settings) -> str:
    """The words behind `password`: a random one is shown at the start that made it, and never again."""
    if not made["created"]:
        return "as before"
    if settings.admin_password is not None:
        return "as in CLOUDBERTH_ADMIN_PASSWORD"
    return f"{made['password']}   (shown this once; keep it)"


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
