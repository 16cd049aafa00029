"""Tests of references to other registries, and of the ways that lead there."""

import pytest

from chalicelib.domain.upstreams import Credentials, Route, UpstreamRepository, bypasses_proxy


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
    repository = UpstreamRepository.of(text)
    assert (repository.api_host, repository.api_path, str(repository)) == (host, path, text)


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
