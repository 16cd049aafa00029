"""Keys: builders return different keys, and a prefix includes only keys of its own kind."""

import inspect
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.storage import keys

FIRST, SECOND = Digest.of(b"first"), Digest.of(b"second", "sha512")
# Two values for each type of argument. The texts are valid as names and as ids.
VALUES: dict[object, tuple[Any, Any]] = {
    str: ("one", "two"),
    str | None: ("one", "two"),
    Digest: (FIRST, SECOND),
    Digest | None: (FIRST, SECOND),
    int | None: (1, 2),
    int: (1, 2),
    float: (0.0, 86400.0),
}


# Functions that read a key instead of building one.
READING = ("namespace_id", "upload_id", "manifest_digest", "repository_id", "holder_id")


def builders() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yields the functions that return a key of the table or a value of an index."""
    for name, function in inspect.getmembers(keys, inspect.isfunction):
        if (
            name not in READING
            and function.__module__.startswith(keys.__name__)
            and get_type_hints(function)["return"] in (keys.Key, str)
        ):
            yield name, function


def built_keys(function: Callable[..., Any]) -> list[Any]:
    """Returns a builder's keys for every combination of arguments."""
    hints = get_type_hints(function)
    hints.pop("return")
    return [function(*arguments) for arguments in itertools.product(*(VALUES[hint] for hint in hints.values()))]


def test_different_arguments_and_different_builders_give_different_keys() -> None:
    keys_by_builder = {name: built_keys(function) for name, function in builders()}
    # The key of a repository's record does not contain the namespace.
    keys_by_builder["log"] = list(set(keys_by_builder["log"]))
    counted = Counter(key for keys_of_builder in keys_by_builder.values() for key in keys_of_builder)

    assert len(keys_by_builder) > 30
    assert {key: number for key, number in counted.items() if number > 1} == {}


def test_records_of_a_namespace_and_of_a_repository_with_the_same_id_are_apart() -> None:
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
def test_a_prefix_includes_only_keys_of_its_own_kind(name: str) -> None:
    partition, prefix = PREFIXES[name]
    included = {
        other
        for other, function in builders()
        for key in built_keys(function)
        if isinstance(key, tuple) and other != "roles" and key[0] == partition and key[1].startswith(prefix)
    }

    assert included == {name}


@pytest.mark.parametrize("function", [keys.tagged, keys.uses, keys.referrer])
def test_a_digest_s_prefix_includes_only_its_own_edges(function: Callable[..., keys.Key]) -> None:
    partition, prefix = function("one", FIRST)
    included = [key for key in built_keys(function) if key[0] == partition and key[1].startswith(prefix)]

    assert {key[1].split("#")[1] for key in included} == {str(FIRST)}
    assert len(included) == 2


def test_parts_sort_by_their_number() -> None:
    numbers = [1, 2, 9, 10, 99, 100, 9_999, 10_000]

    assert sorted(keys.part("u", number) for number in reversed(numbers)) == [keys.part("u", n) for n in numbers]


def test_the_log_partitions_are_those_of_all_namespaces() -> None:
    partitions = {partition for number in range(200) for partition in keys.due_logs("p", f"N{number}")}

    assert sorted(partitions) == keys.due_logs("p") == [f"LOG#p#{number}" for number in range(8)]


def test_sizes_and_due_work_are_spread_over_eight_fixed_shards() -> None:
    digests = [Digest.of(bytes([number])) for number in range(200)]
    shards = {keys.sizes("n", "r", digest)[0][1] for digest in digests}
    due = {partition for digest in digests for partition in keys.due_timers(str(digest))}

    assert shards == {f"SIZE#{number}" for number in range(8)}
    assert sorted(due) == keys.due_timers() == [f"TIMER#{number}" for number in range(8)]
    assert all(namespace[1] == repository[1] for namespace, repository in (keys.sizes("n", "r", it) for it in digests))
    assert keys.due_timers("R#1#TAG#v1") == ["TIMER#0"]


def test_the_key_of_a_live_tag_is_recognized() -> None:
    assert keys.is_tag(keys.tag("R", "v1"))
    assert not keys.is_tag(keys.life("R", "v1", "U"))
    assert not keys.is_tag(("N#1", "TAG#v1"))


def test_the_keys_of_a_blob_and_of_a_manifests_bytes_are_read_and_no_others() -> None:
    blob, body = keys.blob(FIRST), keys.body("one", SECOND)
    others = [keys.link(FIRST, "one"), keys.namespace_blob("one", FIRST), keys.blob_link("one", FIRST)]
    others += [
        keys.manifest("one", FIRST),
        keys.upload("one"),
        keys.fence("one"),
        keys.timer("garbage", f"BLOB#{FIRST}"),
    ]

    assert keys.blob_digest(blob) == FIRST
    assert keys.body_digest(body) == ("one", SECOND)
    assert [keys.blob_digest(key) for key in (body, *others)] == [None] * 8
    assert [keys.body_digest(key) for key in (blob, *others)] == [None] * 8
