"""How deeply JSON may be nested: less than Python's parser follows, as what comes after it follows less."""

from collections.abc import Iterable

# Manifests and bodies of the API have some ten levels.
DEEPEST = 200


def is_too_deep(document: object) -> bool:
    """Whether parsed JSON has more than `DEEPEST` levels of objects and lists."""
    level = _containers([document])
    for _ in range(DEEPEST):
        level = [
            inner for value in level for inner in _containers(value.values() if isinstance(value, dict) else value)
        ]
    return bool(level)


def _containers(values: Iterable[object]) -> list[dict[str, object] | list[object]]:
    """Returns the objects and lists among some values."""
    return [value for value in values if isinstance(value, dict | list)]
