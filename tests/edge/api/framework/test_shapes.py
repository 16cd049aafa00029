"""Shapes that many answers share: avatars and dates."""

import re

from chalicelib.edge.api.framework.shapes import avatar, date, iso


def test_an_avatar_depends_only_on_name_and_kind() -> None:
    assert avatar("bob", "user") == avatar("bob", "user")
    assert avatar("bob", "user")["hash"] != avatar("bob", "team")["hash"]
    assert re.fullmatch(r"#[0-9a-f]{6}", avatar("bob", "user")["color"])


def test_times_are_written_as_quay_writes_them() -> None:
    assert date(1767225600) == "Thu, 01 Jan 2026 00:00:00 -0000"
    assert iso(1767225600.9) == "2026-01-01T00:00:00Z"
    assert (date(None), iso(None)) == (None, None)
