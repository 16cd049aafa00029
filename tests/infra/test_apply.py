"""infra/terraform applied to an emulated AWS that enforces IAM: real pushes through its API Gateway and the sealed zip.

One deployment serves all tests of this file, in their order: the last one destroys it.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from botocore.exceptions import ClientError
from pynamodb.connection import TableConnection

from chalicelib.storage.objects import ObjectGone, ObjectStore
from infra.emulator.account import REGION
from infra.emulator.deployment import Deployment
from infra.emulator.emulator import Emulator
from infra.emulator.module import ModuleVariables
from infra.local.errors import StackError
from infra.package import host_architecture
from infra.packaging.build import build
from infra.packaging.interpreters import RUNTIMES
from tests.clients.callers import Person
from tests.clients.images import MIB, Layout, Noise, an_image, content_of, digest_of, write_directory
from tests.clients.needs import require
from tests.clients.programs import Program, make_environment
from tests.clients.registry import Registry
from tests.support.applied import FORBIDDEN, TURN, acting_as, called, expiry_timers, log_of, token, unclocked, without
from tests.support.emulation import emulators_python
from tests.support.stack import wait_for
from tests.support.terraforming import program
from tests.support.upstream import Upstream

# The first test waits until everything is applied, which takes minutes on a busy machine.
pytestmark = pytest.mark.timeout(900)
# The settings that the emulator forgets, so that a second plan sets them again, by address, with the reason.
KNOWN_DRIFTS: dict[str, str] = {}
# The largest layer within the limit of a body, less what tar and gzip add.
LARGEST_NOISE = 4 * MIB - 12 * 1024
API = "api_handler"
# The table's stream calls this function, and no schedule does.
STREAM = "dispatch"
# The function that reads a queue.
QUEUE = "mirrors"
# Before a run, and while it goes on.
RUNNING = ("NEVER_RUN", "SYNC_NOW", "SYNCING")


@pytest.fixture(scope="module")
def deployment(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Applies the module with the fewest variables and makes its keys and its first user."""
    program()
    python = emulators_python()
    directory = tmp_path_factory.mktemp("deployment")
    build(sources, directory / "build", RUNTIMES[0], host_architecture())
    with (
        Emulator(directory / "aws", auth=True, python=python) as emulator,
        Deployment(
            emulator.url,
            directory / "terraform",
            directory / "build",
            host_architecture(),
            ModuleVariables({"deletion_protection": True, "settings": {"CLOUDBERTH_OUTGOING_ALLOW": "127.0.0.0/8"}}),
        ) as applied,
    ):
        applied.deploy()
        yield applied


@pytest.fixture(scope="module")
def environment(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return make_environment(tmp_path_factory.mktemp("home"), deployment.host)


@pytest.fixture(scope="module")
def skopeo(deployment: Deployment, environment: dict[str, str]) -> Program:
    require("skopeo")
    found = Program(("skopeo",), environment)
    login = ("login", "--username", deployment.admin, "--password-stdin", deployment.host)
    found(*login, typed=deployment.password)
    return found


@pytest.fixture
def oras(deployment: Deployment, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    require("oras")
    monkeypatch.setenv("HOME", environment["HOME"])
    library = importlib.import_module("oras.client")
    # oras retries a refusal for two minutes.
    monkeypatch.setattr("oras.decorator.time", types.SimpleNamespace(sleep=lambda _: None))
    client = library.OrasClient(hostname=deployment.host, insecure=True)
    client.auth.set_basic_auth(deployment.admin, deployment.password)
    return client


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


@pytest.fixture
def repository(deployment: Deployment) -> str:
    return f"{deployment.admin}/{uuid4().hex[:8]}"


@pytest.fixture
def target(deployment: Deployment, repository: str) -> str:
    return f"docker://{deployment.host}/{repository}:1"


def test_a_second_plan_changes_nothing_but_what_the_emulator_forgets(deployment: Deployment) -> None:
    assert {change.address for change in deployment.changes()} == set(KNOWN_DRIFTS)


def test_an_anonymous_request_gets_a_challenge(deployment: Deployment) -> None:
    answer = requests.get(f"{deployment.url}/v2/", timeout=30)

    assert answer.status_code == 401
    challenge = f'Bearer realm="{deployment.url}/v2/auth",service="{deployment.host}"'
    assert answer.headers["WWW-Authenticate"] == challenge


def test_skopeo_gets_back_the_bytes_it_pushed(skopeo: Program, layout: Layout, target: str, tmp_path: Path) -> None:
    image = an_image(layout, target, (70_000, LARGEST_NOISE))
    layout.tag(image, "pushed")

    skopeo("copy", f"oci:{layout.directory}:pushed", target)
    skopeo("copy", target, f"oci:{tmp_path}/back:1")

    parts = [image, *content_of(layout, image)]
    assert 4 * MIB - 12 * 1024 < max(part["size"] for part in parts) <= 4 * MIB
    back = Layout(tmp_path / "back")
    assert [digest_of(back.path(part["digest"])) for part in parts] == [part["digest"] for part in parts]


def test_skopeo_keeps_the_bytes_of_a_docker_schema_2_image(
    skopeo: Program, layout: Layout, target: str, tmp_path: Path
) -> None:
    image = an_image(layout, target, (70_000, LARGEST_NOISE), docker=True)

    skopeo("copy", f"dir:{write_directory(layout, image, tmp_path / 'image')}", target)
    skopeo("copy", target, f"dir:{tmp_path}/back")

    assert (tmp_path / "back" / "manifest.json").read_bytes() == layout.read(image)
    for part in content_of(layout, image):
        assert digest_of(tmp_path / "back" / part["digest"].removeprefix("sha256:")) == part["digest"]


def test_oras_gets_back_the_file_it_pushed(oras: Any, deployment: Deployment, repository: str, tmp_path: Path) -> None:
    file = tmp_path / "noise.bin"
    file.write_bytes(Noise(repository, 4 * MIB).read(4 * MIB))
    place = f"{deployment.host}/{repository}:1"

    pushed = oras.push(place, files=[f"{file}:text/plain"], disable_path_validation=True)
    (pulled,) = oras.pull(place, outdir=str(tmp_path / "back"))

    assert pushed.status_code == 201
    assert digest_of(Path(pulled)) == digest_of(file)


@pytest.mark.parametrize("size", [6 * MIB, 11 * MIB], ids=["above-lambda's-limit", "above-the-gateway's-limit"])
def test_a_layer_above_the_limit_is_refused(skopeo: Program, layout: Layout, target: str, size: int) -> None:
    layout.tag(an_image(layout, target, (size,)), "large")

    refusal = skopeo.refused("copy", f"oci:{layout.directory}:large", target)

    assert "413" in refusal
    assert "request entity too large" in refusal


def test_scheduled_functions_work_with_their_own_roles(deployment: Deployment) -> None:
    events, functions = deployment.account.client("events"), deployment.account.client("lambda")
    targets = [
        target["Arn"]
        for rule in events.list_rules()["Rules"]
        for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    ]
    assert sorted(arn.rpartition(":")[2] for arn in targets) == sorted(
        name for key, name in deployment.outputs["functions"].items() if key not in (API, STREAM, QUEUE)
    )

    for arn in targets:
        answer = functions.invoke(FunctionName=arn, Payload=json.dumps(TURN))
        assert "FunctionError" not in answer, answer["Payload"].read()


def test_a_mirror_runs_from_its_schedule_to_success(deployment: Deployment) -> None:
    owner = Person(deployment, deployment.admin, deployment.password).sign_in()
    repository = f"{deployment.admin}/mirror-{uuid4().hex[:8]}"
    new = {"repository": repository.partition("/")[2], "visibility": "private", "description": ""}
    assert owner.put("/api/v1/user/robots/mirror", {}).status_code == 201
    assert owner.post("/api/v1/repository", new).status_code == 201
    path = f"/api/v1/repository/{repository}/mirror"
    with Upstream().running() as upstream:
        digest = upstream.add_image("latest", "v1", layers=(b"layer" * 1000,))
        settings = {
            "external_reference": upstream.reference,
            "external_registry_config": {"verify_tls": False},
            "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["*"]},
            "robot_username": f"{deployment.admin}+mirror",
            "sync_start_date": "2026-01-01T00:00:00Z",
            "sync_interval": 86_400,
        }
        assert owner.post(path, settings).status_code == 201

        assert called(deployment, "timers") == ""
        wait_for(lambda: owner.get(path).json()["sync_status"] not in RUNNING, "the end of the run", 60)

        assert owner.get(path).json()["sync_status"] == "SUCCESS", log_of(deployment, QUEUE)
    tags = owner.get(f"/api/v1/repository/{repository}/tag/").json()["tags"]
    assert {tag["name"]: tag["manifest_digest"] for tag in tags} == {"latest": digest, "v1": digest}
    assert "AccessDenied" not in log_of(deployment, QUEUE)


@pytest.fixture
def another(deployment: Deployment) -> Iterator[None]:
    """Makes a bucket of another owner, called `another`."""
    objects = deployment.account.client("s3")
    objects.create_bucket(Bucket="another", CreateBucketConfiguration={"LocationConstraint": REGION})
    yield
    objects.delete_bucket(Bucket="another")


@pytest.mark.usefixtures("another")
@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_function_may_do_another_functions_work(deployment: Deployment, what: str) -> None:
    service, call = FORBIDDEN[what]
    settings = deployment.outputs["environment"]
    names = {
        "table": settings["CLOUDBERTH_TABLE"],
        "bucket": settings["CLOUDBERTH_BUCKET"],
        "keys": settings["CLOUDBERTH_SECRETS"],
        "function": deployment.outputs["functions"][API],
    }
    for function in deployment.outputs["functions"]:
        with pytest.raises(ClientError) as refused:
            call(acting_as(deployment, function, service), names)
        assert refused.value.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException"), function


@pytest.mark.parametrize(
    ("function", "prefixes"),
    [(API, ("in", "bodies")), ("timers", ("bodies", "exports")), ("reconcile", ("in", "bodies"))],
)
def test_a_function_is_told_that_an_object_it_reads_is_missing(
    deployment: Deployment, function: str, prefixes: tuple[str, ...]
) -> None:
    objects = ObjectStore(deployment.outputs["environment"]["CLOUDBERTH_BUCKET"], TableConnection("none"))
    objects.client = acting_as(deployment, function, "s3")

    for prefix in prefixes:
        with pytest.raises(ObjectGone):
            objects.get(f"{prefix}/nobody/nothing")
        assert not objects.exists(f"{prefix}/nobody/nothing")


def test_the_sweep_can_reach_only_its_own_rows(deployment: Deployment) -> None:
    table = deployment.outputs["environment"]["CLOUDBERTH_TABLE"]
    sweep = acting_as(deployment, "reconcile", "dynamodb")
    places = [{"pk": {"S": partition}, "sk": {"S": "a-test"}} for partition in ("SYSTEM", "NAME#admin", "A#1")]
    manifest = {"pk": {"S": "R#1"}, "sk": {"S": "a-test"}}
    for place in (places[0], manifest):
        assert "Item" not in sweep.get_item(TableName=table, Key=place)
    with pytest.raises(ClientError, match="AccessDenied"):
        sweep.put_item(TableName=table, Item=manifest)

    for place in places[1:]:
        with pytest.raises(ClientError, match="AccessDenied"):
            sweep.get_item(TableName=table, Key=place)
        with pytest.raises(ClientError, match="AccessDenied"):
            sweep.put_item(TableName=table, Item=place)
        with pytest.raises(ClientError, match="AccessDenied"):
            sweep.batch_get_item(RequestItems={table: {"Keys": [*places[:1], place]}})


def upload(deployment: Deployment, repository: str) -> requests.Response:
    """Pushes a small blob by one POST."""
    content = Noise(uuid4().hex, 1000).read(1000)
    digest = hashlib.sha256(content).hexdigest()
    who = {"Authorization": f"Bearer {token(deployment, repository).json()['token']}"}
    place = f"{deployment.url}/v2/{repository}/blobs/uploads/?digest=sha256:{digest}"
    who["Content-Type"] = "application/octet-stream"
    return requests.post(place, data=content, headers=who, timeout=30)


def tags(deployment: Deployment, repository: str) -> requests.Response:
    who = {"Authorization": f"Bearer {token(deployment, repository).json()['token']}"}
    return requests.get(f"{deployment.url}/v2/{repository}/tags/list", headers=who, timeout=30)


ASKING: dict[str, tuple[str, Callable[[Deployment, str], requests.Response], int]] = {
    "s3:PutObject": ("PutObject", upload, 201),
    "dynamodb:Query": ("Query", tags, 200),
    "dynamodb:GetItem": ("GetItem", token, 200),
    "dynamodb:PutItem": ("TransactWriteItems", upload, 201),
}


@pytest.mark.parametrize("action", ASKING)
def test_a_function_fails_without_a_permission_and_works_again_with_it(
    deployment: Deployment, repository: str, action: str
) -> None:
    operation, ask, status = ASKING[action]
    assert upload(deployment, repository).status_code == 201
    assert ask(deployment, repository).status_code == status

    with without(deployment, API, action):
        refused = ask(deployment, repository)

        def is_expiry_recorded() -> bool:
            # The emulator reads a function's late output with its next invocation.
            ask(deployment, repository)
            lines = log_of(deployment, API).splitlines()
            return any("AccessDenied" in line and operation in line for line in lines)

        wait_for(is_expiry_recorded, f"the refusal of {operation} in the log")

    assert refused.status_code in (500, 503)
    assert "AccessDenied" not in refused.text
    assert ask(deployment, repository).status_code == status


def test_the_streams_function_records_the_expiry_of_a_removed_tag_once(
    deployment: Deployment, layout: Layout, repository: str
) -> None:
    image = an_image(layout, repository, (70_000,), labels={"quay.expires-after": "2s"})
    with unclocked(deployment, "timers"):
        with without(deployment, STREAM, "dynamodb:PutItem"):
            Registry(deployment, deployment.admin, deployment.password).push(layout, image, repository, "v1")
            wait_for(lambda: "AccessDenied" in log_of(deployment, STREAM), "the refusal in the log")
            assert ends(deployment, repository) == []
        wait_for(lambda: ends(deployment, repository) == ["v1"], "word of the end")
        assert len(expiry_timers(deployment)) == 1

        assert called(deployment, "timers") == ""

    assert expiry_timers(deployment) == []
    assert ends(deployment, repository) == ["v1"]


def ends(deployment: Deployment, repository: str) -> list[str]:
    """Returns the tags that expired by the usage log."""
    who = Person(deployment, deployment.admin, deployment.password).sign_in()
    entries = who.get(f"/api/v1/repository/{repository}/logs").json()["logs"]
    return [entry["metadata"]["tag"] for entry in entries if entry["kind"] == "tag_expired"]


def test_a_job_fails_without_a_permission_and_works_again_with_it(deployment: Deployment) -> None:
    with without(deployment, "reconcile", "dynamodb:GetItem"):
        assert called(deployment, "reconcile")

        def is_expiry_recorded() -> bool:
            called(deployment, "reconcile")
            return "AccessDenied" in log_of(deployment, "reconcile")

        wait_for(is_expiry_recorded, "the refusal in the log")

    assert called(deployment, "reconcile") == ""


def test_destroy_is_refused_while_deletion_protection_is_on_and_nothing_is_gone(deployment: Deployment) -> None:
    before = deployment.module.resources()

    with pytest.raises(StackError, match="deletion_protection is on: set it to false, run terraform apply"):
        deployment.destroy()

    assert deployment.module.resources() == before
    assert requests.get(f"{deployment.url}/v2/", timeout=30).status_code == 401


def test_a_destroyed_installation_leaves_nothing(deployment: Deployment) -> None:
    deployment.module.change(deletion_protection=False)
    deployment.apply()
    deployment.destroy()

    assert deployment.module.resources() == []
    assert deployment.account.client("dynamodb").list_tables()["TableNames"] == []
    assert deployment.account.client("s3").list_buckets()["Buckets"] == []
    assert deployment.account.client("lambda").list_functions()["Functions"] == []
    assert deployment.account.client("iam").list_roles()["Roles"] == []
    assert deployment.account.client("sqs").list_queues().get("QueueUrls", []) == []
    assert deployment.account.client("sns").list_topics()["Topics"] == []
    assert deployment.account.client("secretsmanager").list_secrets()["SecretList"] == []
    assert deployment.account.client("logs").describe_log_groups()["logGroups"] == []
    assert deployment.account.client("events").list_rules()["Rules"] == []
    assert deployment.account.client("apigatewayv2").get_apis()["Items"] == []
