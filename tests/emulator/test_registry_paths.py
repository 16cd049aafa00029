"""The deployed registry answers the paths of a registry."""

import pytest

from tests.support.emulation import Cloud

CODE = """
def handler(event, context):
    return {"statusCode": 200, "body": "the function saw " + event["rawPath"]}
"""


@pytest.mark.parametrize(
    "path", ["/v2/", "/v2/_catalog", "/v2/a/b/tags/list", "/v2/a/b/manifests/v1", "/v2/a/b/blobs/uploads/"]
)
def test_a_registrys_path_reaches_the_api_of_the_requested_host(cloud: Cloud, path: str) -> None:
    host = cloud.http_api(cloud.function(CODE))

    status, _, body = cloud.ask(host, path)

    assert (status, body.decode().rstrip("/")) == (200, "the function saw " + path.rstrip("/"))
