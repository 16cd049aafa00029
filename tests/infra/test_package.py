"""The package has what Lambda runs and nothing else, and the packager refuses what would not run."""

import hashlib
import json
import os
import shutil
import struct
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from zipfile import ZipFile

import pytest

from infra.package import describe, host_architecture, main
from infra.packaging import functions
from infra.packaging.build import Package, build
from infra.packaging.errors import PackageError
from infra.packaging.imports import ImportTime
from infra.packaging.interpreters import RUNTIMES, interpreter
from infra.packaging.native import machine, refuse_foreign_libraries
from infra.packaging.seal import AWS_SERVICES
from tests.infra.conftest import APP, MACHINES
from tests.support.stack import ROOT

SWEEP = '\n\n@app.schedule("rate(1 hour)")\ndef sweep(event):\n    return None\n'
ENOUGH = {"lambda_memory_size": 512, "lambda_timeout": 20}
ANSWER = """
import json, sys
sys.path.insert(0, sys.argv[1])
import app
print(json.dumps(app.app(json.load(sys.stdin), None)))
"""
CLIENTS = """
import sys
sys.path.insert(0, sys.argv[1])
from botocore.session import get_session
for name in sys.argv[2:]:
    client = get_session().create_client(name, "eu-central-1", aws_access_key_id="a", aws_secret_access_key="b")
    print(client.meta.endpoint_url, len(client.meta.service_model.operation_names) > 10)
"""
ADDRESS = """
import sys
sys.path.insert(0, sys.argv[1])
from botocore.config import Config
from botocore.session import get_session
chosen = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
client = get_session().create_client(
    "s3", "eu-central-1", aws_access_key_id="a", aws_secret_access_key="b", config=chosen
)
print(client.generate_presigned_url("put_object", Params={"Bucket": "a-bucket", "Key": "in/key"}))
"""
ALL_OF_OURS = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import chalicelib
for module in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
    print(importlib.import_module(module.name).__name__)
"""
MAGIC = "import importlib.util, sys; sys.stdout.write(importlib.util.MAGIC_NUMBER.hex())"

Project = Callable[..., Path]
Capture = pytest.CaptureFixture[str]


def names(package: Package) -> list[str]:
    with ZipFile(package.path) as archive:
        return archive.namelist()


def run_sealed(python: Path, code: str, *arguments: str, stdin: str = "") -> str:
    """Runs code with only the standard library, in an empty environment."""
    command = [str(python), "-ISB", "-c", code, *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, env={}, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(capsys: pytest.CaptureFixture[str], home: Path, *arguments: str) -> str:
    """Returns the error message of `python -m infra.package`."""
    status = main(["--project", str(home), "--output", str(home / "build"), *arguments])

    printed = capsys.readouterr()
    assert (status, printed.out) == (1, "")
    assert not (home / "build").exists() or not list((home / "build").iterdir())
    return printed.err


def a_wheel(directory: Path, content: Mapping[str, bytes | str]) -> str:
    """Makes a wheel that claims to run anywhere, and returns its line in a requirement file."""
    info = "cuckoo-1.0.dist-info"
    with ZipFile(directory / "cuckoo-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: cuckoo\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
        for name, written in content.items():
            wheel.writestr(name, written)
    digest = hashlib.sha256((directory / "cuckoo-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    return f"cuckoo==1.0 --hash=sha256:{digest}\n"


def an_elf(number: int, little: bool = True) -> bytes:
    ident = b"\x7fELF" + bytes([2, 1 if little else 2, 1]) + bytes(9)
    return ident + struct.pack("<HH" if little else ">HH", 3, number) + bytes(44)


def test_the_sealed_app_can_be_imported_without_other_packages(python: Path, tree: Path) -> None:
    assert ImportTime.of(python, tree).import_cpu_s > 0


def test_modules_that_are_imported_late_are_inside_too(python: Path, tree: Path) -> None:
    assert "chalicelib.services.identity.oauth" in run_sealed(python, ALL_OF_OURS, str(tree)).split()


def test_the_sealed_app_challenges_a_stranger(python: Path, tree: Path) -> None:
    event = {
        "headers": {},
        "multiValueHeaders": {},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
        "requestContext": {"httpMethod": "GET", "path": "/v2/", "identity": {"sourceIp": "192.0.2.1"}},
    }
    # The line before is the log's.
    answer = json.loads(run_sealed(python, ANSWER, str(tree), stdin=json.dumps(event)).splitlines()[-1])

    assert answer["statusCode"] == 401
    assert answer["headers"]["WWW-Authenticate"].startswith("Bearer realm=")


def test_the_sealed_botocore_makes_a_client_of_every_service_that_we_call(python: Path, tree: Path) -> None:
    services = sorted(AWS_SERVICES)

    assert run_sealed(python, CLIENTS, str(tree), *services).splitlines() == [
        f"https://{name}.eu-central-1.amazonaws.com True" for name in services
    ]


def test_the_sealed_botocore_finds_the_endpoint_of_a_bucket(python: Path, tree: Path) -> None:
    """botocore reads all data of an endpoint only for a call or a presigned URL."""
    address = run_sealed(python, ADDRESS, str(tree)).strip()

    assert address.startswith("https://a-bucket.s3.eu-central-1.amazonaws.com/in/key?")
    assert "X-Amz-Signature=" in address


def test_the_zip_is_under_10_mb(package: Package) -> None:
    assert package.path.stat().st_size < 10_000_000


def test_the_same_input_gives_the_same_bytes_whatever_earlier_runs_left_behind(
    sources: Path, packages: Mapping[str, Package], tmp_path: Path
) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(sources, copy)
    (copy / "chalicelib" / "__pycache__").mkdir()
    (copy / "chalicelib" / "__pycache__" / "settings.cpython-313.pyc").write_bytes(b"stale")
    (copy / ".chalice" / "deployments").mkdir()
    (copy / ".chalice" / "deployments" / "stale.zip").write_bytes(b"stale")
    (copy / "app.py").chmod(0o600)
    os.utime(copy / "app.py", (0, 0))
    again = build(copy, tmp_path / "build", RUNTIMES[0], "arm64")

    first = packages["arm64"]
    assert again.sha256 == first.sha256
    assert (tmp_path / "build" / "chalice.tf.json").read_bytes() == first.path.with_name("chalice.tf.json").read_bytes()
    assert (tmp_path / "build" / "package.json").read_bytes() == first.path.with_name("package.json").read_bytes()


def test_every_native_library_has_the_chosen_architecture(package: Package) -> None:
    with ZipFile(package.path) as archive:
        found = {name: machine(archive.read(name)) for name in archive.namelist() if name.endswith(".so")}

    assert any("cryptography" in name for name in found)
    assert set(found.values()) == {package.architecture}


def test_the_bytecode_is_the_runtimes_and_needs_no_source(package: Package, python: Path) -> None:
    with ZipFile(package.path) as archive:
        headers = {archive.read(name)[:8] for name in archive.namelist() if name.endswith(".pyc")}

    unchecked_hash = struct.pack("<I", 1)
    assert headers == {bytes.fromhex(run_sealed(python, MAGIC)) + unchecked_hash}


def test_no_sources_caches_tests_or_command_lines_are_inside(package: Package) -> None:
    parts = [(name, Path(name)) for name in names(package)]

    assert [name for name, path in parts if path.suffix in (".py", ".pyi")] == []
    assert [name for name, path in parts if {"__pycache__", "tests", "bin", "relay", "infra"} & set(path.parts)] == []


def test_of_chalice_only_what_runs_is_inside(package: Package) -> None:
    assert [name for name in names(package) if name.startswith("chalice/")] == [
        "chalice/__init__.pyc",
        "chalice/app.pyc",
    ]
    assert not {"click", "inquirer", "yaml", "pip", "setuptools", "wheel"} & {
        name.split("/")[0] for name in names(package)
    }


def test_our_own_code_is_inside(sources: Path, package: Package) -> None:
    ours = {
        path.relative_to(sources).with_suffix(".pyc").as_posix()
        for path in [sources / "app.py", *(sources / "chalicelib").rglob("*.py")]
    }

    assert ours <= set(names(package))
    assert any(name.endswith("/swagger-ui-bundle.min.js") for name in names(package)), "/docs is made of it"
    assert "CHANGELOG.md" in names(package), "superusers read it over the API"


def test_only_the_services_that_we_call_are_described(package: Package) -> None:
    described = {name.split("/")[2] for name in names(package) if name.startswith("botocore/data/")}

    assert {name for name in described if "." not in name} == AWS_SERVICES
    assert {"endpoints.json", "partitions.json", "sdk-default-configuration.json", "_retry.json"} <= described
    assert not [name for name in names(package) if name.startswith("boto3/data/")]


def test_licences_and_what_scanners_read_stay(package: Package) -> None:
    metadata = [name for name in names(package) if name.endswith(".dist-info/METADATA")]

    assert any(name.startswith("cryptography-") for name in metadata)
    assert [name for name in names(package) if "dist-info" in name and "LICENSE" in name]


def test_the_zip_depends_on_neither_clock_nor_umask(package: Package) -> None:
    with ZipFile(package.path) as archive:
        entries = archive.infolist()

    assert {(entry.date_time, entry.external_attr >> 16) for entry in entries} == {((1980, 1, 1, 0, 0, 0), 0o100644)}
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)


def test_the_manifest_tells_terraform_what_the_zip_is(package: Package) -> None:
    manifest = json.loads(package.path.with_name("package.json").read_text())

    assert manifest["file"] == f"deployment-{package.architecture}.zip"
    assert manifest["sha256"] == hashlib.sha256(package.path.read_bytes()).hexdigest()
    assert (manifest["architecture"], manifest["runtime"]) == (package.architecture, RUNTIMES[0])
    assert manifest["functions"]["api_handler"] == {"handler": "app.app", "memory_size": 1769, "timeout": 29}


def test_chalices_answer_names_our_runtime_and_architecture_and_not_its_own_zip(package: Package) -> None:
    document = json.loads(package.path.with_name("chalice.tf.json").read_text())

    function = document["resource"]["aws_lambda_function"]["api_handler"]
    assert (function["runtime"], function["architectures"]) == (RUNTIMES[0], [package.architecture])
    assert not {"filename", "source_code_hash"} & set(function)


def test_the_default_architecture_comes_from_chalices_configuration() -> None:
    assert functions.configured_architecture(functions.configuration(ROOT)) == "arm64"


def test_terraform_gets_a_second_function_from_its_declaration_alone(project: Callable[..., Path]) -> None:
    home = project(APP + SWEEP, api_handler=ENOUGH, sweep=ENOUGH)
    document = functions.declared(home, "arm64", RUNTIMES[0])
    functions.check(document, functions.configuration(home))

    assert functions.summary(document)["sweep"] == {"handler": "app.sweep", "memory_size": 512, "timeout": 20}
    assert "aws_cloudwatch_event_rule" in document["resource"]


def test_chalices_default_memory_is_refused(project: Project, capsys: Capture) -> None:
    home = project(APP + SWEEP, api_handler=ENOUGH, sweep={"lambda_timeout": 60})

    assert refusal(capsys, home) == (
        "The function sweep has Chalice's default memory of 128 MB, which is too slow: declare it in "
        ".chalice/config.json, under stages.prod.lambda_functions.sweep.lambda_memory_size.\n"
    )


def test_a_function_without_a_timeout_is_refused(project: Project, capsys: Capture) -> None:
    assert refusal(capsys, project(api_handler={"lambda_memory_size": 512})) == (
        "The function api_handler has no timeout of its own: declare it in .chalice/config.json, under "
        "stages.prod.lambda_functions.api_handler.lambda_timeout.\n"
    )


def test_an_app_that_needs_an_environment_to_be_imported_is_refused(project: Project, capsys: Capture) -> None:
    home = project("import os\n\nos.environ['CLOUDBERTH_TABLE']\n" + APP, api_handler=ENOUGH)

    assert refusal(capsys, home) == "Chalice could not read the app: KeyError: 'CLOUDBERTH_TABLE'.\n"


def test_a_directory_without_an_app_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, tmp_path) == (
        f"{tmp_path}/.chalice/config.json does not exist, so {tmp_path} holds no Chalice app.\n"
    )


def test_a_configuration_that_is_not_json_is_refused(project: Project, capsys: Capture) -> None:
    home = project()
    (home / ".chalice" / "config.json").write_text("{")

    assert refusal(capsys, home).startswith(f"{home}/.chalice/config.json is not JSON: Expecting property name")


def test_a_library_that_pip_lacks_is_named(project: Project, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    home = project(requirements=f"nowhere==1.0 --hash=sha256:{'0' * 64}\n", api_handler=ENOUGH)

    assert refusal(capsys, home, "--arch", "arm64") == (
        "pip could not install requirements.txt for arm64: nowhere==1.0 is not available: the download was refused, or "
        "there is no build for this Python and machine.\n"
    )


@pytest.mark.parametrize(("target", "other"), [("arm64", "x86_64"), ("x86_64", "arm64")])
def test_a_package_of_another_architecture_is_refused(packages: Mapping[str, Package], target: str, other: str) -> None:
    with pytest.raises(PackageError) as refused:
        refuse_foreign_libraries(packages[other].path, target)

    message = str(refused.value)
    assert message.startswith(f"deployment-{other}.zip is for {target}, but its ")
    assert message.endswith(
        f".so was built for {other}: package it again with --arch {target}, or change lambda_architecture in "
        ".chalice/config.json."
    )


def test_one_foreign_library_under_any_name_is_enough_to_refuse(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.writestr("fits.so", an_elf(MACHINES["arm64"]))
        archive.writestr("helper", an_elf(MACHINES["x86_64"]))

    with pytest.raises(PackageError, match="its helper was built for x86_64"):
        refuse_foreign_libraries(tmp_path / "some.zip", "arm64")


def test_a_wheel_that_lies_about_its_architecture_stops_the_packager(
    project: Project, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    endpoints = {"botocore/data/endpoints.json": '{"partitions": []}'}
    lie = a_wheel(tmp_path, {**endpoints, "cuckoo/_native.abi3.so": an_elf(MACHINES["x86_64"])})
    home = project(requirements=lie, api_handler=ENOUGH)

    assert refusal(capsys, home, "--arch", "arm64") == (
        "deployment-arm64.zip is for arm64, but its cuckoo/_native.abi3.so was built for x86_64: package it "
        "again with --arch arm64, or change lambda_architecture in .chalice/config.json.\n"
    )


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (an_elf(0xB7), "arm64"),
        (an_elf(0x3E), "x86_64"),
        (an_elf(0x28), "arm"),
        (an_elf(0x03), "i386"),
        (an_elf(0xF3), "ELF machine 243"),
        (an_elf(0x15, little=False), "ELF machine 21"),
        (b"\x7fELF", None),
        (b"", None),
        (b"PK\x03\x04" + bytes(60), None),
    ],
)
def test_the_processor_is_read_from_the_elf_header(header: bytes, expected: str | None) -> None:
    assert machine(header) == expected


def test_a_runtime_whose_python_is_missing_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "PATH"):
        monkeypatch.setenv(name, str(tmp_path))

    with pytest.raises(PackageError) as refused:
        interpreter("python3.99")

    assert str(refused.value).startswith("There is no python3.99 on PATH nor among the versions of pyenv or uv")
    assert str(refused.value).endswith("install it, or choose --runtime python3.13 or python3.12.")


def test_the_description_has_size_hash_import_time_and_functions(packages: Mapping[str, Package]) -> None:
    here = packages[host_architecture()]
    description = describe(here)

    assert description.splitlines()[0] == str(here.path)
    for fact in (
        f"{here.size_bytes / 1e6:.2f} MB, ",
        here.sha256,
        f"{RUNTIMES[0]}, {here.architecture}",
        " ms of one core, ",
        "app.app, 1769 MB, 29 s",
    ):
        assert fact in description


def test_a_package_that_cannot_run_here_says_why_it_was_not_measured(packages: Mapping[str, Package]) -> None:
    (other,) = (package for name, package in packages.items() if name != host_architecture())

    assert f"not measured, since {other.architecture} libraries of Linux do not load on this machine" in describe(other)
