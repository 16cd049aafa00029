"""The emulator keeps saved queries of CloudWatch Logs Insights, as AWS does."""

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from infra.emulator.emulator import Emulator
from tests.support.emulation import Cloud, unique


def test_a_saved_query_is_found_changed_and_deleted(repaired: bool, python: Path, tmp_path: Path) -> None:
    with Emulator(tmp_path, python=python, repaired=repaired) as emulator:
        logs, group, name = Cloud(emulator).logs, unique("group"), unique("query")
        logs.create_log_group(logGroupName=group)
        asked = {"name": name, "queryString": "fields @message", "logGroupNames": [group]}

        made = logs.put_query_definition(**asked)["queryDefinitionId"]
        logs.put_query_definition(**asked | {"queryString": "limit 1"}, queryDefinitionId=made)

        (found,) = logs.describe_query_definitions(queryDefinitionNamePrefix=name)["queryDefinitions"]
        assert (found["queryDefinitionId"], found["queryString"], found["logGroupNames"]) == (made, "limit 1", [group])
        assert logs.delete_query_definition(queryDefinitionId=made)["success"]
        assert logs.describe_query_definitions(queryDefinitionNamePrefix=name)["queryDefinitions"] == []


def test_a_query_of_no_log_group_is_refused(repaired: bool, python: Path, tmp_path: Path) -> None:
    with Emulator(tmp_path, python=python, repaired=repaired) as emulator:
        with pytest.raises(ClientError) as refused:
            Cloud(emulator).logs.put_query_definition(name="q", queryString="limit 1", logGroupNames=["none"])
        assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
