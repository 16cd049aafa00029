"""The origin of a request: the client itself, or CloudFront with its secret and its viewer's address."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from chalice.app import Request

from chalicelib.domain.errors import WrongEndpoint
from chalicelib.edge import origins
from chalicelib.edge.origins import check_origin, client_address
from chalicelib.settings import Settings
from chalicelib.storage.secrets import Secrets
from infra.local import seed


class SecretsOnly:
    """Services of which only the secrets are used here."""

    def __init__(self, secrets: Secrets) -> None:
        self.stores = SimpleNamespace(secrets=secrets)


def request_with(**headers: str) -> Request:
    context = {"resourcePath": "/v2", "httpMethod": "GET", "path": "/v2/", "identity": {"sourceIp": "10.0.0.1"}}
    event = {"requestContext": context, "headers": headers, "pathParameters": {}, "body": None}
    return Request({**event, "multiValueQueryStringParameters": None, "stageVariables": None, "isBase64Encoded": False})


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closes an installation's gateway to all callers but CloudFront, in the middle of a rotation of the secret."""
    path = tmp_path / "keys.json"
    seed.make_keys(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"origin": ["new", "old"]}))
    monkeypatch.setattr(origins, "settings", lambda: Settings(url="https://r.test", origin=True))
    monkeypatch.setattr(origins, "services", lambda: SecretsOnly(Secrets.load(str(path))))


def test_without_the_setting_every_caller_is_permitted_and_the_gateway_gives_the_address() -> None:
    check_origin(request_with())

    assert client_address(request_with(**{"viewer-address": "1.2.3.4"})) == "10.0.0.1"


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("secret", ["new", "old"])
def test_both_secrets_of_a_rotation_are_accepted(secret: str) -> None:
    request = request_with(**{"origin-secret": secret, "viewer-address": "1.2.3.4"})
    check_origin(request)

    assert client_address(request) == "1.2.3.4"


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("headers", [{}, {"origin-secret": ""}, {"origin-secret": "nEw"}, {"origin-secret": "\xe9"}])
def test_a_request_without_the_secret_is_refused_with_the_public_address(headers: dict[str, str]) -> None:
    with pytest.raises(WrongEndpoint, match=r"https://r\.test"):
        check_origin(request_with(**headers))
