"""Terraform and the code agree on the table, the settings, the permissions and the names they share."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.downloads import PREFIX
from chalicelib.settings import DOWNLOADS, Settings
from chalicelib.storage import bucket_keys, keys
from chalicelib.storage.table import TIME_TO_LIVE, description
from infra.local.stream import MAPPING, filters, passes
from infra.local.timetolive import SERVICE
from infra.packaging.functions import declared
from tests.support.stack import ROOT
from tests.support.terraforming import API, MODULE, planned, refusals

DIGEST = Digest.of(b"")
# What only a process that outlives its replies, or has many threads, may choose.
NOT_ON_AWS = {"CLOUDBERTH_PULL_BATCH_S", "CLOUDBERTH_CONNECTIONS"}


@pytest.fixture(scope="module")
def made() -> Mapping[str, Mapping[str, Any]]:
    """What a first installation is made of."""
    return planned("minimal", "minimal")


def test_the_table_is_the_one_that_the_code_describes(made: Mapping[str, Mapping[str, Any]]) -> None:
    table = made["aws_dynamodb_table.registry"]
    told = {
        "TableName": table["name"],
        "BillingMode": table["billing_mode"],
        "AttributeDefinitions": [
            {"AttributeName": entry["name"], "AttributeType": entry["type"]} for entry in table["attribute"]
        ],
        "KeySchema": key_schema(table),
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index["name"],
                "KeySchema": key_schema(index),
                "Projection": {"ProjectionType": index["projection_type"]},
            }
            for index in table["global_secondary_index"]
        ],
        "StreamSpecification": {
            "StreamEnabled": table["stream_enabled"],
            "StreamViewType": table["stream_view_type"],
        },
    }

    expected = description("registry")
    expected["AttributeDefinitions"].sort(key=lambda entry: entry["AttributeName"])
    assert told == expected


def key_schema(keyed: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {"AttributeName": keyed["hash_key"], "KeyType": "HASH"},
        {"AttributeName": keyed["range_key"], "KeyType": "RANGE"},
    ]


def test_time_to_live_reads_the_attribute_that_rows_have(made: Mapping[str, Mapping[str, Any]]) -> None:
    (ttl,) = made["aws_dynamodb_table.registry"]["ttl"]

    assert ttl == {"attribute_name": TIME_TO_LIVE, "enabled": True}


def test_a_function_is_told_what_settings_ask_for_and_nothing_else(made: Mapping[str, Mapping[str, Any]]) -> None:
    given = set(environment(made))
    chosen = set(re.findall(r"CLOUDBERTH_\w+", refusals_of_settings()))
    known = {f"CLOUDBERTH_{name.upper()}" for name in Settings.__dataclass_fields__}

    assert given | chosen == known - NOT_ON_AWS


def refusals_of_settings() -> str:
    """Terraform's own list of what an operator may set."""
    (sentence,) = refusals({"name": "registry", "region": "eu-central-1", "build": str(API), "settings": {"none": ""}})
    return sentence


def test_what_a_function_is_told_is_a_house_that_can_start(made: Mapping[str, Mapping[str, Any]]) -> None:
    settings = Settings.read(environment(made))

    assert settings.downloads in DOWNLOADS
    assert settings.url.startswith("https://")
    assert settings.secrets.startswith("arn:aws:secretsmanager:")


def environment(made: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    variables: dict[str, str] = made['aws_lambda_function.this["api_handler"]']["environment"][0]["variables"]
    return variables


def test_every_function_of_the_app_has_its_permissions() -> None:
    functions = declared(ROOT, "arm64", "python3.13")["resource"]["aws_lambda_function"]
    text = (MODULE / "permissions.tf").read_text("utf-8")

    assert {name for name in functions if not re.search(rf"^    {name} = ", text, re.MULTILINE)} == set()


def test_the_role_reaches_the_prefixes_that_the_code_writes(made: Mapping[str, Mapping[str, Any]]) -> None:
    statements = json.loads(made['aws_iam_role_policy.function["api_handler"]']["policy"])["Statement"]
    reached = {
        statement["Sid"]: {resource.split("/")[1] for resource in statement["Resource"]}
        for statement in statements
        if statement["Sid"] in ("Bytes", "Exports")
    }

    written = {bucket_keys.incoming("R", "A"), bucket_keys.manifest_body("R", "U")}
    assert reached["Bytes"] == {key.split("/")[0] for key in written}
    assert reached["Exports"] == {bucket_keys.export("S").split("/")[0]}


def test_who_writes_pulls_and_who_adds_them_up_reach_the_rows_of_their_sums(
    made: Mapping[str, Mapping[str, Any]],
) -> None:
    text = (MODULE / "permissions.tf").read_text("utf-8")
    assert {"api_handler", "timers"} <= set(re.findall(r"^    (\w+) = concat\(local.using_table,", text, re.MULTILINE))
    statements = json.loads(made['aws_iam_role_policy.function["api_handler"]']["policy"])["Statement"]
    (table,) = [statement for statement in statements if statement["Sid"] == "Table"]
    needed = ("BatchGetItem", "BatchWriteItem", "ConditionCheckItem", "PutItem", "Query")

    assert {f"dynamodb:{name}" for name in needed} <= set(table["Action"])
    assert "Condition" not in table


def test_the_stream_is_filtered_by_the_keys_that_the_code_writes() -> None:
    others = [keys.life("R", "v1", "U"), keys.tagged("R", DIGEST, "v1"), keys.log("N", "R", "c", "U")]

    assert wakes(keys.tag("R", "v1"), eventName="REMOVE", userIdentity=SERVICE)
    assert not any(wakes(key, eventName="REMOVE", userIdentity=SERVICE) for key in others)
    assert not any(wakes(key, eventName="INSERT") for key in others)


def wakes(key: tuple[str, str], **record: object) -> bool:
    """Whether a record of a row passes one of the stream's filters."""
    told = {"dynamodb": {"Keys": {"pk": {"S": key[0]}, "sk": {"S": key[1]}}}, **record}
    return any(passes(told, pattern) for pattern in filters())


def test_the_local_stream_goes_by_the_rules_of_the_mapping() -> None:
    mapping = planned("workers", "jobs")['aws_lambda_event_source_mapping.stream["dispatch"]']
    (criteria,) = mapping["filter_criteria"]

    assert [json.loads(found["pattern"]) for found in criteria["filter"]] == filters()
    assert mapping["function_response_types"] == MAPPING["FunctionResponseTypes"]
    assert mapping["bisect_batch_on_function_error"] == MAPPING["BisectBatchOnFunctionError"]
    assert mapping["maximum_retry_attempts"] == MAPPING["MaximumRetryAttempts"]


def test_cloudfront_caches_under_the_path_of_signed_downloads() -> None:
    assert f'path_pattern               = "{PREFIX}*"' in (MODULE / "cloudfront.tf").read_text("utf-8")
