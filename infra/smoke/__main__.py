"""`python -m infra.smoke URL`. The exit status is 0 if no claim fails, 1 if one does, 2 if the arguments are wrong."""

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
from infra.smoke.tokens import LOOPBACK, SignInRefused
from infra.smoke.wire import NoAnswer

PASSWORD = "CLOUDBERTH_PASSWORD"  # the name of a variable
REPOSITORY = re.compile(r"[a-z0-9._-]+(/[a-z0-9._-]+)+")
SIGN_IN_REMEDY = (
    f"401: give the password in ${PASSWORD} or with --password-file, and the account with --user; 503: run the line of "
    "`terraform output fill_keys`"
)
ABOUT = """Checks a registry that was just deployed. It uploads about 100 MB, pushes small images to one repository and
pulls them, and deletes everything again; the empty repository stays. Each claim holds, fails, is not offered by
this installation, or is unknown; unknown never counts as holds. It uses no proxy, since the registry itself has to
answer."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the checks and returns the exit status."""
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
    # A cancelled job cleans up like an interrupted one.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        client.connect()
    except NoAnswer as error:
        return _given_up(f"{client.url} does not answer: {printable(str(error))}")
    except SignInRefused as error:
        # Every check would repeat the password, and the registry would close the account for longer each time.
        refusal = f"{parsed.user} cannot sign in at {client.url}: {printable(str(error))}"
        return _given_up(f"{refusal}. {SIGN_IN_REMEDY}")
    return _go(client, checks, is_json=parsed.json)


def _given_up(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


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
        print("Interrupted; deleting what was pushed …", file=sys.stderr)
    finally:
        left = [printable(client.tokens.hidden(line)) for line in client.clear()]
    print(report.as_json(client.url, rows, left) if is_json else report.summary(rows, left))
    return 130 if not is_whole else int(report.count(rows, Verdict.FAILS) > 0)


def _address(url: str | None) -> str:
    """Returns scheme and host of the registry. Raises ValueError."""
    parts = urlsplit(url or "")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ValueError(f"URL must be scheme and host of a registry, as in https://registry.example.com, not {url!r}")
    if parts.username or parts.password:
        raise ValueError("URL holds a name or password: use --user and --password-file")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError(f"{url} has no TLS, so that anybody on the network could read the password: use https://")
    return f"{parts.scheme}://{parts.netloc}"


def _options(parsed: argparse.Namespace) -> SmokeOptions:
    """Returns the options of the client. Raises ValueError."""
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
    """Reads the password from the file, the environment or the terminal. Raises ValueError."""
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
        raise ValueError(f"there is no password: set {PASSWORD} or use --password-file FILE")
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
    parser.add_argument(
        "--user", default="admin", help="the account that pushes: a user, or a robot as namespace+robot (admin)"
    )
    parser.add_argument(
        "--password-file", metavar="FILE", help=f"a file with the password; default: ${PASSWORD}, or a prompt"
    )
    parser.add_argument(
        "--repository", metavar="NAME", help="the repository to push to (USER/smoke); it is made if needed"
    )
    parser.add_argument("--only", metavar="U2,U4", help="run only these checks")
    parser.add_argument("--list", action="store_true", help="list all claims and their remedies, and stop")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    more = parser.add_argument_group("options for some checks")
    more.add_argument("--gateway-host", metavar="HOST", default="", help="B3: API Gateway's own host behind CloudFront")
    more.add_argument(
        "--log-group", metavar="NAME", default="", help="C6, C7: the function's log group; AWS credentials"
    )
    proofs = ("checksum", "payload", "staging")
    more.add_argument(
        "--upload-proof", choices=proofs, default="checksum", help="U1, U3: the setting of the installation"
    )
    more.add_argument("--put-gb", type=_at_least(0.005), default=0, metavar="GB", help="U3: size of one PUT to staging")
    more.add_argument("--slow", type=_at_least(0), default=0, metavar="S", help="U7: seconds a body takes, above 30")
    more.add_argument("--relay-gb", type=_at_least(0.02), default=0, metavar="GB", help="U12: size of one PATCH")
    return parser


if __name__ == "__main__":
    sys.exit(main())
