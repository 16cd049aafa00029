"""ministack with our repairs, run by the Python of its own virtual environment.

    PYTHON infra/emulator/__main__.py [--repaired] [--snapshot-every SECONDS]

Without an option it runs ministack as it was published. ministack reads its own settings from the environment.
"""

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# Python puts this file's directory first on the path; the project's root takes its place.
sys.path[0] = str(Path(__file__).resolve().parents[2])

from infra.emulator.repairs import (  # noqa: E402
    cloudfront_functions,
    cloudfront_origins,
    encryption,
    leading_keys,
    message_batches,
    missing_objects,
    payload,
    prefix_lists,
    registry_paths,
    response_parameters,
    rest,
    saved_queries,
    snapshots,
    streams,
    ttl,
    waiting,
)

REPAIRS: Sequence[Callable[[Any], None]] = (
    cloudfront_functions.repair,
    cloudfront_origins.repair,
    encryption.repair,
    leading_keys.repair,
    message_batches.repair,
    missing_objects.repair,
    payload.repair,
    prefix_lists.repair,
    registry_paths.repair,
    response_parameters.repair,
    saved_queries.repair,
    rest.repair,
    streams.repair,
    ttl.repair,
    waiting.repair,
)


def main(arguments: list[str]) -> None:
    """Serves requests until a signal arrives."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repaired", action="store_true")
    parser.add_argument("--snapshot-every", type=float, metavar="SECONDS")
    chosen = parser.parse_args(arguments)
    emulator: Any = importlib.import_module("ministack.app")
    for repair in REPAIRS if chosen.repaired else ():
        repair(emulator)
    if chosen.snapshot_every is not None:
        snapshots.repair(emulator, chosen.snapshot_every)
    # ministack would read our arguments.
    del sys.argv[1:]
    emulator.main()


if __name__ == "__main__":
    main(sys.argv[1:])
