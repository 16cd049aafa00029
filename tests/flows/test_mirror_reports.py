"""What users of other registries reported of their mirrors, tried on ours; each test names the report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from chalicelib.domain.media_types import OCI_INDEX
from chalicelib.domain.mirror_runs import TagOutcome
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.storage.mirroring.runs import MirrorRunRow
from tests.support.backends import Backend
from tests.support.fake_server import respond
from tests.support.mirror_runs import MirrorRunner, a_mirror_of
from tests.support.upstream import LAYER, Upstream, on

DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
HELM_CONFIG, HELM_CHART = (
    "application/vnd.cncf.helm.config.v1+json",
    "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream().running() as running:
        yield running


@pytest.fixture
def runner(new_backend: Callable[..., Backend]) -> MirrorRunner:
    return MirrorRunner(new_backend(outgoing_allow="127.0.0.0/8"))


def failures(runner: MirrorRunner, run: MirrorRunRow) -> dict[str, str]:
    tags = runner.backend.services.stores.mirror_runs.tags(run.id)
    return {tag.tag: tag.reason for tag in tags if tag.outcome is TagOutcome.FAILED}


@pytest.mark.parametrize("name", ["a tag", "Ünicode", "-leading", "x" * 129, "a/b"])
def test_a_name_that_is_no_tag_keeps_no_other_tag_from_being_copied(
    upstream: Upstream, runner: MirrorRunner, name: str
) -> None:
    """https://github.com/podman-container-tools/skopeo/issues/2680: `list-tags failed: invalid reference format`."""
    digest = upstream.add_image("good")
    upstream.tags[name] = digest
    repository = a_mirror_of(upstream, runner.backend)

    run = runner.sync(repository)

    assert runner.tags(repository) == {"good": digest}
    assert (run.status, "that are no tags: 1" in run.warning) == (SyncStatus.SUCCESS, True)


def test_a_page_of_html_for_a_list_of_tags_is_said_in_a_sentence(upstream: Upstream, runner: MirrorRunner) -> None:
    """https://github.com/project-zot/zot/issues/1703: `invalid character '<' looking for beginning of value`."""
    upstream.fault = on(
        "tags/list", lambda handler: respond(handler, b"<html>Welcome</html>", Content_Type="text/html")
    )
    repository = a_mirror_of(upstream, runner.backend)

    run = runner.sync(repository)

    assert (run.status, f"{upstream.host} does not answer as a registry" in run.reason) == (SyncStatus.FAIL, True)


def test_an_index_without_manifests_is_copied(upstream: Upstream, runner: MirrorRunner) -> None:
    """https://github.com/DaoCloud/public-image-mirror/issues/73: an image with empty `manifests` fails."""
    digest = upstream.add_manifest({"manifests": []}, "empty", media_type=OCI_INDEX)
    repository = a_mirror_of(upstream, runner.backend)

    run = runner.sync(repository)

    assert (failures(runner, run), runner.tags(repository)) == ({}, {"empty": digest})


def test_an_index_that_its_registry_serves_as_another_type_is_copied_byte_for_byte(
    upstream: Upstream, runner: MirrorRunner
) -> None:
    """https://github.com/podman-container-tools/skopeo/issues/2778: `must be converted to type … index.v1+json`."""
    image = upstream.add_image()
    digest = upstream.add_index("latest", images={"amd64": image})
    upstream.manifests[digest] = DOCKER_LIST, upstream.manifests[digest][1]
    repository = a_mirror_of(upstream, runner.backend)

    run = runner.sync(repository)

    assert (failures(runner, run), runner.tags(repository)) == ({}, {"latest": digest})


def test_a_helm_chart_is_copied(upstream: Upstream, runner: MirrorRunner) -> None:
    """https://github.com/project-zot/zot/issues/2527: a mirror of Helm charts panics."""
    config = {"mediaType": HELM_CONFIG, **upstream.add_blob(b'{"name":"chart"}')}
    digest = upstream.add_manifest(
        {"config": config, "layers": [{"mediaType": HELM_CHART, **upstream.add_blob(b"c")}]}, "8.0.2"
    )
    repository = a_mirror_of(upstream, runner.backend)

    run = runner.sync(repository)

    assert (failures(runner, run), runner.tags(repository)) == ({}, {"8.0.2": digest})


def test_a_signature_by_a_tag_in_place_of_referrers_is_copied(upstream: Upstream, runner: MirrorRunner) -> None:
    """https://github.com/goharbor/harbor/issues/23210: signatures by OCI 1.1 referrers are not replicated."""
    subject = upstream.add_image("v1")
    config = {"mediaType": "application/vnd.oci.empty.v1+json", **upstream.add_blob(b"{}")}
    about = {
        "mediaType": upstream.manifests[subject][0],
        "digest": subject,
        "size": len(upstream.manifests[subject][1]),
    }
    layers = [{"mediaType": LAYER, **upstream.add_blob(b"signature")}]
    signature = upstream.add_manifest({"config": config, "layers": layers, "subject": about})
    media_type, content = upstream.manifests[signature]
    entry = {"mediaType": media_type, "digest": signature, "size": len(content)}
    listed = upstream.add_manifest({"manifests": [entry]}, subject.replace(":", "-"), media_type=OCI_INDEX)
    # A registry without the referrers API.
    upstream.fault = on("/referrers/", lambda handler: respond(handler, b"{}", 404))
    repository = a_mirror_of(upstream, runner.backend, ("v1",))

    run = runner.sync(repository)

    assert failures(runner, run) == {}
    assert runner.tags(repository) == {"v1": subject, subject.replace(":", "-"): listed}


def test_a_digest_of_upstream_s_own_making_is_refused(upstream: Upstream, runner: MirrorRunner) -> None:
    """A registry that recompresses layers names digests of bytes that it no longer has."""
    digest = upstream.add_image("v1")
    layer = json.loads(upstream.manifests[digest][1])["layers"][0]["digest"]
    upstream.blobs[layer] = b"recompressed"
    repository = a_mirror_of(upstream, runner.backend)

    run = runner.sync(repository)

    assert layer in failures(runner, run)["v1"]
    assert runner.tags(repository) == {}
