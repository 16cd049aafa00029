"""The commands `python -m relay serve` and `python -m relay push`."""

import argparse
import getpass
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import requests

from chalicelib import __version__
from relay.auth import is_loopback
from relay.errors import Refused, RelayError
from relay.progress import ProgressBoard
from relay.resume import cache_directory

LISTEN = "127.0.0.1:5050"
PATIENCE_S = 300.0
INTERRUPTED = 130


def main(words: list[str]) -> int:
    """Returns the exit status: 0 on success, 1 after an error message, 2 for invalid arguments, 130 after Ctrl-C."""
    arguments = _parser().parse_args(words)
    board = ProgressBoard(sys.stderr)
    try:
        _warn_of_plain_http(arguments.registry, board)
        return _serve(arguments, board) if arguments.command == "serve" else _push(arguments, board)
    except (RelayError, Refused) as error:
        board.log(f"relay: {error}")
    except requests.RequestException as error:
        board.log(f"relay: {_host(error)} does not answer ({type(error).__name__}): check the network and try again")
    except OSError as error:
        board.log(f"relay: {error.filename or 'the network'}: {error.strerror or error}")
    except KeyboardInterrupt:
        board.log("relay: interrupted; run it again to push what the registry does not have yet")
        return INTERRUPTED
    return 1


def _serve(arguments: argparse.Namespace, board: ProgressBoard) -> int:
    from relay.proxy import ServeSettings, serve

    key = _key(arguments.key_file)
    return serve(ServeSettings(arguments.registry, arguments.listen, arguments.spool, key, arguments.patience), board)


def _push(arguments: argparse.Namespace, board: ProgressBoard) -> int:
    from relay.push import PushSettings, push

    password = _password() if arguments.user else ""
    for line in push(
        PushSettings(
            arguments.registry, arguments.user, password, arguments.source, arguments.target, arguments.patience
        ),
        board,
    ):
        print(line, flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m relay", description="Pushes layers of any size into a registry.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="a registry on this machine that takes bodies of any size")
    serve.add_argument(
        "--listen", type=_listen_address, default=_listen_address(LISTEN), help=f"host:port, {LISTEN} by default"
    )
    spool = Path(os.environ.get("RELAY_SPOOL") or cache_directory() / "spool")
    serve.add_argument("--spool", type=Path, default=spool, help=f"where bodies are kept until they are sent, {spool}")
    serve.add_argument(
        "--key-file", type=Path, help="the installation's relay key in hexadecimal; else RELAY_KEY, if that is set"
    )
    push = commands.add_parser(
        "push", help="push an image from a file; the password comes from RELAY_PASSWORD or stdin"
    )
    push.add_argument("--user", default="", help="the user, or robot (namespace+name), who pushes")
    push.add_argument("source", metavar="SOURCE", help="oci:PATH, a directory or tar, or docker-archive:PATH")
    push.add_argument("target", metavar="NAMESPACE/REPOSITORY[:TAG]", help="without a tag: the tags that SOURCE has")
    for command in (serve, push):
        command.add_argument("--registry", type=_url, required=True, help="the registry, as https://registry.example")
        command.add_argument(
            "--patience", type=float, default=PATIENCE_S, help="seconds to try again for, while nothing works"
        )
    return parser


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not the address of a registry: say https://HOST or http://HOST:PORT"
        )
    return f"{parts.scheme}://{parts.netloc}"


def _listen_address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address to listen on: say HOST:PORT, such as {LISTEN}")
    return host.strip("[]"), int(port)


def _key(file: Path | None) -> bytes:
    text = file.read_text("ascii", "replace") if file else os.environ.get("RELAY_KEY", "")
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if not key and (file or text):
        source = str(file) if file else "RELAY_KEY"
        raise RelayError(f"{source} holds no key: it is the hexadecimal value `relay` of the installation's secret")
    return key


def _password() -> str:
    if password := os.environ.get("RELAY_PASSWORD"):
        return password
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    if line := sys.stdin.readline().rstrip("\r\n"):
        return line
    raise RelayError("there is no password: set RELAY_PASSWORD, or write it to stdin")


def _warn_of_plain_http(url: str, board: ProgressBoard) -> None:
    parts = urlsplit(url)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        board.log(f"relay: {url} is not encrypted: others can read passwords on the network")


def _host(error: requests.RequestException) -> str:
    return urlsplit(error.request.url).hostname or "a server" if error.request and error.request.url else "a server"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
