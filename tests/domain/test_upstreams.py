"""Tests of references to other registries, and of the ways that lead there."""

import pytest

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.upstreams import Credentials, Route, UpstreamRepository, bypasses_proxy, parse_proxy


@pytest.mark.parametrize(
    ("text", "host", "path"),
    [
        ("quay.io/team/app", "quay.io", "team/app"),
        ("docker.io/alpine", "registry-1.docker.io", "library/alpine"),
        ("docker.io/library/alpine", "registry-1.docker.io", "library/alpine"),
        ("index.docker.io/team/app", "registry-1.docker.io", "team/app"),
        ("localhost:5000/a", "localhost:5000", "a"),
        ("[::1]:5000/a/b/c", "[::1]:5000", "a/b/c"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/x", "123456789012.dkr.ecr.eu-west-1.amazonaws.com", "x"),
    ],
)
def test_a_reference_leads_to_a_repository_of_an_api(text: str, host: str, path: str) -> None:
    repository = UpstreamRepository.parse(text)
    assert (repository.api_host, repository.api_path, str(repository)) == (host, path, text)


@pytest.mark.parametrize(
    "text",
    ["", "quay.io", "quay.io/", "https://quay.io/a", "quay.io/a b", "quay.io/a?x", "quay.io/a#x", "quay.io/a%2fb",
     "quay.io\\a", "quay.io:0/a", "quay.io:70000/a", "quay.io./a", "quay.io/a:tag", "quay.io/a@sha256:00", "/a",
     "u:p@quay.io/a", "quay.io/A", "quay.io/a/", "quay.io/a//b", "quay.io/é", "quay.io/" + 600 * "a"],
)  # fmt: skip
def test_any_other_reference_is_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(FieldInvalid, match=r"say HOST\[:PORT\]/PATH") as caught:
        UpstreamRepository.parse(text)
    assert caught.value.field == "external_reference"


@pytest.mark.parametrize("text", ["http://proxy:3128", "https://proxy", "http://user:p%40ss@proxy.example:1/"])
def test_a_proxy_has_an_address(text: str) -> None:
    assert parse_proxy(text, "http_proxy") == text.rstrip("/")


@pytest.mark.parametrize("text", ["proxy:3128", "socks5://proxy:1", "http://", "http://proxy:0", "http://proxy/path",
                                  "http://proxy?x", "http://pro xy", "http://proxy:port"])  # fmt: skip
def test_what_is_no_address_of_a_proxy_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(FieldInvalid, match="say http://") as caught:
        parse_proxy(text, "http_proxy")
    assert caught.value.field == "external_registry_config.proxy.http_proxy"
    assert text not in str(caught.value) or text == "http://"


@pytest.mark.parametrize(
    ("no_proxy", "host", "is_direct"),
    [
        ("*", "quay.io", True),
        ("quay.io", "quay.io", True),
        ("quay.io", "cdn.quay.io", True),
        (".quay.io", "cdn.quay.io", True),
        ("*.quay.io", "cdn.quay.io", True),
        ("quay.io", "notquay.io", False),
        ("a.example, quay.io:443", "QUAY.IO", True),
        ("quay.io:80", "quay.io", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("", "quay.io", False),
        (" , ", "quay.io", False),
    ],
)
def test_no_proxy_names_hosts_domains_and_networks(no_proxy: str, host: str, is_direct: bool) -> None:
    assert bypasses_proxy(no_proxy, host, 443) is is_direct


def test_each_scheme_has_its_proxy() -> None:
    route = Route(http_proxy="http://a:1", https_proxy="http://b:2", no_proxy="quay.io")
    assert route.proxy_for("http", "docker.io", 80) == "http://a:1"
    assert route.proxy_for("https", "docker.io", 443) == "http://b:2"
    assert route.proxy_for("https", "quay.io", 443) == ""


def test_no_secret_is_shown() -> None:
    shown = repr(Route(http_proxy="http://u:s3cret@a")) + repr(Credentials("u", "s3cret"))
    assert "s3cret" not in shown
