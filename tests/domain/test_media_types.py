"""Media types."""

import pytest

from chalicelib.domain import media_types


@pytest.mark.parametrize(
    ("given", "bare"),
    [
        ("", ""),
        ("application/json", "application/json"),
        ("application/json; charset=utf-8", "application/json"),
        (" application/json ;q=1;v=2", "application/json"),
        (";", ""),
    ],
)
def test_parameters_are_dropped(given: str, bare: str) -> None:
    assert media_types.bare(given) == bare


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ],
)
def test_a_non_distributable_layer_is_foreign(media_type: str) -> None:
    assert media_types.is_foreign(media_type)


@pytest.mark.parametrize(
    "media_type",
    [
        "",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "text/application/vnd.oci.image.layer.nondistributable.v1.tar",
        media_types.OCI_CONFIG,
    ],
)
def test_every_other_media_type_is_not_foreign(media_type: str) -> None:
    assert not media_types.is_foreign(media_type)


@pytest.mark.parametrize(
    "media_type",
    [
        "text/html",
        "text/vnd.oci+json",
        "Text/HTML",
        "image/svg+xml",
        "image/png",
        "audio/mpeg",
        "video/mp4",
        "font/woff2",
        "model/gltf+json",
        "multipart/related",
        "multipart/x-mixed-replace",
        "message/rfc822",
        "application/xhtml+xml",
        "APPLICATION/XHTML+XML",
        "application/xml",
        "application/xslt+xml",
        "application/atom+xml",
        "application/vnd.mozilla.xul+xml",
        "application/pdf",
        "application/x-pdf",
        "application/postscript",
        "application/javascript",
        "application/x-javascript",
        "application/ecmascript",
        "application/x-JavaScript1.5",
        "something/javascript",
        "application/hta",
        "application/wasm",
        "application/x-mimearchive",
        "application/signed-exchange",
        "application/x-shockwave-flash",
        "application/vnd.some.html",
    ],
)
def test_what_a_browser_shows_or_runs_is_found_in_any_case(media_type: str) -> None:
    assert media_types.is_shown(media_type)


@pytest.mark.parametrize(
    "media_type",
    [
        *media_types.VERSIONED,
        *media_types.IMAGE_CONFIGS,
        "application/json",
        "application/octet-stream",
        "application/vnd.oci.empty.v1+json",
        "application/vnd.oci.artifact.manifest.v1+json",
        "application/vnd.cncf.helm.config.v1+json",
        "application/vnd.dev.cosign.simplesigning.v1+json",
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        "application/vnd.cyclonedx+json",
        "application/spdx+json",
        "application/vnd.xmlrpc.thing.v1+json",
        "application/vnd.javascript.modules.v1+json",
        "application/vnd.in-toto+json",
    ],
)
def test_types_of_manifests_and_artifacts_are_not_shown_by_browsers(media_type: str) -> None:
    assert not media_types.is_shown(media_type)
