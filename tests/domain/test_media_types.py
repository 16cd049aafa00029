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
