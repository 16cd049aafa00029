"""Tests of references to repositories at other registries, and of proxies' addresses."""

import pytest

from chalicelib.domain.errors import FieldInvalid, MirrorInvalid
from chalicelib.domain.mirror_sources import LONGEST, host_of, parse_no_proxy, parse_proxy, parse_reference


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("quay.io/team/app", "quay.io"),
        ("docker.io/library/alpine", "docker.io"),
        ("library/alpine", "library"),
        ("Registry.Example.com:5000/app", "registry.example.com"),
        ("192.0.2.1/example/app", "192.0.2.1"),
        ("[2001:db8::1]:5000/a/b__c-d.e", "2001:db8::1"),
    ],
)
def test_a_reference_is_a_host_and_a_path(text: str, host: str) -> None:
    assert (parse_reference(text), host_of(text)) == (text, host)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is required"),
        ("https://quay.io/team/app", "must not include a URL scheme"),
        ("quay.io/team/ app", "must not contain blanks"),
        ("quay.io/team/app\n", "must not contain blanks"),
        ("quay.io/" + "a" * LONGEST, "must not contain blanks, and has at most 2000 characters"),
        ("quay.io/team/app?x", r"must not contain '\?'"),
        ("quay.io/team/app#x", "must not contain '#'"),
        ("quay.io/team%2Fapp", "must not contain '%'"),
        ("quay.io\\team/app", "must not contain"),
        ("user:pw@quay.io/team/app", "must not contain '@'"),
        ("quay.io/app@sha256:abc", "must not contain '@'"),
        ("quay.io", "must include the path of a repository: say it like quay.io/team/app"),
        ("quay.io/", "must include the path of a repository"),
        ("quay.io:0/app", "begins with no host and port"),
        ("quay.io:65536/app", "begins with no host and port"),
        ("quay.io:/app", "begins with no host and port"),
        ("quay.io./app", "begins with no host and port"),
        ("-x/app", "begins with no host and port"),
        ("::1/app", "begins with no host and port"),
        ("/app", "begins with no host and port"),
        ("quay.io/team/app:v1", "must not include a tag: say which tags to take in root_rule"),
        ("quay.io/Team/app", "has an invalid repository name 'Team/app'"),
        ("quay.io/team//app", "has an invalid repository name"),
    ],
)
def test_any_other_reference_is_refused_with_a_remedy(text: str, words: str) -> None:
    with pytest.raises(FieldInvalid, match=f"^External registry reference {words}"):
        parse_reference(text)


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("http://proxy:3128", "proxy"),
        ("https://proxy.example.com/", "proxy.example.com"),
        ("http://user:p%40ss:word@[2001:db8::1]:3128", "2001:db8::1"),
    ],
)
def test_a_proxy_has_a_scheme_and_perhaps_credentials(address: str, host: str) -> None:
    assert (parse_proxy("http_proxy", address), host_of(address)) == (address, host)


@pytest.mark.parametrize(
    "address",
    [
        "proxy:3128",
        "socks5://proxy",
        "http://",
        "http://proxy:0",
        "http://proxy/path",
        "http://a b",
        "http://proxy?x",
        "http://u:p/w@proxy",
        "http://u:p@w@proxy",
        "http://" + "p" * LONGEST,
    ],
)
def test_any_other_proxy_is_refused_with_a_remedy_and_without_its_password(address: str) -> None:
    with pytest.raises(MirrorInvalid, match=r"^http_proxy: say http://HOST:PORT"):
        parse_proxy("http_proxy", address)


def test_hosts_without_a_proxy_are_a_line_of_text() -> None:
    assert parse_no_proxy("no_proxy", "example.org, .internal") == "example.org, .internal"
    for text in ("a\nb", "a" * (LONGEST + 1)):
        with pytest.raises(MirrorInvalid, match="no_proxy: say hosts separated by commas"):
            parse_no_proxy("no_proxy", text)
