"""An HTTP API overwrites headers by its response parameters."""

from tests.support.emulation import Cloud

CODE = """
def handler(event, context):
    headers = {"www-authenticate": "ours", "kept": "yes"}
    if event.get("path", event.get("rawPath")) == "/twice":
        headers["twin"] = "theirs"
    return {"statusCode": int(event["queryStringParameters"]["status"]), "headers": headers, "body": ""}
"""
MAPPING = {"401": {"overwrite:header.www-authenticate": "$response.header.twin"}}


def mapped(cloud: Cloud) -> str:
    """Makes an HTTP API that maps one header of a 401 onto another, and returns its host."""
    host = cloud.http_api(cloud.function(CODE), payload="1.0")
    api = host.partition(".")[0]
    (integration,) = cloud.apigatewayv2.get_integrations(ApiId=api)["Items"]
    cloud.apigatewayv2.update_integration(
        ApiId=api, IntegrationId=integration["IntegrationId"], ResponseParameters=MAPPING
    )
    return host


def test_a_header_of_the_mapped_status_is_overwritten(cloud: Cloud) -> None:
    host = mapped(cloud)

    status, headers, _ = cloud.ask(host, "/twice?status=401")

    assert (status, headers["www-authenticate"], headers["kept"]) == (401, "theirs", "yes")


def test_a_header_whose_source_is_missing_is_lost(cloud: Cloud) -> None:
    status, headers, _ = cloud.ask(mapped(cloud), "/once?status=401")

    assert (status, headers["kept"], headers.get("www-authenticate")) == (401, "yes", None)


def test_an_answer_of_another_status_stays_as_it_is(ours: Cloud) -> None:
    assert ours.ask(mapped(ours), "/twice?status=403")[1]["www-authenticate"] == "ours"
