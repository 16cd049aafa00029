"""Tests of the images that an index has for some architectures."""

import json
from typing import Any

import pytest

from chalicelib.domain.digests import Digest
from chalicelib.domain.manifests import Manifest, parse_manifest
from chalicelib.domain.media_types import OCI_INDEX, OCI_MANIFEST
from chalicelib.domain.platforms import architecture_in, children_for, has_image

AMD, ARM, OTHER, ABOUT_AMD, ABOUT_ARM = (Digest.of(name) for name in (b"amd", b"arm", b"other", b"x", b"y"))


def entry(digest: Digest, architecture: str | None = None, about: Digest | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"mediaType": OCI_MANIFEST, "digest": str(digest), "size": 1}
    if architecture:
        found["platform"] = {"architecture": architecture, "os": "linux"}
    if about:
        found["annotations"] = {"vnd.docker.reference.digest": str(about)}
    return found


def index(*entries: dict[str, Any]) -> Manifest:
    return parse_manifest(json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode(), "")


WHOLE = index(
    entry(AMD, "amd64"),
    entry(ARM, "arm64"),
    entry(OTHER),
    entry(ABOUT_AMD, "unknown", AMD),
    entry(ABOUT_ARM, "unknown", ARM),
)


def test_without_architectures_all_children_are_taken() -> None:
    assert children_for(WHOLE, ()) == {AMD, ARM, OTHER, ABOUT_AMD, ABOUT_ARM}


def test_attestations_follow_their_image_and_what_names_no_architecture_is_for_all() -> None:
    assert children_for(WHOLE, ["amd64"]) == {AMD, OTHER, ABOUT_AMD}


def test_an_index_without_a_chosen_image_has_none() -> None:
    only_arm = index(entry(ARM, "arm64"), entry(ABOUT_ARM, "unknown", ARM))
    assert not has_image(only_arm, children_for(only_arm, ["amd64"]))
    assert has_image(index(), set())


@pytest.mark.parametrize(
    ("config", "architecture"),
    [(b'{"architecture": "arm64"}', "arm64"), (b"{}", None), (b"[]", None), (b"nonsense", None), (b"[" * 99999, None)],
)
def test_an_images_config_names_its_architecture(config: bytes, architecture: str | None) -> None:
    assert architecture_in(config) == architecture
