"""Manifests: what is parsed, and what is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain import media_types
from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import DigestInvalid, ManifestInvalid, ManifestTooLarge, RegistryError
from chalicelib.domain.manifests import MAXIMUM_BYTES, children_of, parse_manifest
from tests.support.builders import a_descriptor, a_manifest, an_index

ONE, TWO, THREE = (Digest.of(bytes([number])) for number in range(3))
BUNDLE = {"schemaVersion": 2, "mediaType": "application/vnd.example.bundle.v1+json"}
CONFIG = a_descriptor(THREE, media_types.OCI_CONFIG)
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"


def parse(document: object, content_type: str = "") -> Any:
    return parse_manifest(json.dumps(document).encode(), content_type)


def bundle(**fields: object) -> Any:
    return parse(BUNDLE | fields)


def test_an_image_names_its_config_and_its_layers() -> None:
    manifest = a_manifest([ONE, TWO], config=THREE)

    assert manifest.media_type == media_types.OCI_MANIFEST
    assert [blob.digest for blob in manifest.blobs] == [THREE, ONE, TWO]
    assert manifest.config
    assert manifest.config.media_type == media_types.OCI_CONFIG
    assert manifest.children == ()
    assert manifest.size == len(manifest.content)
    assert manifest.digest == Digest.of(manifest.content)


def test_an_index_names_its_children_and_no_blobs() -> None:
    manifest = an_index([ONE, TWO])

    assert [child.digest for child in manifest.children] == [ONE, TWO]
    assert manifest.blobs == ()
    assert manifest.media_type == media_types.OCI_INDEX


def test_the_exact_bytes_are_hashed_and_kept() -> None:
    content = b'\n {"schemaVersion" : 2,\t"mediaType": "a/b", "unknown": [1.50]} \n'
    manifest = parse_manifest(content, "", "sha512")

    assert manifest.content == content
    assert manifest.digest == Digest.of(content, "sha512")


def test_the_subject_of_an_artifact_is_parsed() -> None:
    assert a_manifest(subject=ONE).subject == ONE
    assert a_manifest().subject is None


@pytest.mark.parametrize("media_type", [media_types.OCI_MANIFEST, media_types.DOCKER_MANIFEST])
@pytest.mark.parametrize("fields", [{}, {"config": None}, {"layers": []}])
def test_an_image_without_a_config_is_refused(media_type: str, fields: dict[str, object]) -> None:
    with pytest.raises(ManifestInvalid, match="'config' is missing"):
        parse({"schemaVersion": 2, "mediaType": media_type} | fields)


def test_non_distributable_layers_are_not_among_the_blobs() -> None:
    manifest = bundle(layers=[a_descriptor(ONE, FOREIGN), a_descriptor(TWO, LAYER)])

    assert [blob.digest for blob in manifest.blobs] == [TWO]
    assert [blob.digest for blob in manifest.foreign] == [ONE]
    assert [blob.digest for blob in manifest.kept_blobs] == [TWO, ONE]


def test_the_size_of_an_image_contains_its_non_distributable_layers() -> None:
    manifest = a_manifest(config=THREE, layers=[a_descriptor(ONE, FOREIGN, 5), a_descriptor(TWO, LAYER, 7)])

    assert manifest.layers_size == 12


def test_blobs_of_the_old_artifact_manifest_are_blobs() -> None:
    manifest = parse({"mediaType": "application/vnd.oci.artifact.manifest.v1+json", "blobs": [a_descriptor(ONE)]})

    assert [blob.digest for blob in manifest.blobs] == [ONE]


@pytest.mark.parametrize("field", ["config", "layers", "blobs", "manifests", "subject", "annotations", "artifactType"])
def test_a_field_that_is_null_counts_as_missing(field: str) -> None:
    manifest = bundle(**{field: None})

    assert (manifest.blobs, manifest.children, manifest.subject, manifest.artifact_type) == ((), (), None, None)
    assert manifest.annotations == {}


def test_the_artifact_type_is_the_manifests_own_or_that_of_the_config() -> None:
    config = a_descriptor(ONE, "application/vnd.example.config")

    assert bundle(artifactType="application/vnd.example", config=config).artifact_type == "application/vnd.example"
    assert bundle(artifactType="", config=config).artifact_type == "application/vnd.example.config"
    assert bundle(config=config).artifact_type == "application/vnd.example.config"
    assert bundle().artifact_type is None


def test_an_index_has_only_its_own_artifact_type() -> None:
    assert an_index([ONE]).artifact_type is None
    assert an_index([ONE], config=a_descriptor(TWO)).artifact_type is None
    assert an_index([ONE], artifactType="application/vnd.example").artifact_type == "application/vnd.example"


@pytest.mark.parametrize(
    ("written", "given", "found"),
    [
        (media_types.OCI_MANIFEST, "", media_types.OCI_MANIFEST),
        (media_types.OCI_MANIFEST, media_types.OCI_MANIFEST, media_types.OCI_MANIFEST),
        (media_types.OCI_MANIFEST, media_types.OCI_MANIFEST + "; charset=utf-8", media_types.OCI_MANIFEST),
        (media_types.OCI_MANIFEST, "application/json", media_types.OCI_MANIFEST),
        (media_types.OCI_MANIFEST, "application/octet-stream", media_types.OCI_MANIFEST),
        (None, media_types.DOCKER_MANIFEST, media_types.DOCKER_MANIFEST),
        ("application/vnd.example+json", "", "application/vnd.example+json"),
    ],
)
def test_the_media_type_comes_from_the_manifest_or_the_header(written: str | None, given: str, found: str) -> None:
    assert parse({"schemaVersion": 2, "mediaType": written, "config": CONFIG}, given).media_type == found


def test_a_media_type_that_differs_from_the_headers_is_refused_and_both_are_named() -> None:
    with pytest.raises(ManifestInvalid, match=r"'application/vnd\.oci\.image\.manifest.* but Content-Type is '.*index"):
        parse({"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST}, media_types.OCI_INDEX)


def test_without_a_media_type_the_fields_decide() -> None:
    assert parse({"schemaVersion": 2, "manifests": []}).media_type == media_types.OCI_INDEX
    assert parse({"schemaVersion": 2, "layers": [], "config": CONFIG}).media_type == media_types.OCI_MANIFEST
    assert parse({"schemaVersion": 2, "config": CONFIG}, "text/plain").media_type == media_types.OCI_MANIFEST
    with pytest.raises(ManifestInvalid, match="neither 'mediaType' nor Content-Type"):
        parse({"schemaVersion": 2})


@pytest.mark.parametrize("media_type", ["", 1, [], {}, True])
def test_a_media_type_that_is_not_a_text_is_refused(media_type: object) -> None:
    with pytest.raises(ManifestInvalid, match="'mediaType' is not a string"):
        parse({"schemaVersion": 2, "mediaType": media_type})


@pytest.mark.parametrize("media_type", ["text/html", "Image/SVG+xml", "application/xhtml+xml", "application/pdf"])
@pytest.mark.parametrize("is_written", [True, False])
def test_a_media_type_that_a_browser_runs_is_refused_in_the_manifest_and_in_the_header(
    media_type: str, is_written: bool
) -> None:
    document = {"schemaVersion": 2, "layers": []} | ({"mediaType": media_type} if is_written else {})

    with pytest.raises(ManifestInvalid, match="which browsers show or run"):
        parse_manifest(json.dumps(document).encode(), "" if is_written else f"{media_type}; charset=utf-8")


@pytest.mark.parametrize(
    "media_type",
    ["application/x\r\nSet-Cookie: a=b", "application/x\n", "a\x00b/c", "application/caf\u00e9", "application/\ud800"],
)
def test_a_media_type_that_cannot_stand_in_a_header_is_refused(media_type: str) -> None:
    """It becomes the Content-Type of every pull, so the manifest could never be pulled."""
    with pytest.raises(ManifestInvalid):
        parse({"schemaVersion": 2, "mediaType": media_type, "layers": []})


@pytest.mark.parametrize(
    ("document", "content_type"),
    [
        ({"schemaVersion": 1, "name": "a/b", "tag": "old", "fsLayers": []}, ""),
        ({"schemaVersion": 1, "fsLayers": []}, media_types.DOCKER_SCHEMA_1[0]),
        ({"schemaVersion": 2, "mediaType": media_types.DOCKER_SCHEMA_1[0]}, ""),
        ({"schemaVersion": 2, "mediaType": media_types.DOCKER_SCHEMA_1[1]}, media_types.DOCKER_SCHEMA_1[1]),
    ],
)
def test_schema_1_is_refused_and_the_remedy_is_named(document: object, content_type: str) -> None:
    with pytest.raises(ManifestInvalid, match=r"push with a client newer than docker 1\.10"):
        parse(document, content_type)


@pytest.mark.parametrize("version", [None, 3, "2", [2], 0])
def test_a_wrong_schema_version_is_refused(version: object) -> None:
    for media_type in (media_types.OCI_MANIFEST, media_types.OCI_INDEX, media_types.DOCKER_MANIFEST):
        with pytest.raises(ManifestInvalid, match=r"'schemaVersion' of .* must be 2"):
            parse({"mediaType": media_type, "schemaVersion": version})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"{",
        b"{}{}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b"\xff",
        b'{"a": "\xff"}',
        b"\xef\xbb\xbf{}",
        b"{\x00}\x00",
        b'{"a": "\n"}',
        b"// no\n{}",
        b"nil",
        b'{"a": 01}',
        b'{"a": .5}',
    ],
)
def test_content_that_is_not_json_in_utf_8_is_refused(content: bytes) -> None:
    with pytest.raises(ManifestInvalid, match="not JSON in UTF-8"):
        parse_manifest(content, media_types.OCI_MANIFEST)


@pytest.mark.parametrize("content", [b"[]", b'"x"', b"1", b"null", b"true", b"[{}]"])
def test_json_that_is_not_an_object_is_refused(content: bytes) -> None:
    with pytest.raises(ManifestInvalid, match="not a JSON object"):
        parse_manifest(content, media_types.OCI_MANIFEST)


@pytest.mark.parametrize("word", [b"NaN", b"Infinity", b"-Infinity"])
def test_numbers_that_json_does_not_define_are_refused(word: bytes) -> None:
    with pytest.raises(ManifestInvalid, match="is not JSON"):
        parse_manifest(b'{"schemaVersion": 2, "x": [' + word + b"]}", media_types.OCI_MANIFEST)


@pytest.mark.parametrize("digits", [4300, 4301, 100_000])
def test_a_number_of_thousands_of_digits_is_refused_or_accepted_and_causes_no_error(digits: int) -> None:
    """Python refuses to parse whole numbers of more than 4,300 digits."""
    content = json.dumps(BUNDLE).encode()[:-1] + b',"x":' + b"1" * digits + b"}"
    try:
        manifest = parse_manifest(content, "")
    except ManifestInvalid:
        return

    assert manifest.content == content


@pytest.mark.parametrize(
    "content",
    [b'{"schemaVersion":2,"schemaVersion":2}', b'{"a":{"b":1,"c":2,"b":3}}', b'{"layers":[{"x":1,"\\u0078":2}]}'],
)
def test_a_duplicate_key_is_refused_at_any_depth(content: bytes) -> None:
    with pytest.raises(ManifestInvalid, match="duplicate key"):
        parse_manifest(content, media_types.OCI_MANIFEST)


@pytest.mark.timeout(5)
def test_a_duplicate_key_is_found_quickly_among_many() -> None:
    """4 MiB hold 400,000 keys: comparing each with each would take an hour."""
    keys = ",".join(f'"{number}":0' for number in range(100_000))
    content = f'{{"x":{{{keys},"99999":0}}}}'.encode()

    with pytest.raises(ManifestInvalid, match="duplicate key '99999'"):
        parse_manifest(content, media_types.OCI_MANIFEST)


@pytest.mark.parametrize(
    "content", [b"[" * 1_000_000, b'{"a":' * 500_000, b'{"a":' + b"[" * 99_999 + b"]" * 99_999 + b"}"]
)
def test_nesting_too_deep_for_the_parser_is_refused(content: bytes) -> None:
    with pytest.raises(ManifestInvalid, match="nested too deep"):
        parse_manifest(content, media_types.OCI_MANIFEST)


@pytest.mark.parametrize("levels", [201, 900, 1000])
def test_nesting_that_the_parser_could_follow_but_not_what_comes_after_it_is_refused(levels: int) -> None:
    with pytest.raises(ManifestInvalid, match="nested too deep"):
        parse_manifest(json.dumps(BUNDLE).encode()[:-1] + b',"x":' + b"[" * levels + b"]" * levels + b"}", "")


def test_usual_nesting_is_accepted() -> None:
    assert parse_manifest(json.dumps(BUNDLE).encode()[:-1] + b',"x":' + b"[" * 100 + b"]" * 100 + b"}", "").digest


def test_brackets_within_texts_do_not_count_as_nesting() -> None:
    brackets = ["[" * 100, "{" * 100, '\\"' + "[" * 100, "\\", '"', "]" * 100]

    assert bundle(annotations={str(index): text for index, text in enumerate(brackets)}).annotations["1"] == "{" * 100


def test_a_manifest_of_4_mib_is_accepted_and_one_byte_more_is_too_large() -> None:
    content = json.dumps(BUNDLE).encode()
    padded = content + b" " * (MAXIMUM_BYTES - len(content))

    assert parse_manifest(padded, "").size == 4 * 1024 * 1024
    with pytest.raises(ManifestTooLarge, match="at most 4194304 bytes"):
        parse_manifest(padded + b" ", "")


@pytest.mark.parametrize("field", ["layers", "manifests", "blobs"])
@pytest.mark.parametrize(
    "value", [{}, "x", 1, True, [None], ["x"], [1], [[]], [{}], [{"digest": str(ONE), "mediaType": 1}]]
)
def test_a_field_that_is_not_a_list_of_descriptors_is_refused_and_named(field: str, value: object) -> None:
    with pytest.raises(ManifestInvalid, match=f"'{field}"):
        bundle(**{field: value})


@pytest.mark.parametrize("field", ["config", "subject"])
@pytest.mark.parametrize(
    "value", [[], "x", 1, True, {}, {"digest": 1}, {"mediaType": "x"}, {"mediaType": None, "digest": "x"}]
)
def test_a_field_that_is_not_a_descriptor_is_refused_and_named(field: str, value: object) -> None:
    with pytest.raises(ManifestInvalid, match=f"'{field}'"):
        bundle(**{field: value})


@pytest.mark.parametrize("size", ["1", 1.0, True, None, [], -1])
def test_a_size_that_is_not_a_number_of_bytes_is_refused(size: object) -> None:
    with pytest.raises(ManifestInvalid, match=r"'layers\[1\]\.size' is not a number of bytes"):
        bundle(layers=[a_descriptor(ONE), a_descriptor(TWO) | {"size": size}])


@pytest.mark.parametrize("digest", ["", "latest", "sha256:", "sha256:" + "A" * 64, "md5:" + "a" * 32, f"{ONE} "])
@pytest.mark.parametrize("field", ["layers", "manifests"])
def test_an_invalid_digest_is_refused_in_any_field(field: str, digest: str) -> None:
    with pytest.raises(DigestInvalid):
        bundle(**{field: [a_descriptor(ONE) | {"digest": digest}]})
    with pytest.raises(DigestInvalid):
        bundle(subject=a_descriptor(ONE) | {"digest": digest})


@pytest.mark.parametrize("annotations", [["a"], "a", 1, {"a": 1}, {"a": None}, {"a": ["b"]}, {"a": {}}])
def test_annotations_that_do_not_map_strings_to_strings_are_refused(annotations: object) -> None:
    with pytest.raises(ManifestInvalid, match="'annotations' maps strings to strings"):
        bundle(annotations=annotations)


@pytest.mark.parametrize("value", [1, [], {}, True])
def test_an_artifact_type_that_is_not_a_text_is_refused(value: object) -> None:
    with pytest.raises(ManifestInvalid, match="'artifactType' is not a string"):
        bundle(artifactType=value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(str(ONE)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["digest", "mediaType", "size", "annotations", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)
FIELDS = ["schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "annotations", "artifactType"]


@given(st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=5))
def test_any_document_is_either_a_manifest_or_refused(document: dict[str, object]) -> None:
    try:
        manifest = parse(document, media_types.OCI_MANIFEST)
    except RegistryError:
        return

    assert manifest.media_type
    assert all(isinstance(blob.digest, Digest) for blob in (*manifest.blobs, *manifest.children))


@given(st.binary(max_size=60))
def test_bytes_that_are_not_a_json_object_are_refused(content: bytes) -> None:
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        with pytest.raises(ManifestInvalid):
            parse_manifest(content, media_types.OCI_MANIFEST)


def test_the_children_of_an_index_are_listed_once_and_in_order() -> None:
    entries = [{"digest": str(Digest.of(content))} for content in (b"b", b"a", b"b")]

    children = children_of(json.dumps({"manifests": entries}).encode())
    assert [child.digest for child in children] == [Digest.of(b"b"), Digest.of(b"a")]
    assert children_of(b'{"manifests": null}') == []
