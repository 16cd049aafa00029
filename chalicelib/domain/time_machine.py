"""The Time Machine's window: how long what is dead can be brought back."""

from chalicelib.domain.errors import FieldInvalid

DAY_S = 86400
# Quay's five options.
OPTIONS = {"0s": 0, "1d": DAY_S, "1w": 7 * DAY_S, "2w": 14 * DAY_S, "4w": 28 * DAY_S}


def parse_window(seconds: int) -> int:
    """The window, if it is one of the options. Raises FieldInvalid in the words that Quay's clients match."""
    if seconds not in OPTIONS.values():
        raise FieldInvalid("", "Invalid tag expiration option")
    return seconds
