"""Tests of what rows of mirrors share: no secret of a source is in the table."""

from typing import Any

import pytest

from chalicelib.domain.mirrors import MirrorSource
from chalicelib.services.security.sealing import Envelope
from chalicelib.storage.mirroring.sources import SEALED, ScheduledRow, SourceRow
from tests.support.backends import Backend

SOURCE = MirrorSource(
    "quay.io/a/b", "u", "s3cret", False, "http://p:s3cret@proxy", "http://q:s3cret@proxy", "example.org"
)


class Sealed(SourceRow):
    """A mirror of something."""

    @property
    def about(self) -> str:
        return "something"


@pytest.fixture
def envelope(backend: Backend) -> Envelope:
    return backend.services.security.envelope


def test_a_source_is_read_as_it_was_taken_over(envelope: Envelope) -> None:
    row = Sealed.under(("S", "S"))
    row.take_source(SOURCE, envelope.seal)
    assert row.source("quay.io/a/b", envelope.open) == SOURCE
    assert row.settings_version == 1


def test_all_that_may_be_secret_is_sealed(envelope: Envelope) -> None:
    row: Any = Sealed.under(("S", "S"))
    row.take_source(SOURCE, envelope.seal)
    assert "s3cret" not in str(row.serialize())
    assert set(SEALED) == {"username", "password", "http_proxy", "https_proxy"}


def test_a_row_without_a_source_has_an_open_one() -> None:
    row = Sealed.under(("S", "S"))
    assert row.source("x/y", lambda *_: "{}") == MirrorSource("x/y")


def test_a_mirror_has_never_run_at_first() -> None:
    row = ScheduledRow.under(("S", "S"))
    assert (row.status, row.tries, row.next_at, row.is_enabled) == ("NEVER_RUN", 0, None, 1)
