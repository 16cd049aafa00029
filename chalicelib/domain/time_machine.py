"""The Time Machine's window: how long a deleted tag can be restored."""

from chalicelib.domain.errors import DataInvalid

DAY_S = 86400
# Quay's five options.
OPTIONS = {"0s": 0, "1d": DAY_S, "1w": 7 * DAY_S, "2w": 14 * DAY_S, "4w": 28 * DAY_S}


def parse_window(seconds: int) -> int:
    """Returns the window if it is an option. Raises FieldInvalid with the message that Quay's clients match."""
    if seconds not in OPTIONS.values():
        raise DataInvalid("", "Invalid tag expiration option")
    return seconds
