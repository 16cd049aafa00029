"""Pages of long lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from chalicelib.domain.errors import PageInvalid

T = TypeVar("T")
LARGEST_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list, and whether more follow."""

    items: Sequence[T]
    more: bool = False


def parse_page_size(text: str | None) -> int:
    """Returns how many items a page has: what `n` asks for, at most 1000. Raises PageInvalid."""
    if text is None:
        return LARGEST_PAGE
    if not text.isascii() or not text.isdigit():
        raise PageInvalid("n", text)
    digits = text.lstrip("0") or "0"
    return LARGEST_PAGE if len(digits) > len(str(LARGEST_PAGE)) else min(int(digits), LARGEST_PAGE)
