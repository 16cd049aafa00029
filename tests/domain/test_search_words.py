"""Words of the search."""

import pytest

from chalicelib.domain.search_words import MOST_OF_NAME, matches, query_words, words_of


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("app", ["app"]),
        ("team/deep-name_2.x", ["team", "deep", "name", "2", "x"]),
        ("a/a/b", ["a", "b"]),
        ("", []),
        ("---", []),
    ],
)
def test_a_name_is_indexed_by_its_different_segments(name: str, words: list[str]) -> None:
    assert words_of(name) == words


def test_a_long_name_is_indexed_by_its_first_segments() -> None:
    assert words_of("/".join(f"w{number}" for number in range(50))) == [f"w{n}" for n in range(MOST_OF_NAME)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("App", ["app"]),
        ("acme/Web front", ["front", "acme", "web"]),
        ("a bb ccc dddd", ["dddd", "ccc", "bb"]),
        ("", []),
        ("ключ \N{SNOWMAN}", []),
        ("#~'", []),
    ],
)
def test_a_querys_words_come_longest_first(text: str, words: list[str]) -> None:
    assert query_words(text) == words


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("acme/web-front", "web", True),
        ("acme/web-front", "fro ac", True),
        ("acme/web-front", "ront", False),
        ("acme/web-front", "web back", False),
        ("acme/web-front", "", True),
    ],
)
def test_every_word_must_begin_a_segment(name: str, text: str, found: bool) -> None:
    assert matches(name, query_words(text)) is found
