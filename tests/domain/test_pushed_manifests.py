"""What is refused of a manifest that is pushed, though it can be read where it is stored already."""

import json

import pytest

from chalicelib.domain import media_types
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import ManifestInvalid
from chalicelib.domain.manifests import MOST_DESCRIPTORS, check_sizes, parse_manifest, parse_pushed
from tests.support.builders import a_descriptor

ONE, TWO, THREE = (Digest.of(bytes([number])) for number in range(3))
BUNDLE = {"schemaVersion": 2, "mediaType": "application/vnd.example.bundle.v1+json"}
CONFIG = a_descriptor(THREE, media_types.OCI_CONFIG)
FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"


@pytest.mark.parametrize("field", ["layers", "blobs", "manifests"])
def test_more_than_ten_thousand_descriptors_are_refused_when_they_are_pushed(field: str) -> None:
    entries = [a_descriptor(ONE)] * (MOST_DESCRIPTORS - 1)
    parse_pushed(json.dumps(BUNDLE | {field: entries, "subject": CONFIG}).encode(), "")
    more = json.dumps(BUNDLE | {field: [*entries, CONFIG], "subject": CONFIG}).encode()

    with pytest.raises(ManifestInvalid, match="10001 descriptors and may have 10000: split"):
        parse_pushed(more, "")
    assert parse_manifest(more, "").subject == THREE


@pytest.mark.parametrize("text", [str(2**63), str(-(2**63) - 1), "1" + "0" * 5000], ids=["high", "low", "long"])
def test_whole_numbers_beyond_64_bits_are_refused_when_they_are_pushed(text: str) -> None:
    for fields in ({"layers": [a_descriptor(ONE) | {"size": "N"}]}, {"unknown": {"deep": ["N"]}}):
        with pytest.raises(ManifestInvalid, match="64 bits"):
            parse_pushed(json.dumps(BUNDLE | fields).replace('"N"', text).encode(), "")
    parse_pushed(json.dumps(BUNDLE | {"unknown": [2**63 - 1, -(2**63), 1.5]}).encode(), "")


def test_a_schema_version_that_is_no_whole_number_is_refused_when_it_is_pushed() -> None:
    with pytest.raises(ManifestInvalid, match="'schemaVersion' is not a whole number"):
        parse_pushed(json.dumps(BUNDLE | {"schemaVersion": 2.0}).encode(), "")


def test_only_sizes_that_are_known_are_compared() -> None:
    document = BUNDLE | {"layers": [a_descriptor(ONE, size=7), a_descriptor(TWO, size=8)]}
    manifest = parse_pushed(json.dumps(document).encode(), "")

    check_sizes(manifest, {ONE: 7})
    with pytest.raises(ManifestInvalid, match=f"'size' of {TWO} is 8, but it has 9 bytes"):
        check_sizes(manifest, {ONE: 7, TWO: 9})


@pytest.mark.parametrize(("name", "value"), [("layers", []), ("config", CONFIG), ("blobs", [CONFIG])])
@pytest.mark.parametrize("media_type", [media_types.OCI_INDEX, "a/b"])
def test_what_is_an_image_and_an_index_at_once_is_refused_when_it_is_pushed(
    name: str, value: object, media_type: str
) -> None:
    document = {"schemaVersion": 2, "mediaType": media_type, "manifests": [], name: value}

    with pytest.raises(ManifestInvalid, match=f"both 'manifests' and '{name}'"):
        parse_pushed(json.dumps(document).encode(), "")
    assert parse_manifest(json.dumps(document).encode(), "").media_type == media_type


@pytest.mark.parametrize("media_type", [media_types.OCI_INDEX, media_types.DOCKER_LIST])
@pytest.mark.parametrize("fields", [{"config": CONFIG}, {"layers": [a_descriptor(ONE, FOREIGN)]}])
def test_an_index_of_layers_is_refused_when_it_is_pushed(media_type: str, fields: dict[str, object]) -> None:
    document = {"schemaVersion": 2, "mediaType": media_type} | fields

    with pytest.raises(ManifestInvalid, match=r"an index .* has only 'manifests'"):
        parse_pushed(json.dumps(document).encode(), "")


def test_null_beside_manifests_is_no_second_kind() -> None:
    document = {"schemaVersion": 2, "manifests": [a_descriptor(ONE)], "layers": None, "config": None}

    assert parse_pushed(json.dumps(document).encode(), "").media_type == media_types.OCI_INDEX
