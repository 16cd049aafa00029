"""`python -m infra.smoke URL`. Exit status: 0 nothing fails, 1 something does, 2 the words make no sense."""

import argparse
import getpass
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from infra.smoke import report
from infra.smoke.claims import Check, Verdict
from infra.smoke.client import SmokeClient, SmokeOptions
from infra.smoke.suite import CheckResult, chosen, printable, run
from infra.smoke.tokens import LOOPBACK
from infra.smoke.wire import NoAnswer

PASSWORD = "CLOUDBERTH_PASSWORD"  # the name of a variable
REPOSITORY = re.compile(r"[a-z0-9._-]+(/[a-z0-9._-]+)+")
ABOUT = """The first checks against a registry that was just deployed: about 100 MB go up, small images go in and out of
one repository, and everything is deleted again; the repository itself stays, empty. Each claim holds, fails or is
unknown; unknown never counts as holds. Proxies are not used: what answers has to be the registry itself."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the checks; the exit status."""
    parser = _parser()
    parsed = parser.parse_args(arguments)
    try:
        checks = chosen((parsed.only or "").split(","))
        if parsed.list:
            print(report.listed(checks))
            return 0
        client = SmokeClient(_address(parsed.url), _options(parsed))
    except ValueError as error:
        parser.error(str(error))
    # A job that is cancelled cleans up as one that is interrupted.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        client.connect()
    except NoAnswer as error:
        print(f"{client.url} does not answer: {printable(str(error))}", file=sys.stderr)
        return 1
    return _go(client, checks, is_json=parsed.json)


def _go(client: SmokeClient, checks: Sequence[Check], *, is_json: bool) -> int:
    rows: list[CheckResult] = []
    if not is_json:
        print(report.head(), flush=True)
    is_whole = False
    try:
        for check in checks:
            rows.append(run(client, check))
            if not is_json:
                print(report.lines_of(rows[-1]), flush=True)
        is_whole = True
    except KeyboardInterrupt:
        print("Interrupted; taking away what was pushed …", file=sys.stderr)
    finally:
        left = [printable(client.tokens.hidden(line)) for line in client.clear()]
    print(report.as_json(client.url, rows, left) if is_json else report.summary(rows, left))
    return 130 if not is_whole else int(report.count(rows, Verdict.FAILS) > 0)


def _address(url: str | None) -> str:
    """Scheme and host of the registry. Raises ValueError."""
    parts = urlsplit(url or "")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ValueError(f"URL is scheme and host of a registry, as in https://registry.example.com, and not {url!r}")
    if parts.username or parts.password:
        raise ValueError("URL holds a name or password: use --user and --password-file")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError(f"{url} has no TLS, and the password would be read by anybody on the way: say https://")
    return f"{parts.scheme}://{parts.netloc}"


def _options(parsed: argparse.Namespace) -> SmokeOptions:
    """What was asked for. Raises ValueError."""
    repository = parsed.repository or f"{parsed.user.partition('+')[0]}/smoke"
    if not REPOSITORY.fullmatch(repository):
        raise ValueError(f"--repository: {repository!r} is not NAMESPACE/NAME in lower case")
    return SmokeOptions(
        user=parsed.user,
        password=_password(parsed.password_file),
        repository=repository,
        gateway=parsed.gateway_host,
        log_group=parsed.log_group,
        upload_proof=parsed.upload_proof,
        slow_s=parsed.slow,
        put_gb=parsed.put_gb,
        relay_gb=parsed.relay_gb,
    )


def _password(file: str | None) -> str:
    """From the file, the environment, or whoever sits there. Raises ValueError."""
    if file:
        try:
            password = Path(file).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"--password-file: {file} cannot be read: {error}") from None
    else:
        password = os.environ.get(PASSWORD, "")
    if not password and not file and sys.stdin.isatty():
        password = getpass.getpass("Password: ")
    if not password:
        raise ValueError(f"there is no password: set {PASSWORD}, or say --password-file FILE")
    return password


def _at_least(least: float) -> "argparse._ActionType":
    def number(text: str) -> float:
        value = float(text)
        if not least <= value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is less than {least:g}")
        return value

    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.smoke", description=ABOUT)
    parser.add_argument("url", nargs="?", metavar="URL", help="https://HOST; http:// on this machine only")
    parser.add_argument("--user", default="admin", help="who pushes: a user, or a robot as namespace+robot (admin)")
    parser.add_argument("--password-file", metavar="FILE", help=f"holds the password; else ${PASSWORD}, else asked for")
    parser.add_argument("--repository", metavar="NAME", help="where to push (USER/smoke); made if it is not there")
    parser.add_argument("--only", metavar="U2,U4", help="only these checks")
    parser.add_argument("--list", action="store_true", help="tell all claims and what to do when they fail, and stop")
    parser.add_argument("--json", action="store_true", help="JSON in place of the table")
    more = parser.add_argument_group("what some checks need")
    more.add_argument("--gateway-host", metavar="HOST", default="", help="B3: API Gateway's own host behind CloudFront")
    more.add_argument("--log-group", metavar="NAME", default="", help="C6: the function's log group; AWS credentials")
    proofs = ("checksum", "payload", "staging")
    more.add_argument("--upload-proof", choices=proofs, default="checksum", help="U1, U3: as the installation has it")
    more.add_argument("--put-gb", type=_at_least(0.005), default=0, metavar="GB", help="U3: size of one PUT to staging")
    more.add_argument("--slow", type=_at_least(0), default=0, metavar="S", help="U7: seconds a body takes, above 30")
    more.add_argument("--relay-gb", type=_at_least(0.02), default=0, metavar="GB", help="U12: size of one PATCH")
    return parser


if __name__ == "__main__":
    sys.exit(main())
