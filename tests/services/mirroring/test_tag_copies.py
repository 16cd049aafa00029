"""Tags are copied byte for byte, with all that they name and all that is about them."""

import json

from chalicelib.domain.digests import Digest
from chalicelib.domain.media_types import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from chalicelib.domain.mirrors import SyncStatus
from chalicelib.domain.names import RepositoryName
from tests.support.mirror_builders import mirror_row
from tests.support.mirror_runs import MirrorRunner, a_mirror_of, body
from tests.support.upstream import LAYER, Upstream

NAME = RepositoryName.parse("admin/app")


def test_a_run_copies_images_with_their_blobs_byte_for_byte(upstream: Upstream, runner: MirrorRunner) -> None:
    image = upstream.add_image("latest", "v1", layers=(b"one", b"two" * 1000))
    repository = a_mirror_of(upstream, runner.backend)

    run = runner.sync(repository)

    assert (run.status, run.added, run.failed, run.matched) == (SyncStatus.SUCCESS, 2, 0, 2)
    assert runner.tags(repository) == {"latest": image, "v1": image}
    assert body(runner.backend, repository, image) == upstream.manifests[image][1]
    for digest, content in upstream.blobs.items():
        view = runner.backend.services.stores.blobs.view(repository.id, Digest.parse(digest))
        assert runner.backend.services.stores.objects.get(view.blob.s3_key) == content
    row = mirror_row(repository)
    assert (row.status, row.tries) == (SyncStatus.SUCCESS, 0)
    assert row.next_at == row.start_at


def test_an_index_is_copied_with_its_images(upstream: Upstream, runner: MirrorRunner) -> None:
    images = {arch: upstream.add_image(layers=(arch.encode(),), architecture=arch) for arch in ("amd64", "arm64")}
    index = upstream.add_index("latest", images=images)
    repository = a_mirror_of(upstream, runner.backend)

    run = runner.sync(repository)

    assert run.status is SyncStatus.SUCCESS, run.reason
    for digest in (index, *images.values()):
        assert body(runner.backend, repository, digest) == upstream.manifests[digest][1]


def test_only_chosen_architectures_are_copied_and_the_index_stays_whole(
    upstream: Upstream, runner: MirrorRunner
) -> None:
    images = {arch: upstream.add_image(layers=(arch.encode(),), architecture=arch) for arch in ("amd64", "arm64")}
    attestation = upstream.add_image(layers=(b"attestation",), architecture="unknown")
    entries = json.loads(upstream.manifests[upstream.add_index(images=images)][1])["manifests"]
    about = {"vnd.docker.reference.digest": images["amd64"]}
    entries.append({**entries[0], "digest": attestation, "size": len(upstream.manifests[attestation][1]),
                    "platform": {"architecture": "unknown", "os": "unknown"}, "annotations": about})  # fmt: skip
    index = upstream.add_manifest({"manifests": entries}, "latest", media_type=OCI_INDEX)
    upstream.add_image("other", architecture="s390x")
    upstream.add_index("none", images={"arm64": images["arm64"]})
    repository = a_mirror_of(upstream, runner.backend, architectures=("amd64",))

    run = runner.sync(repository)

    assert (run.added, run.skipped, run.failed) == (1, 1, 1)
    assert runner.tags(repository) == {"latest": index}
    assert body(runner.backend, repository, index) == upstream.manifests[index][1]
    assert body(runner.backend, repository, images["amd64"])
    assert body(runner.backend, repository, attestation)
    assert body(runner.backend, repository, images["arm64"]) is None
    assert "none: architecture_filter: none has no image for amd64" in run.reason


def test_referrers_and_signatures_are_copied(upstream: Upstream, runner: MirrorRunner) -> None:
    image = upstream.add_image("latest")
    config = {"mediaType": "application/vnd.example+json", **upstream.add_blob(b"{}")}
    layers = [{"mediaType": LAYER, **upstream.add_blob(b"sbom")}]
    subject = {"mediaType": OCI_MANIFEST, "digest": image, "size": len(upstream.manifests[image][1])}
    sbom = upstream.add_manifest({"config": config, "layers": layers, "subject": subject})
    about_sbom = {"mediaType": OCI_MANIFEST, "digest": sbom, "size": len(upstream.manifests[sbom][1])}
    signed_sbom = upstream.add_manifest({"config": config, "subject": about_sbom, "layers": []})
    signature_tag = f"sha256-{image.removeprefix('sha256:')}.sig"
    signature = upstream.add_image(signature_tag, layers=(b"signature",))
    repository = a_mirror_of(upstream, runner.backend, patterns=("latest",))

    run = runner.sync(repository)

    assert run.status is SyncStatus.SUCCESS, run.reason
    for digest in (sbom, signed_sbom, signature):
        assert body(runner.backend, repository, digest) == upstream.manifests[digest][1]
    assert runner.tags(repository) == {"latest": image, signature_tag: signature}
    # The next run leaves the signature alone, which no pattern names.
    assert runner.sync(repository).removed == 0


def test_a_mirror_of_an_artifact_keeps_its_types(upstream: Upstream, runner: MirrorRunner) -> None:
    config = {"mediaType": "application/vnd.cncf.helm.config.v1+json", **upstream.add_blob(b'{"name": "chart"}')}
    layer = {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", **upstream.add_blob(b"chart")}
    chart = upstream.add_manifest({"config": config, "layers": [layer]}, "1.0.0")
    cache = upstream.add_manifest(
        {"manifests": [{"mediaType": LAYER, **upstream.add_blob(b"cached")},
                       {"mediaType": OCI_CONFIG, **upstream.add_blob(b"{}")}]},
        "cache", media_type=OCI_INDEX,
    )  # fmt: skip
    repository = a_mirror_of(upstream, runner.backend)

    run = runner.sync(repository)

    assert run.status is SyncStatus.SUCCESS, run.reason
    assert runner.tags(repository) == {"1.0.0": chart, "cache": cache}
