"""An HTTP API's integration gets its payload format."""

import json

from tests.support.emulation import Cloud

CODE = """
import json

def handler(event, context):
    seen = [event["version"], event.get("httpMethod"), event.get("multiValueHeaders", {}).get("twice")]
    headers = {"www-authenticate": ["Basic", "Bearer"]}
    return {"statusCode": 401, "multiValueHeaders": headers, "body": json.dumps(seen)}
"""


def test_an_integration_of_format_1_gets_such_events_and_may_answer_in_it(cloud: Cloud) -> None:
    host = cloud.http_api(cloud.function(CODE), payload="1.0")

    status, headers, body = cloud.ask(host, "/any", "DELETE", headers={"twice": "once"})

    assert (status, json.loads(body)) == (401, ["1.0", "DELETE", ["once"]])
    assert headers["www-authenticate"] == "Bearer"


def test_an_integration_of_format_2_gets_events_of_format_2(ours: Cloud) -> None:
    host = ours.http_api(ours.function(CODE))

    assert json.loads(ours.ask(host, "/any")[2]) == ["2.0", None, None]
