"""Tests of what requests give of mirrors of organizations, and of what each repository's mirror gets of it."""

from dataclasses import replace

import pytest

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.mirror_sources import parse_namespace
from chalicelib.domain.mirrors import MirrorSettings, MirrorSource
from chalicelib.domain.organization_mirrors import (
    FRESH,
    MOST_FILTERS,
    NAMESPACE,
    changed_fields,
    parse_filters,
    parse_url,
)

SOURCE = MirrorSource("", "u", "p", verify_tls=False)
SETTINGS = replace(
    FRESH, source=SOURCE, url="https://quay.example.com:8443", namespace="team", interval_s=60, start_at=7
)


def test_each_repository_gets_the_settings_of_its_organization_and_its_own_reference() -> None:
    source = replace(SOURCE, reference="quay.example.com:8443/team/web/app")
    assert SETTINGS.mirror_of("web/app") == MirrorSettings(source, ("*",), 60, 7, 300)
    assert SETTINGS.reference == "https://quay.example.com:8443/team"


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        ("https://quay.io", "https://quay.io"),
        ("https://quay.io/", "https://quay.io"),
        ("http://[::1]:5000", "http://[::1]:5000"),
        ("https://Quay.io:443", "https://Quay.io:443"),
    ],
)
def test_an_address_has_scheme_host_and_port(given: str, parsed: str) -> None:
    assert parse_url(given) == parsed


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("", "URL must include a hostname"),
        ("quay.io", "URL must include a hostname"),
        ("https://", "URL must include a hostname"),
        ("https://[::1", "URL must include a hostname"),
        ("ftp://quay.io", "say https://HOST"),
        ("https://quay.io/harbor", "without a path"),
        ("https://quay.io?x=1", "without a path"),
        ("https://quay.io#x", "without a path"),
        ("https://user:secret@quay.io", "no user or password"),
        ("https://quay.io:0", "no valid host and port"),
        ("https://quay .io", "no valid host and port"),
        ("https://quay.io.", "no valid host and port"),
    ],
)
def test_an_address_that_cannot_be_asked_is_refused(given: str, why: str) -> None:
    with pytest.raises(FieldInvalid, match=why):
        parse_url(given)


@pytest.mark.parametrize("namespace", ["", "Team", "a/", "a b", "../x", "a" * 260, "-a"])
def test_a_namespace_that_no_registry_has_is_refused(namespace: str) -> None:
    with pytest.raises(FieldInvalid, match="external_namespace"):
        parse_namespace(NAMESPACE, namespace)


def test_filters_are_names_and_patterns() -> None:
    assert parse_filters(["team-*", "!*-old", "a/b", "x[ab]?"]) == ("team-*", "!*-old", "a/b", "x[ab]?")
    assert parse_filters([]) == ()


@pytest.mark.parametrize("patterns", [[""], ["!"], ["a b"], ["a" * 257], ["ü"], ["a"] * (MOST_FILTERS + 1)])
def test_filters_that_match_nothing_are_refused(patterns: list[str]) -> None:
    with pytest.raises(FieldInvalid, match="repository_filters"):
        parse_filters(patterns)


def test_plain_http_is_asked_only_without_verification() -> None:
    plain = replace(SETTINGS, url="http://quay.example.com")
    plain.check()
    SETTINGS.check()
    with pytest.raises(FieldInvalid, match="verify_tls is false"):
        replace(plain, source=replace(SOURCE, verify_tls=True)).check()


def test_changes_are_named_by_quays_fields() -> None:
    changed = replace(SETTINGS, namespace="other", source=replace(SOURCE, password="new", http_proxy="http://p"))
    assert changed_fields(SETTINGS, changed) == [
        "external_namespace",
        "external_registry_password",
        "external_registry_config",
    ]
    assert changed_fields(SETTINGS, SETTINGS) == []
