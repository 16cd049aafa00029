"""Records the conversation's answers again: `python -m tests.contract`. Review the difference before committing it."""

import os
import tempfile
from pathlib import Path

import pytest

from tests.contract.talks import Talk, load, save
from tests.support.app_client import opened
from tests.support.backends import Backend, backing


def main() -> None:
    """Runs the conversation in a backend of its own."""
    with (
        tempfile.TemporaryDirectory() as place,
        backing(Path(place)) as environment,
        pytest.MonkeyPatch.context() as patch,
    ):
        os.environ.update(environment)
        with opened(Backend(environment, Path(place)), patch) as app_client:
            talk = Talk(app_client)
            save({group: talk.hold(steps) for group, steps in load().items()})


if __name__ == "__main__":
    main()
