"""Responses of other hosts."""

import pytest

from chalicelib.domain.errors import OutgoingFailed
from chalicelib.remote.messages import OutgoingResponse


def test_content_that_is_no_json_raises_an_error() -> None:
    for content in (b"", b"{", b"\xff", b"[" * 100_000):
        with pytest.raises(OutgoingFailed, match="not JSON"):
            OutgoingResponse(200, {}, content).json()
