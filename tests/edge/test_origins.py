"""Where only CloudFront may ask: its secret opens, and it tells who its viewer is."""

import json
from pathlib import Path

import pytest
from chalice.app import Request

from chalicelib.domain.errors import WrongEndpoint
from chalicelib.edge import origins
from chalicelib.edge.origins import address_of, check_origin
from chalicelib.settings import Settings
from chalicelib.storage.secrets import Secrets
from infra.local import seed


class Keys:
    """A backend of which only the keys matter here."""

    def __init__(self, secrets: Secrets) -> None:
        self.stores = self
        self.secrets = secrets


def asked(**headers: str) -> Request:
    context = {"resourcePath": "/v2", "httpMethod": "GET", "path": "/v2/", "identity": {"sourceIp": "10.0.0.1"}}
    event = {"requestContext": context, "headers": headers, "pathParameters": {}, "body": None}
    return Request({**event, "multiValueQueryStringParameters": None, "stageVariables": None, "isBase64Encoded": False})


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation whose gateway is closed to all but CloudFront, in the middle of a rotation."""
    place = tmp_path / "keys.json"
    seed.make_keys(place)
    place.write_text(json.dumps(json.loads(place.read_text()) | {"origin": ["new", "old"]}))
    monkeypatch.setattr(origins, "settings", lambda: Settings(url="https://r.test", origin=True))
    monkeypatch.setattr(origins, "services", lambda: Keys(Secrets.load(str(place))))


def test_without_the_setting_everybody_may_ask_and_is_known_by_the_gateway() -> None:
    check_origin(asked())

    assert address_of(asked(**{"viewer-address": "1.2.3.4"})) == "10.0.0.1"


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("secret", ["new", "old"])
def test_both_secrets_of_a_rotation_open(secret: str) -> None:
    request = asked(**{"origin-secret": secret, "viewer-address": "1.2.3.4"})
    check_origin(request)

    assert address_of(request) == "1.2.3.4"


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("headers", [{}, {"origin-secret": ""}, {"origin-secret": "nEw"}, {"origin-secret": "\xe9"}])
def test_whoever_shows_no_secret_is_told_the_open_address(headers: dict[str, str]) -> None:
    with pytest.raises(WrongEndpoint, match=r"https://r\.test"):
        check_origin(asked(**headers))
