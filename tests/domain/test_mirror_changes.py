"""Tests of what a request may say of a mirror, and of what it changes."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.errors import FieldInvalid, MirrorInvalid
from chalicelib.domain.mirror_changes import (
    FRESH,
    LONGEST_PASSWORD,
    LONGEST_USERNAME,
    MOST_PATTERNS,
    MirrorChanges,
    date_text,
    differences,
    masked,
    parse_architectures,
    parse_credentials,
    parse_date,
    parse_patterns,
)
from chalicelib.domain.mirrors import MirrorSource

USER, PASSWORD = "external_registry_username", "external_registry_password"
SECRET = replace(FRESH, source=MirrorSource("a.test/b", "u", "old", http_proxy="http://p:s3cret@proxy:3128"))


@pytest.mark.parametrize(
    ("given", "username", "password"),
    [
        ({}, "u", "old"),
        ({USER: "", PASSWORD: ""}, "u", "old"),
        ({USER: "v"}, "v", "old"),
        ({USER: "v", PASSWORD: "new"}, "v", "new"),
        ({PASSWORD: None}, "u", ""),
        ({USER: "u", PASSWORD: None}, "u", ""),
        ({USER: None}, "", ""),
        ({USER: None, PASSWORD: ""}, "", ""),
        ({USER: "u", PASSWORD: ' \\"\n☃:@'}, "u", ' \\"\n☃:@'),
    ],
)
def test_null_removes_credentials_and_nothing_else_does(
    given: dict[str, str | None], username: str, password: str
) -> None:
    source = MirrorChanges({}, parse_credentials(given, is_new=False)).apply(SECRET).source

    assert (source.username, source.password) == (username, password)


@pytest.mark.parametrize(
    ("given", "is_new", "words"),
    [
        ({PASSWORD: "p"}, False, "Unable to set a new password without also specifying a username."),
        ({USER: "", PASSWORD: "p"}, False, "Unable to set a new password without also specifying a username."),
        ({USER: None, PASSWORD: "p"}, True, "Unable to set a new password without also specifying a username."),
        ({USER: None, PASSWORD: "p"}, False, "Unable to delete username while setting a password."),
        ({USER: "u" * (LONGEST_USERNAME + 1)}, False, f"{USER}: it has at most {LONGEST_USERNAME} characters"),
        ({USER: "u", PASSWORD: "p" * (LONGEST_PASSWORD + 1)}, True, f"{PASSWORD}: it has at most 9000 characters"),
        ({USER: "u:p"}, True, f"{USER}: a username has no ':' (RFC 7617): the password is a field"),
    ],
)
def test_credentials_that_cannot_be_used_are_refused(given: dict[str, str | None], is_new: bool, words: str) -> None:
    with pytest.raises(MirrorInvalid) as refused:
        parse_credentials(given, is_new=is_new)

    assert str(refused.value) == words


def test_a_masked_proxy_that_is_sent_back_stays_and_another_one_is_refused() -> None:
    shown = masked(SECRET.source.http_proxy)
    assert shown == "http://p:********@proxy:3128"

    assert MirrorChanges({}, {"http_proxy": shown}).apply(SECRET) == SECRET
    for before, given in ((SECRET, shown.replace("3128", "8080")), (FRESH, shown)):
        with pytest.raises(MirrorInvalid, match=r"external_registry_config.proxy.http_proxy: say the password"):
            MirrorChanges({}, {"http_proxy": given}).apply(before)


@pytest.mark.parametrize("address", ["", "http://proxy", "http://proxy:3128", "http://user@proxy:3128"])
def test_a_proxy_without_a_password_is_shown_as_it_is(address: str) -> None:
    assert masked(address) == address


def test_what_changed_is_named_as_quay_names_it_without_secrets() -> None:
    source = replace(SECRET.source, password="new", https_proxy="http://p:s3cret@proxy", no_proxy="", verify_tls=False)
    after = replace(SECRET, source=source, interval_s=60, start_at=86_400, patterns=("a",), architectures=("arm64",))

    assert differences(SECRET, after) == [
        ("sync_start_date", "1970-01-02T00:00:00Z"),
        ("sync_interval", 60),
        ("architecture_filter", ["arm64"]),
        ("external_registry_password", "********"),
        ("verify_tls", False),
        ("https_proxy", "http://p:********@proxy"),
        ("mirror_rule", ["a"]),
    ]
    assert differences(SECRET, replace(SECRET, source=replace(SECRET.source, password=""))) == [
        ("external_registry_password", None)
    ]
    assert differences(SECRET, SECRET) == []


def test_a_new_password_of_a_proxy_is_a_change() -> None:
    other = replace(SECRET, source=replace(SECRET.source, http_proxy="http://p:other@proxy:3128"))

    assert differences(SECRET, other) == [("http_proxy", "http://p:********@proxy:3128")]


def test_changes_show_no_secret() -> None:
    assert "s3cret" not in repr(MirrorChanges({}, {"password": "s3cret"}))


def test_a_date_is_read_as_it_is_shown() -> None:
    assert date_text(parse_date("2026-12-31T23:59:59Z")) == "2026-12-31T23:59:59Z"


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-02-30T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00+01:00"])
def test_a_date_that_is_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(MirrorInvalid, match=r"^Incorrect DateTime format for sync_start_date\. Say it like"):
        parse_date(text)


def test_patterns_lose_blanks_around_them() -> None:
    assert parse_patterns([" v1.*", "[!a]?", "!*-rc", "latest "]) == ("v1.*", "[!a]?", "!*-rc", "latest")


@pytest.mark.parametrize("pattern", ["", " ", "!", "v1,v2", "a b", "a/b", "a:b", "ü", "x" * 257])
def test_a_pattern_that_matches_no_tag_is_refused(pattern: str) -> None:
    with pytest.raises(FieldInvalid, match=r"root_rule.rule_value: .* matches no tag: say a tag or a pattern"):
        parse_patterns(["latest", pattern])


def test_there_is_a_pattern_and_there_are_not_too_many() -> None:
    with pytest.raises(FieldInvalid, match="must be a list with at least one rule"):
        parse_patterns([])
    with pytest.raises(FieldInvalid, match=f"at most {MOST_PATTERNS} patterns"):
        parse_patterns(["a"] * (MOST_PATTERNS + 1))


@pytest.mark.parametrize(("given", "parsed"), [(None, ()), ([], ()), (["arm64", "386", "arm64"], ("arm64", "386"))])
def test_architectures_are_those_of_images_each_once(given: Any, parsed: tuple[str, ...]) -> None:
    assert parse_architectures(given) == parsed


def test_an_unknown_architecture_is_refused_with_the_known_ones() -> None:
    with pytest.raises(MirrorInvalid, match="architecture_filter: 'pdp11' is not known: say some of amd64, arm64"):
        parse_architectures(["amd64", "pdp11"])
