"""Global messages: their fields."""

import pytest

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.messages import LONGEST, check_message


@pytest.mark.parametrize("severity", ["info", "warning", "error"])
@pytest.mark.parametrize("media_type", ["text/plain", "text/markdown"])
def test_a_message_has_a_severity_and_a_type(severity: str, media_type: str) -> None:
    check_message("x" * LONGEST, severity, media_type)


@pytest.mark.parametrize(
    ("content", "severity", "media_type", "field"),
    [
        ("", "info", "text/plain", "content"),
        ("x" * (LONGEST + 1), "info", "text/plain", "content"),
        ("x", "loud", "text/plain", "severity"),
        ("x", "info", "text/html", "media_type"),
    ],
)
def test_an_invalid_field_is_named(content: str, severity: str, media_type: str, field: str) -> None:
    with pytest.raises(FieldInvalid, match=field):
        check_message(content, severity, media_type)
