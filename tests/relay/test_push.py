"""`relay push` pushes layouts and archives into a fake registry."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from relay.__main__ import main
from tests.clients.images import (
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Layout,
    an_image,
    an_index,
    content_of,
    write_docker_archive,
    write_oci_archive,
)
from tests.relay.fake_registry import PASSWORD, USER, FakeRegistry, running

BIG = 6_000_000
Push = Callable[..., int]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("RELAY_PASSWORD", PASSWORD)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / "layout").mkdir()
    return Layout(tmp_path / "layout")


@pytest.fixture
def push(fake: FakeRegistry) -> Push:
    """Pushes a source to a target; returns the exit status."""

    def run(source: str, target: str, *more: str) -> int:
        return main(["push", "--registry", fake.url, "--user", USER, "--patience", "10", *more, source, target])

    return run


def test_a_layout_with_small_and_large_blobs_is_pushed_unchanged(
    push: Push, fake: FakeRegistry, layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    image = an_image(layout, "pushed", (1000, BIG))
    layout.tag(image, "1.0")
    status = push(f"oci:{layout.directory}", "carol/app")

    assert status == 0
    assert fake.manifests["1.0"] == (OCI_MANIFEST, layout.read(image))
    assert fake.blobs == {one["digest"]: layout.read(one) for one in content_of(layout, image)}
    assert len(fake.requests_to("PUT", "bucket")) == 1
    assert capsys.readouterr().out == f"carol/app:1.0 {image['digest']}\n"


def test_a_tar_of_a_layout_is_read_in_place(push: Push, fake: FakeRegistry, layout: Layout, tmp_path: Path) -> None:
    image = an_image(layout, "pushed", (1000, BIG))
    layout.tag(image, "1.0")
    archive = write_oci_archive(layout, tmp_path / "archive.tar")

    assert push(f"oci:{archive}", "carol/app:other") == 0
    assert fake.manifests == {"other": (OCI_MANIFEST, layout.read(image))}
    assert fake.blobs == {one["digest"]: layout.read(one) for one in content_of(layout, image)}


def test_the_children_of_an_index_are_pushed_first(push: Push, fake: FakeRegistry, layout: Layout) -> None:
    index = an_index(layout, "multi")
    layout.tag(index, "multi")

    assert push(f"oci:{layout.directory}", "carol/app") == 0
    order = [seen.target.rpartition("/")[2] for seen in fake.requests_to("PUT", "manifests")]
    assert order == [*(child["digest"] for child in content_of(layout, index)), "multi"]
    assert fake.manifests["multi"] == (OCI_INDEX, layout.read(index))


def test_the_blobs_and_artifacts_of_an_index_are_pushed_as_what_they_are(
    push: Push, fake: FakeRegistry, layout: Layout
) -> None:
    step = layout.add(b"\x1f\x8bstep", "application/vnd.oci.image.layer.v1.tar+gzip")
    cache = layout.add(b'{"layers": [], "records": []}', "application/vnd.buildkit.cacheconfig.v0")
    bundle = layout.add_json({"schemaVersion": 2, "mediaType": "application/vnd.example.bundle.v1+json"})
    index = layout.add_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [step, cache, bundle]})
    layout.tag(index, "cache")

    assert push(f"oci:{layout.directory}", "carol/app") == 0
    assert fake.blobs == {step["digest"]: layout.read(step), cache["digest"]: layout.read(cache)}
    assert set(fake.manifests) == {bundle["digest"], "cache"}


def test_a_docker_archive_gets_a_manifest_and_its_layers_stay_uncompressed(
    push: Push, fake: FakeRegistry, layout: Layout, tmp_path: Path
) -> None:
    image = an_image(layout, "saved", (1000, BIG))
    archive = write_docker_archive(layout, image, "registry.example:5000/a/b:1.0", tmp_path / "saved.tar")

    assert push(f"docker-archive:{archive}", "carol/app") == 0
    kind, content = fake.manifests["1.0"]
    manifest = json.loads(content)
    config = content_of(layout, image)[0]
    assert kind == manifest["mediaType"] == DOCKER_MANIFEST
    assert manifest["config"]["digest"] == config["digest"]
    assert [each["digest"] for each in manifest["layers"]] == json.loads(layout.read(config))["rootfs"]["diff_ids"]
    assert {each["mediaType"] for each in manifest["layers"]} == {"application/vnd.docker.image.rootfs.diff.tar"}
    assert all(len(fake.blobs[each["digest"]]) == each["size"] for each in manifest["layers"])


def write_tar(path: Path, files: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return path


def test_an_old_docker_archive_with_several_tags_and_a_shared_layer_is_pushed(
    push: Push, fake: FakeRegistry, tmp_path: Path
) -> None:
    listing = [
        {"Config": "one.json", "RepoTags": ["app:1", "app:latest"], "Layers": ["a/layer.tar"]},
        {"Config": "two.json", "RepoTags": ["app:2"], "Layers": ["b/layer.tar"]},
    ]
    files = {"one.json": b'{"one":1}', "two.json": b'{"two":2}', "a/layer.tar": b"layer"}
    files["manifest.json"] = json.dumps(listing).encode()
    archive = write_tar(tmp_path / "old.tar", files, {"b/layer.tar": "../a/layer.tar"})

    assert push(f"docker-archive:{archive}", "carol/app") == 0
    assert sorted(fake.manifests) == ["1", "2", "latest"]
    assert fake.manifests["1"] == fake.manifests["latest"]
    assert len(fake.blobs) == 3


def test_blobs_that_the_registry_has_are_not_sent_again(push: Push, fake: FakeRegistry, layout: Layout) -> None:
    layout.tag(an_image(layout, "again", (1000, BIG)), "1.0")
    push(f"oci:{layout.directory}", "carol/app")
    fake.seen.clear()

    assert push(f"oci:{layout.directory}", "carol/app") == 0
    assert fake.requests_to("POST") == []
    assert [seen.target for seen in fake.requests_to("PUT")] == ["/v2/carol/app/manifests/1.0"]


def test_an_interrupted_push_continues_within_a_layer(push: Push, fake: FakeRegistry, layout: Layout) -> None:
    layout.tag(an_image(layout, "broken", (BIG,)), "1.0")
    fake.largest_put, fake.faults = 0, ["", "", "", "404"]
    broken = push(f"oci:{layout.directory}", "carol/app")
    sent_before = len(fake.bucket)

    assert broken == 1
    assert sent_before >= 3
    assert push(f"oci:{layout.directory}", "carol/app") == 0
    assert len(fake.requests_to("PUT", "bucket")) == len(fake.bucket) + 1
    assert len(fake.requests_to("POST", "uploads/$")) == 1
    assert "1.0" in fake.manifests


def test_an_upload_that_the_registry_no_longer_knows_starts_again(
    push: Push, fake: FakeRegistry, layout: Layout
) -> None:
    layout.tag(an_image(layout, "forgotten", (BIG,)), "1.0")
    fake.faults = ["404"]
    broken = push(f"oci:{layout.directory}", "carol/app")
    fake.uploads.clear()

    assert broken == 1
    assert push(f"oci:{layout.directory}", "carol/app") == 0
    assert "1.0" in fake.manifests


def test_an_expired_token_is_replaced(push: Push, fake: FakeRegistry, layout: Layout) -> None:
    layout.tag(an_image(layout, "slow"), "1.0")
    error_response = (401, {"WWW-Authenticate": f'Bearer realm="{fake.url}/v2/auth",service="fake"'}, b"{}")
    fake.plan("PUT", "/v2/carol/app/manifests/1.0", error_response)

    assert push(f"oci:{layout.directory}", "carol/app") == 0


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("carol/app:nope", "has 2 images and none is tagged nope: it has 1, 2"),
        ("carol/App", "App"),
        ("carol/app:-", "tag"),
    ],
)
def test_an_invalid_target_is_refused(
    push: Push, layout: Layout, capsys: pytest.CaptureFixture[str], target: str, words: str
) -> None:
    for tag in ("1", "2"):
        layout.tag(an_image(layout, tag, (10,)), tag)

    assert push(f"oci:{layout.directory}", target) == 1
    assert words in capsys.readouterr().err


def test_a_tag_selects_one_of_several_images(push: Push, fake: FakeRegistry, layout: Layout) -> None:
    images = {tag: an_image(layout, tag, (10,)) for tag in ("1", "2")}
    for tag, image in images.items():
        layout.tag(image, tag)

    assert push(f"oci:{layout.directory}", "carol/app:2") == 0
    assert fake.manifests == {"2": (OCI_MANIFEST, layout.read(images["2"]))}


@pytest.mark.parametrize("kind", ["oci", "docker-archive"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no "),
        (b"\x1f\x8bcompressed", "gunzip it first"),
        (b"no tar at all, but long enough to look at" * 100, "no tar that can be read"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused(
    push: Push, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "source").write_bytes(content)

    assert push(f"{kind}:{tmp_path / 'source'}", "carol/app") == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("listing", [b"[1]", b"{}x", b'[{"Config":"c"}]', b'[{"Config":"nowhere","Layers":[]}]'])
def test_an_incomplete_docker_archive_is_refused(
    push: Push, tmp_path: Path, capsys: pytest.CaptureFixture[str], listing: bytes
) -> None:
    archive = write_tar(tmp_path / "saved.tar", {"manifest.json": listing, "c": b"{}"})

    assert push(f"docker-archive:{archive}", "carol/app") == 1
    assert str(archive) in capsys.readouterr().err


def test_a_missing_blob_of_a_layout_is_named(push: Push, layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    image = an_image(layout, "lacking")
    layout.tag(image, "1.0")
    missing = content_of(layout, image)[1]["digest"]
    layout.path(missing).unlink()

    assert push(f"oci:{layout.directory}", "carol/app") == 1
    assert missing.replace(":", "/") in capsys.readouterr().err


def test_a_blob_that_does_not_match_its_digest_is_refused(
    push: Push, fake: FakeRegistry, layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    image = an_image(layout, "rotten", (BIG,))
    layout.tag(image, "1.0")
    with layout.path(content_of(layout, image)[1]["digest"]).open("r+b") as file:
        file.seek(3_000_000)
        file.write(b"rot")

    assert push(f"oci:{layout.directory}", "carol/app") == 1
    assert "BadDigest" in capsys.readouterr().err
    assert fake.manifests == {}


def test_a_source_without_a_kind_is_refused(push: Push, capsys: pytest.CaptureFixture[str]) -> None:
    assert push("app.tar", "carol/app") == 1
    assert "say oci:PATH or docker-archive:PATH" in capsys.readouterr().err


def test_a_wrong_password_is_reported_with_the_registrys_message(
    push: Push, layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RELAY_PASSWORD")
    monkeypatch.setattr("sys.stdin", io.StringIO("wrong\n"))
    layout.tag(an_image(layout, "locked"), "1.0")

    assert push(f"oci:{layout.directory}", "carol/app") == 1
    assert "UNAUTHORIZED wrong password" in capsys.readouterr().err


def test_an_unreachable_registry_is_named(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    with running(FakeRegistry()) as gone:
        pass
    layout.tag(an_image(layout, "away"), "1.0")
    words = ["push", "--registry", gone.url, "--user", USER, "--patience", "0.1", f"oci:{layout.directory}", "a/b"]

    assert main(words) == 1
    assert "127.0.0.1 does not answer" in capsys.readouterr().err


@pytest.mark.parametrize("registry", ["registry.example", "ftp://x", "https://", "https://x/path"])
def test_an_invalid_registry_address_is_refused(registry: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["push", "--registry", registry, "oci:x", "a/b"])

    assert caught.value.code == 2
    assert "say https://HOST" in capsys.readouterr().err


def test_a_layers_digest_covers_only_its_own_bytes_of_the_tar(push: Push, fake: FakeRegistry, tmp_path: Path) -> None:
    layer = os.urandom(100_001)
    listing = json.dumps([{"Config": "c.json", "RepoTags": None, "Layers": ["l"]}]).encode()
    archive = write_tar(tmp_path / "s.tar", {"c.json": b"{}", "l": layer, "manifest.json": listing})

    assert push(f"docker-archive:{archive}", "carol/app") == 0
    assert fake.blobs[f"sha256:{hashlib.sha256(layer).hexdigest()}"] == layer
    assert list(fake.manifests) == ["latest"]
