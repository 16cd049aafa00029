"""Attributes that pynamodb does not have: whole numbers, digests, enums, and attributes that may be missing."""

from enum import StrEnum
from typing import Any, Generic, TypeVar

from pynamodb.attributes import Attribute
from pynamodb.constants import BINARY, NUMBER, STRING

from chalicelib.domain.digests import Digest

E = TypeVar("E", bound=StrEnum)


class Integer(Attribute[int]):
    """A whole number."""

    attr_type = NUMBER

    def serialize(self, value: int) -> str:
        return str(int(value))

    def deserialize(self, value: str) -> int:
        return int(value)


class OptionalInteger(Attribute[int | None]):
    """A whole number that may be missing."""

    attr_type = NUMBER

    def __init__(self, **options: Any) -> None:
        super().__init__(null=True, **options)

    def serialize(self, value: int | None) -> str | None:
        return None if value is None else str(int(value))

    def deserialize(self, value: str) -> int:
        return int(value)


class OptionalNumber(Attribute[float | None]):
    """A number with fractions that may be missing."""

    attr_type = NUMBER

    def __init__(self, **options: Any) -> None:
        super().__init__(null=True, **options)

    def serialize(self, value: float | None) -> str | None:
        return None if value is None else f"{value:.3f}"

    def deserialize(self, value: str) -> float:
        return float(value)


class OptionalText(Attribute[str | None]):
    """A text that may be missing."""

    attr_type = STRING

    def __init__(self, **options: Any) -> None:
        super().__init__(null=True, **options)


class OptionalBytes(Attribute[bytes | None]):
    """Bytes that may be missing, encoded once; pynamodb's own attribute encodes them in base64 twice."""

    attr_type = BINARY

    def __init__(self, **options: Any) -> None:
        super().__init__(null=True, **options)


class DigestText(Attribute[Digest]):
    """A digest."""

    attr_type = STRING

    def serialize(self, value: Digest) -> str:
        return str(value)

    def deserialize(self, value: str) -> Digest:
        return Digest.parse(value)


class OptionalDigest(Attribute[Digest | None]):
    """A digest that may be missing."""

    attr_type = STRING

    def __init__(self, **options: Any) -> None:
        super().__init__(null=True, **options)

    def serialize(self, value: Digest | None) -> str | None:
        return None if value is None else str(value)

    def deserialize(self, value: str) -> Digest:
        return Digest.parse(value)


class EnumText(Attribute[E], Generic[E]):
    """A member of an enum, stored as its value. Writing or reading any other value raises ValueError."""

    attr_type = STRING

    def __init__(self, kind: type[E], **options: Any) -> None:
        super().__init__(**options)
        self._kind = kind

    def serialize(self, value: E) -> str:
        return self._kind(value).value

    def deserialize(self, value: str) -> E:
        return self._kind(value)


class OptionalEnumText(Attribute[E | None], Generic[E]):
    """A member of an enum that may be missing."""

    attr_type = STRING

    def __init__(self, kind: type[E], **options: Any) -> None:
        super().__init__(null=True, **options)
        self._kind = kind

    def serialize(self, value: E | None) -> str | None:
        return None if value is None else self._kind(value).value

    def deserialize(self, value: str) -> E:
        return self._kind(value)
