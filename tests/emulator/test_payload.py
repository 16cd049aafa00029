"""An HTTP API's integration gets its payload format."""

import json

from tests.support.emulation import Cloud

CODE = """
import json

def handler(event, context):
    seen = [event["version"], event.get("httpMethod"), event.get("multiValueHeaders", {}).get("twice")]
    seen += [event.get("path"), event["requestContext"].get("path")]
    headers = {"www-authenticate": ["Basic", "Bearer"]}
    return {"statusCode": 401, "multiValueHeaders": headers, "body": json.dumps(seen)}
"""


def test_an_integration_of_format_1_gets_such_events_and_may_answer_in_it(cloud: Cloud) -> None:
    host = cloud.http_api(cloud.function(CODE), payload="1.0")

    status, headers, body = cloud.ask(host, "/a%2Fb/caf%C3%A9/c%252Fd", "DELETE", headers={"twice": "once"})

    path = "/a/b/caf\u00e9/c%252Fd"
    assert (status, json.loads(body)) == (401, ["1.0", "DELETE", ["once"], path, path])
    assert headers["www-authenticate"] == "Bearer"


def test_an_integration_of_format_2_gets_events_of_format_2(ours: Cloud) -> None:
    host = ours.http_api(ours.function(CODE))

    assert json.loads(ours.ask(host, "/any")[2]) == ["2.0", None, None, None, None]
