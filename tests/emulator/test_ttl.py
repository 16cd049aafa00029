"""Expired rows are removed."""

import time

from infra.emulator.repairs.ttl import expired
from tests.support.emulation import Cloud, Ledger
from tests.support.stack import wait_for

CODE = """
import json, os

def handler(event, context):
    with open(os.environ["LEDGER"], "a") as ledger:
        for record in event["Records"]:
            ledger.write(json.dumps([record["dynamodb"]["Keys"]["sk"]["S"], record["userIdentity"]]) + "\\n")
"""
BY_TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
YEAR_S = 365 * 86_400


def test_an_expired_row_is_removed_within_seconds_and_its_record_names_the_ttl_service(
    cloud: Cloud, ledger: Ledger, patience_s: float
) -> None:
    now = int(time.time())
    table, stream = cloud.table()
    cloud.dynamodb.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    cloud.lambda_.create_event_source_mapping(
        EventSourceArn=stream,
        FunctionName=cloud.function(CODE, LEDGER=str(ledger.path)),
        StartingPosition="TRIM_HORIZON",
        FilterCriteria={"Filters": [{"Pattern": '{"userIdentity": {"principalId": ["dynamodb.amazonaws.com"]}}'}]},
    )
    cloud.put(table, "over", expires={"N": str(now - 1)})
    cloud.put(table, "soon", expires={"N": str(now + YEAR_S)})
    cloud.put(table, "never")

    wait_for(ledger.lines, "word of the row", patience_s)

    assert ledger.lines() == [["over", BY_TTL]]
    left = cloud.dynamodb.scan(TableName=table)["Items"]
    assert {row["sk"]["S"] for row in left} == {"soon", "never"}


def test_only_numbers_in_the_past_five_years_are_expired_times() -> None:
    now = 2_000_000_000.0
    times = {
        "just": {"N": str(now)},
        "long": {"N": str(now - 4 * YEAR_S)},
        "too long": {"N": str(now - 6 * YEAR_S)},
        "later": {"N": str(now + 1)},
        "text": {"S": str(now - 1)},
        "number of another kind": {"NS": [str(now - 1)]},
    }
    rows = {"p": {sort: {"expires": value} for sort, value in times.items()} | {"none": {}}}

    assert {sort for _, sort in expired(rows, "expires", now)} == {"just", "long"}
