"""Tests of what requests give of proxy caches."""

import pytest

from chalicelib.domain.errors import FieldInvalid
from chalicelib.domain.mirrors import MirrorSource
from chalicelib.domain.proxy_caches import ProxyCacheSettings, parse_upstream


@pytest.mark.parametrize(
    ("given", "parsed"),
    [("docker.io", "docker.io"), ("quay.io/team/", "quay.io/team"), ("localhost:5000/a/b", "localhost:5000/a/b")],
)
def test_another_registry_is_a_host_and_perhaps_a_namespace(given: str, parsed: str) -> None:
    assert parse_upstream(given) == parsed


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("", "^URL must include a hostname$"),
        ("/team", "^URL must include a hostname$"),
        ("https://quay.io", "upstream_registry: say a host"),
        ("quay.io:0", "upstream_registry: say a host"),
        ("user@quay.io", "upstream_registry: say a host"),
        ("quay.io/Team", "upstream_registry"),
        ("quay.io//a", "upstream_registry"),
        ("quay.io/a:b", "upstream_registry"),
    ],
)
def test_what_is_no_registry_is_refused(given: str, why: str) -> None:
    with pytest.raises(FieldInvalid, match=why):
        parse_upstream(given)


def test_each_repository_has_the_source_of_its_cache_and_its_own_reference() -> None:
    settings = ProxyCacheSettings(MirrorSource("quay.io/team", "u", "p"))
    assert settings.source_of("web/app") == MirrorSource("quay.io/team/web/app", "u", "p")
