"""The documentation page and its files."""

import gzip
import re

import pytest

from chalicelib.edge.web.docs import ASSETS, asset
from tests.support.app_client import AppClient


def test_the_page_has_no_inline_script_and_cannot_be_framed(app_client: AppClient) -> None:
    answer = app_client.ask("GET", "/docs")
    html, policy = answer.body.decode(), answer.headers["content-security-policy"]

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert re.findall(r"<script[^>]*>([^<]+)", html) == []
    assert "<style" not in html
    assert " style=" not in html
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_every_file_of_the_page_is_cached_for_ever(app_client: AppClient) -> None:
    named = re.findall(r'(?:src|href)="(/docs/[^"]+)"', app_client.ask("GET", "/docs").body.decode())

    assert len(named) == len(ASSETS)
    for address in named:
        answer = app_client.ask("GET", address)
        assert answer.status == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-type"].startswith("text/")


def test_a_file_of_another_version_is_not_cached(app_client: AppClient) -> None:
    assert app_client.ask("GET", "/docs/docs.js").headers["cache-control"] == "no-cache"
    assert app_client.ask("GET", "/docs/docs.js?v=old").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ASSETS)
def test_a_file_is_compressed_for_clients_that_accept_gzip(app_client: AppClient, name: str) -> None:
    plain = app_client.ask("GET", f"/docs/{name}")
    packed = app_client.ask("GET", f"/docs/{name}", {"Accept-Encoding": "gzip, deflate, br"})

    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body == asset(name).content
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"


def test_other_files_are_not_found(app_client: AppClient) -> None:
    assert app_client.ask("GET", "/docs/html.py").status == 404
    assert app_client.ask("GET", "/docs/..%2Fhtml.py").status == 404


def test_the_page_sends_no_cookie_and_calls_no_validator() -> None:
    script = asset("docs.js").content.decode()

    assert 'credentials: "omit"' in script
    assert "validatorUrl: null" in script
    assert "withCredentials: false" in script


def test_the_registry_s_address_leads_to_the_documentation(app_client: AppClient) -> None:
    answer = app_client.ask("GET", "/")

    assert (answer.status, answer.headers["location"]) == (302, "/docs")
