"""`relay serve`: a registry on this machine, or in front of the installation, whose bodies have no limit."""

import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from relay.errors import RelayError
from relay.front import Front
from relay.progress import Board
from relay.registry import Registry
from relay.server import Server
from relay.spool import Spool
from relay.spooling import Spooling, sweep_on
from relay.streaming import Streaming

# How long a request that is passed on waits for a registry that is away, in seconds; clients do not wait for ever.
PASSING_S = 60.0
# How long requests may take to their end once the relay was asked to stop, in seconds: Fargate kills after 30.
STOPPING_S = 25.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What `serve` is told. `key` is the installation's relay key, empty without; `patience_s` is in seconds."""

    registry: str
    listen: tuple[str, int]
    spool: Path
    key: bytes
    patience_s: float


def make_server(settings: Settings, board: Board) -> Server:
    """A server that listens already. Raises RelayError."""
    registry, passing_s = Registry(settings.registry, settings.key), min(PASSING_S, settings.patience_s)
    uploads: Spooling | Streaming
    if settings.key:
        uploads = Streaming(registry, board, passing_s)
    else:
        spool = Spool(settings.spool)
        uploads = Spooling(registry, spool, board, settings.patience_s)
        threading.Thread(target=sweep_on, args=(spool,), daemon=True).start()
    front = Front(registry, uploads, passing_s, names_itself=not settings.key)
    try:
        return Server(settings.listen, front.serve, board.tell)
    except OSError as error:
        place = "{}:{}".format(*settings.listen)
        raise RelayError(f"{place} cannot be listened on ({error.strerror}): name another by --listen") from None


def serve(settings: Settings, board: Board) -> int:
    """Serves until a signal ends it; the process ends with 1 when it had to leave requests unanswered."""
    server = make_server(settings, board)
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask_to_stop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host, port = server.server_address[:2]
    kept = "the installation's key" if settings.key else f"its spool in {settings.spool}"
    board.tell(f"relay: {settings.registry} is served on {host!s}:{port}, with {kept}")
    stop.wait()
    server.shutdown()
    server.server_close()
    if server.wait_until_idle(STOPPING_S):
        return 0
    board.tell("relay: stopped amid uploads; what came so far is kept, and goes on when it is started again")
    # Threads that are still sending would hold the process until they are done.
    os._exit(1)
