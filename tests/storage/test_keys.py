"""Keys: every builder has its own, and no prefix takes in what is another's."""

import inspect
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.storage import keys

FIRST, SECOND = Digest.of(b"first"), Digest.of(b"second", "sha512")
# For each type of argument two values; the texts are what names, ids and ULIDs may be in common.
VALUES: dict[object, tuple[Any, Any]] = {
    str: ("one", "two"),
    str | None: ("one", "two"),
    Digest: (FIRST, SECOND),
    Digest | None: (FIRST, SECOND),
    int | None: (1, 2),
    int: (1, 2),
    float: (0.0, 86400.0),
}


# They read a key and build none.
READING = ("namespace_id", "upload_id", "manifest_digest", "repository_id", "holder_id")


def builders() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Functions that draw one key of the table, or one of S3 or of an index."""
    for name, function in inspect.getmembers(keys, inspect.isfunction):
        if (
            name not in READING
            and function.__module__.startswith(keys.__name__)
            and get_type_hints(function)["return"] in (keys.Key, str)
        ):
            yield name, function


def drawn(function: Callable[..., Any]) -> list[Any]:
    """Its keys for every combination of arguments."""
    hints = get_type_hints(function)
    hints.pop("return")
    return [function(*arguments) for arguments in itertools.product(*(VALUES[hint] for hint in hints.values()))]


def test_different_arguments_and_different_builders_give_different_keys() -> None:
    spread = {name: drawn(function) for name, function in builders() if name != "due"}
    # A record of a repository lies under the repository alone, whatever its namespace.
    spread["log"] = list(set(spread["log"]))
    counted = Counter(key for found in spread.values() for key in found)

    assert len(spread) > 30
    assert {key: number for key, number in counted.items() if number > 1} == {}


def test_a_record_without_a_repository_is_not_among_those_of_a_repository_of_that_id() -> None:
    assert keys.log("same", None, "c", "u") != keys.log("other", "same", "c", "u")


PREFIXES: dict[str, keys.Key] = {
    "role": keys.roles("one"),
    "tag": keys.tag("one", ""),
    "tagged": keys.tagged("one", FIRST),
    "referrer": keys.referrer("one", FIRST),
    "uses": keys.uses("one", FIRST),
    "link": keys.link(FIRST),
    "part": keys.part("one"),
    "repository_name": keys.repository_name("one", ""),
}


@pytest.mark.parametrize("name", PREFIXES)
def test_a_prefix_takes_in_the_keys_of_its_own_kind_and_no_other(name: str) -> None:
    partition, beginning = PREFIXES[name]
    taken = {
        other
        for other, function in builders()
        for key in drawn(function)
        if isinstance(key, tuple) and other != "roles" and key[0] == partition and key[1].startswith(beginning)
    }

    assert taken == {name}


@pytest.mark.parametrize("function", [keys.tagged, keys.uses, keys.referrer])
def test_the_edges_of_a_digest_are_not_those_of_another(function: Callable[..., keys.Key]) -> None:
    partition, beginning = function("one", FIRST)
    taken = [key for key in drawn(function) if key[0] == partition and key[1].startswith(beginning)]

    assert {key[1].split("#")[1] for key in taken} == {str(FIRST)}
    assert len(taken) == 2


def test_parts_sort_by_their_number() -> None:
    numbers = [1, 2, 9, 10, 99, 100, 9_999, 10_000]

    assert sorted(keys.part("u", number) for number in reversed(numbers)) == [keys.part("u", n) for n in numbers]


def test_the_log_of_everybody_lies_where_each_namespace_s_records_are() -> None:
    places = {place for number in range(200) for place in keys.due_logs("p", f"N{number}")}

    assert sorted(places) == keys.due_logs("p") == [f"LOG#p#{number}" for number in range(8)]


def test_sizes_and_due_work_spread_over_eight_shards_that_never_change() -> None:
    digests = [Digest.of(bytes([number])) for number in range(200)]
    shards = {keys.sizes("n", "r", digest)[0][1] for digest in digests}
    due = {keys.due("garbage", str(digest)) for digest in digests}

    assert shards == {f"SIZE#{number}" for number in range(8)}
    assert due == {f"garbage#{number}" for number in range(8)}
    assert all(namespace[1] == repository[1] for namespace, repository in (keys.sizes("n", "r", it) for it in digests))
    assert keys.due("garbage", "R#1#TAG#v1") == "garbage#0"


def test_a_tag_that_is_alive_is_known_by_its_key() -> None:
    assert keys.is_tag(keys.tag("R", "v1"))
    assert not keys.is_tag(keys.life("R", "v1", "U"))
    assert not keys.is_tag(("N#1", "TAG#v1"))
