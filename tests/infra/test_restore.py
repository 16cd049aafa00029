"""A restore drill on the applied module, step by step as docs/runbook.md has them.

One deployment serves all tests of this file, in their order: they are one story.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from infra.emulator.deployment import Deployment
from infra.emulator.emulator import Emulator
from infra.emulator.module import ModuleVariables
from infra.local.errors import StackError
from infra.package import host_architecture
from infra.packaging.build import build
from infra.packaging.interpreters import RUNTIMES
from tests.clients.callers import Person
from tests.clients.images import OCI_MANIFEST, Descriptor, Layout, an_image, content_of
from tests.clients.registry import Registry
from tests.support.applied import called
from tests.support.emulation import emulators_python
from tests.support.stack import wait_for
from tests.support.terraforming import program

pytestmark = pytest.mark.timeout(900)
# What is deleted is garbage within seconds.
SETTINGS = {"CLOUDBERTH_LEASE_S": "4", "CLOUDBERTH_PRESIGN_S": "2", "CLOUDBERTH_GRACE_S": "3"}
VARIABLES = {"deletion_protection": True, "versions_days": 35, "settings": SETTINGS}
TABLE, RESTORED = "registry", "registry-restored"
REPOSITORY, ROBOT = "admin/app", "admin+builder"


@pytest.fixture(scope="module")
def deployment(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    program()
    python, directory = emulators_python(), tmp_path_factory.mktemp("deployment")
    build(sources, directory / "build", RUNTIMES[0], host_architecture())
    with (
        Emulator(directory / "aws", auth=True, python=python) as emulator,
        Deployment(
            *(emulator.url, directory / "terraform", directory / "build", host_architecture()),
            ModuleVariables(VARIABLES),
        ) as applied,
    ):
        applied.deploy()
        yield applied


@dataclass
class Story:
    """What was pushed, and the backup between."""

    layout: Layout
    kept: Descriptor
    long: Descriptor
    late: Descriptor
    robot: str = ""
    backup: str = ""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    layout = Layout(tmp_path_factory.mktemp("images") / "layout")
    kept, late = an_image(layout, "kept"), an_image(layout, "late", (50_000,))
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "annotations": {"org.example.long": "x" * 40_000}}
    parts = content_of(layout, an_image(layout, "long", (60_000,)))
    long = layout.add_json(document | {"config": parts[0], "layers": parts[1:]})
    return Story(layout, kept, long, late)


def owner(deployment: Deployment) -> Person:
    return Person(deployment, deployment.admin, deployment.password).sign_in()


def signs_in(deployment: Deployment, token: str) -> bool:
    place = f"{deployment.url}/v2/auth"
    answer = requests.get(place, params={"service": deployment.host}, auth=(ROBOT, token), timeout=30)
    return answer.status_code == 200


def objects(deployment: Deployment) -> set[str]:
    listed = deployment.account.client("s3").list_objects_v2(
        Bucket=deployment.outputs["environment"]["CLOUDBERTH_BUCKET"]
    )
    return {entry["Key"] for entry in listed.get("Contents", ())}


def rules(deployment: Deployment) -> set[str]:
    return {rule["State"] for rule in deployment.account.client("events").list_rules()["Rules"]}


def mappings(deployment: Deployment) -> set[str]:
    found = deployment.account.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    return {mapping["State"] for mapping in found}


def missing_bytes(deployment: Deployment, *options: str) -> str:
    table = deployment.outputs["table_arn"].rpartition("/")[0]
    words = [f"{table}/{RESTORED}", deployment.outputs["bucket_arn"], *options]
    return deployment.run(f"python -m infra.missing_bytes {' '.join(words)}")


def test_deleted_bytes_are_gone_for_pulls_after_the_backup(deployment: Deployment, story: Story) -> None:
    registry, person = Registry(deployment), owner(deployment)
    assert person.put("/api/v1/user/", {"tag_expiration_s": 0}).status_code == 200
    story.robot = person.put("/api/v1/user/robots/builder", {}).json()["token"]
    registry.push(story.layout, story.kept, REPOSITORY, "kept")
    registry.push(story.layout, story.long, REPOSITORY, "long")
    before = objects(deployment)
    made = deployment.account.client("dynamodb").create_backup(TableName=TABLE, BackupName="before")
    story.backup = made["BackupDetails"]["BackupArn"]

    assert person.delete("/api/v1/user/robots/builder").status_code == 204
    for tag in ("kept", "long"):
        assert person.delete(f"/api/v1/repository/{REPOSITORY}/tag/{tag}").status_code == 204

    def is_collected() -> bool:
        assert called(deployment, "timers") == ""
        return not before & objects(deployment)

    wait_for(is_collected, "the collector", 90)
    registry.push(story.layout, story.late, REPOSITORY, "late")
    assert not signs_in(deployment, story.robot)
    assert not registry.knows(REPOSITORY, "kept")


def test_a_paused_installation_runs_nothing_by_itself_and_serves(deployment: Deployment, story: Story) -> None:
    assert (rules(deployment), mappings(deployment)) == ({"ENABLED"}, {"Enabled"})
    deployment.module.change(paused=True)

    deployment.apply()

    assert (rules(deployment), mappings(deployment)) == ({"DISABLED"}, {"Disabled"})
    assert Registry(deployment).knows(REPOSITORY, "late")


def test_a_table_that_went_back_misses_the_bytes_until_they_are_brought_back(
    deployment: Deployment, story: Story
) -> None:
    tables = deployment.account.client("dynamodb")
    tables.restore_table_from_backup(TargetTableName=RESTORED, BackupArn=story.backup)
    tables.get_waiter("table_exists").wait(TableName=RESTORED)

    with pytest.raises(StackError, match=f"blob {content_of(story.layout, story.kept)[0]['digest']} of {REPOSITORY}"):
        missing_bytes(deployment)

    assert missing_bytes(deployment, "--bring-back").endswith("6 objects are needed: 6 brought back.")
    assert missing_bytes(deployment) == "6 objects are needed: none is missing."


def test_the_installation_takes_the_restored_table(deployment: Deployment, story: Story) -> None:
    functions = deployment.account.client("lambda")
    functions.put_function_concurrency(FunctionName=f"{TABLE}-api", ReservedConcurrentExecutions=0)
    deployment.module.change(table=RESTORED)

    deployment.module.replace("aws_dynamodb_table.registry", RESTORED)
    changes = deployment.changes()
    deployment.apply()

    assert [change.address for change in changes if "delete" in change.actions and "create" not in change.actions] == []
    assert [change.actions for change in changes if change.address == "aws_dynamodb_table.registry"] == [("update",)]
    assert "ReservedConcurrentExecutions" not in functions.get_function_concurrency(FunctionName=f"{TABLE}-api")
    assert deployment.outputs["environment"]["CLOUDBERTH_TABLE"] == RESTORED


def test_the_restored_table_has_all_that_a_restore_leaves_off(deployment: Deployment) -> None:
    tables = deployment.account.client("dynamodb")
    table = tables.describe_table(TableName=RESTORED)["Table"]
    backups = tables.describe_continuous_backups(TableName=RESTORED)["ContinuousBackupsDescription"]

    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert table["DeletionProtectionEnabled"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert tables.describe_time_to_live(TableName=RESTORED)["TimeToLiveDescription"]["AttributeName"] == "expires_at"
    mapping, *_ = deployment.account.client("lambda").list_event_source_mappings(FunctionName=f"{TABLE}-dispatch")[
        "EventSourceMappings"
    ]
    assert mapping["EventSourceArn"] == table["LatestStreamArn"]


def test_restored_images_are_pulled_byte_for_byte(deployment: Deployment, story: Story) -> None:
    registry = Registry(deployment)

    for tag, image in (("kept", story.kept), ("long", story.long)):
        pulled = registry.manifest(REPOSITORY, tag)
        assert f"sha256:{hashlib.sha256(pulled.content).hexdigest()}" == image["digest"]
        for part in content_of(story.layout, image):
            assert registry.digest_of_blob(REPOSITORY, part["digest"]) == part["digest"]
    assert not registry.knows(REPOSITORY, "late")


def test_what_was_revoked_since_is_valid_again(deployment: Deployment, story: Story) -> None:
    assert signs_in(deployment, story.robot)


def test_a_copy_of_the_keys_brings_back_what_they_sealed(deployment: Deployment, story: Story) -> None:
    secrets, arn = deployment.account.client("secretsmanager"), deployment.outputs["keys_arn"]
    copy = secrets.get_secret_value(SecretId=arn)["SecretString"]
    secrets.put_secret_value(SecretId=arn, SecretString="{}")

    secrets.put_secret_value(SecretId=arn, SecretString=copy)
    deployment.run(deployment.outputs["rotate_keys"])

    assert owner(deployment).get("/api/v1/user/robots/builder").json()["token"] == story.robot


def test_afterwards_everything_runs_as_before(deployment: Deployment, story: Story) -> None:
    deployment.module.change(paused=False)
    deployment.apply()

    assert (rules(deployment), mappings(deployment)) == ({"ENABLED"}, {"Enabled"})
    assert deployment.changes() == []
    assert [called(deployment, function) for function in ("timers", "reconcile")] == ["", ""]
    registry = Registry(deployment)
    registry.push(story.layout, story.late, REPOSITORY, "late")
    assert registry.knows(REPOSITORY, "kept")
    assert registry.knows(REPOSITORY, "late")


def test_destroy_takes_the_versions_with_the_bucket(deployment: Deployment) -> None:
    tables, bucket = deployment.account.client("dynamodb"), deployment.account.client("s3")
    name = deployment.outputs["environment"]["CLOUDBERTH_BUCKET"]
    bucket.delete_object(Bucket=name, Key=min(objects(deployment)))
    deployment.module.change(deletion_protection=False, versions_days=0)
    deployment.apply()
    assert bucket.get_bucket_versioning(Bucket=name)["Status"] == "Suspended"
    assert len(bucket.list_object_versions(Bucket=name)["DeleteMarkers"]) == 1

    deployment.destroy()

    assert bucket.list_buckets()["Buckets"] == []
    # The old table is the operator's to delete.
    assert tables.list_tables()["TableNames"] == [TABLE]
