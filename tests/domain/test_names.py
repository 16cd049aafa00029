"""Names of repositories, tags, accounts and robots."""

import string
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import DigestInvalid, NameInvalid, RepositoryNameInvalid, TagInvalid
from chalicelib.domain.names import (
    REPOSITORY,
    RepositoryName,
    Tag,
    parse_account,
    parse_reference,
    parse_robot,
)

DIGEST = Digest.of(b"")


@pytest.mark.parametrize(
    ("text", "namespace", "repository"),
    [
        ("admin/app", "admin", "app"),
        ("admin/a/b/c", "admin", "a/b/c"),
        ("a/b", "a", "b"),
        ("0/1", "0", "1"),
        ("a.b_c__d-e---f/x", "a.b_c__d-e---f", "x"),
    ],
)
def test_the_first_component_is_the_namespace(text: str, namespace: str, repository: str) -> None:
    name = RepositoryName.parse(text)

    assert (name.namespace, name.repository) == (namespace, repository)
    assert str(name) == text


def test_a_name_without_a_namespace_belongs_to_library() -> None:
    assert str(RepositoryName.parse("ubuntu")) == "library/ubuntu"


def test_a_name_of_255_characters_is_accepted_and_one_of_256_is_refused() -> None:
    RepositoryName.parse("a/" + "b" * 253)

    with pytest.raises(NameInvalid, match="it has 256 characters, at most 255"):
        RepositoryName.parse("a/" + "b" * 254)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "//",
        "a/",
        "/a",
        "a//b",
        "A/b",
        "a/B",
        "a b/c",
        "a/b ",
        "a/b\n",
        ".a/b",
        "a./b",
        "a/-b",
        "a/b_",
        "a___b/c",
        "a..b/c",
        "a.-b/c",
        "a/../b",
        "a/./b",
        "a/b:c",
        "a/b@c",
        "a%2Fb",
        "a\\b",
        "a/b\x00",
        "caf\u00e9/b",
        "\u0430/b",
        "a/\u0661",
        "_catalog",
    ],
)
def test_an_invalid_repository_name_is_refused(text: str) -> None:
    with pytest.raises(NameInvalid, match="lower-case letters and digits"):
        RepositoryName.parse(text)


def test_a_name_made_to_cause_backtracking_is_refused_quickly() -> None:
    with pytest.raises(NameInvalid):
        RepositoryName.parse("a-" * 127)
    with pytest.raises(NameInvalid):
        RepositoryName.parse("a" * 1_000_000)


@settings(max_examples=30)
@given(st.from_regex(REPOSITORY, fullmatch=True))
def test_every_name_of_the_grammar_is_accepted_and_written_back_unchanged(text: str) -> None:
    if len(text) <= 255:
        written = str(RepositoryName.parse(text))

        assert written == text or written == "library/" + text


@given(st.text(alphabet=string.printable + "\u00e9\u0660", max_size=40))
def test_any_text_is_either_a_name_or_refused(text: str) -> None:
    try:
        name = RepositoryName.parse(text)
    except NameInvalid:
        return

    assert RepositoryName.parse(str(name)) == name


def test_a_tag_of_128_characters_is_accepted() -> None:
    assert Tag.parse("t" * 128) == "t" * 128


def test_a_tag_of_129_characters_is_refused() -> None:
    with pytest.raises(TagInvalid, match="1 to 128 letters"):
        Tag.parse("t" * 129)


@pytest.mark.parametrize("tag", ["latest", "v1.2.3", "_", "A", "0", "a-.", "sha256-abc.sig", "_.-"])
def test_tags_of_the_grammar_are_accepted(tag: str) -> None:
    assert Tag.parse(tag) == tag


@pytest.mark.parametrize(
    "tag", ["", ".a", "-a", "a b", "a/b", "a:b", "a+b", "a@b", "a\n", "\u00e9", "a\u0661", "a\x00", "%41", "a,b", "#"]
)
def test_tags_outside_the_grammar_are_refused(tag: str) -> None:
    with pytest.raises(TagInvalid):
        Tag.parse(tag)


@given(st.text())
def test_any_text_is_either_a_tag_or_refused(text: str) -> None:
    letters = string.ascii_letters + string.digits + "_"
    is_tag = 0 < len(text) <= 128 and text[0] in letters and all(character in letters + ".-" for character in text)
    try:
        found = Tag.parse(text)
    except TagInvalid:
        found = None

    assert found == (text if is_tag else None)


def test_a_reference_is_a_tag_or_a_digest() -> None:
    assert parse_reference("latest") == "latest"
    assert parse_reference(str(DIGEST)) == DIGEST


def test_a_text_with_a_colon_can_only_be_a_digest() -> None:
    with pytest.raises(DigestInvalid):
        parse_reference("latest:1")
    with pytest.raises(TagInvalid):
        parse_reference("no tag")


@pytest.mark.parametrize(("parse", "longest"), [(parse_account, 255), (parse_robot, 254)])
def test_names_of_accounts_and_robots_have_at_least_two_characters_and_an_upper_limit(
    parse: Callable[[str], str], longest: int
) -> None:
    assert parse("ab") == "ab"
    assert parse("a" * longest) == "a" * longest
    for text in ("", "a", "a" * (longest + 1)):
        with pytest.raises(NameInvalid, match=f"2 (to|and) {longest}"):
            parse(text)


@pytest.mark.parametrize("parse", [parse_account, parse_robot])
@pytest.mark.parametrize(
    "text", ["Ab", "a_", "_a", "a.", ".a", "-a", "a-", "a..b", "a__b", "a b", "a/b", "a+b", "a#b", "ab\n", "a\u00e9b"]
)
def test_an_invalid_name_is_refused_for_accounts_and_robots(parse: Callable[[str], str], text: str) -> None:
    with pytest.raises(NameInvalid):
        parse(text)


@given(st.text(alphabet="ab0._-", min_size=2, max_size=12))
def test_every_account_name_is_a_valid_namespace(text: str) -> None:
    """Every user can push, so every account's name must be valid as the first part of a repository's name."""
    try:
        account = parse_account(text)
    except NameInvalid:
        return

    assert RepositoryName.parse(f"{account}/app").namespace == account


@pytest.mark.parametrize("name", ["app", "a/b/c", "a__b", "x" * 250])
def test_a_repositorys_own_name_is_parsed_within_its_namespace(name: str) -> None:
    assert RepositoryName.within("acme", name) == RepositoryName("acme", name)


@pytest.mark.parametrize("name", ["", "UPPER", "bad name", "/a", "a/", "a//b", "-a", "x" * 251])
def test_an_invalid_repository_name_is_refused_with_quays_message(name: str) -> None:
    with pytest.raises(RepositoryNameInvalid) as refused:
        RepositoryName.within("acme", name)
    assert (str(refused.value), refused.value.field) == ("Invalid repository name", "repository")
