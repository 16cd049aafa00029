"""REST APIs can be imported as Chalice and Terraform do it."""

import json

from tests.support.emulation import ACCOUNT, REGION, Cloud

CODE = """
def handler(event, context):
    return {"statusCode": 200, "body": event["httpMethod"] + " " + event["resource"]}
"""


def document(cloud: Cloud, *paths: str) -> bytes:
    """Returns an OpenAPI document that sends every method of these paths to a function."""
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{cloud.function(CODE)}"
    uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function}/invocations"
    integration = {"type": "aws_proxy", "httpMethod": "POST", "uri": uri}
    operation = {"x-amazon-apigateway-any-method": {"x-amazon-apigateway-integration": integration}}
    return json.dumps(
        {
            "swagger": "2.0",
            "info": {"title": "imported", "version": "1.0"},
            "paths": dict.fromkeys(paths, operation),
            "x-amazon-apigateway-binary-media-types": ["*/*"],
        }
    ).encode()


def paths(cloud: Cloud, api: str) -> set[str]:
    return {resource["path"] for resource in cloud.apigateway.get_resources(restApiId=api)["items"]}


def test_an_api_answers_by_the_definition_that_was_put(cloud: Cloud) -> None:
    api = cloud.apigateway.create_rest_api(name="put")["id"]

    put = cloud.apigateway.put_rest_api(restApiId=api, mode="overwrite", body=document(cloud, "/one", "/one/{two}"))
    cloud.apigateway.create_deployment(restApiId=api, stageName="api")

    assert put["binaryMediaTypes"] == ["*/*"]
    assert cloud.ask(f"{api}.execute-api.localhost", "/api/one/2", "PATCH")[2] == b"PATCH /one/{two}"


def test_a_definition_overwrites_the_previous_one(cloud: Cloud) -> None:
    api = cloud.apigateway.create_rest_api(name="put")["id"]

    cloud.apigateway.put_rest_api(restApiId=api, mode="overwrite", body=document(cloud, "/one"))
    cloud.apigateway.put_rest_api(restApiId=api, mode="overwrite", body=document(cloud, "/other"))

    assert paths(cloud, api) == {"/", "/other"}


def test_a_definition_is_merged_into_the_one_before(cloud: Cloud) -> None:
    api = cloud.apigateway.create_rest_api(name="put")["id"]

    cloud.apigateway.put_rest_api(restApiId=api, mode="overwrite", body=document(cloud, "/one"))
    cloud.apigateway.put_rest_api(restApiId=api, mode="merge", body=document(cloud, "/other"))

    assert paths(cloud, api) == {"/", "/one", "/other"}


def test_an_api_is_imported_with_its_paths(cloud: Cloud) -> None:
    imported = cloud.apigateway.import_rest_api(body=document(cloud, "/one"))

    assert (imported["name"], imported["binaryMediaTypes"]) == ("imported", ["*/*"])
    assert paths(cloud, imported["id"]) == {"/", "/one"}


def test_binary_media_types_are_added_and_removed_one_by_one(cloud: Cloud) -> None:
    api = cloud.apigateway.create_rest_api(name="patched", binaryMediaTypes=["image/png"])["id"]
    operations = [
        {"op": "add", "path": "/binaryMediaTypes/application~1octet-stream"},
        {"op": "remove", "path": "/binaryMediaTypes/image~1png"},
        {"op": "replace", "path": "/description", "value": "told"},
    ]

    patched = cloud.apigateway.update_rest_api(restApiId=api, patchOperations=operations)

    assert patched["binaryMediaTypes"] == ["application/octet-stream"]
    assert patched["description"] == "told"
