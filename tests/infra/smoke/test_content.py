"""Images and streams have the right sizes and digests."""

import hashlib
import json

import pytest

from infra.smoke.content import LARGEST_BODY, MEBIBYTE, RandomStream, an_image, digest_of, padded


def test_two_images_share_nothing() -> None:
    first, second = an_image(), an_image()

    assert not set(first.blobs) & set(second.blobs)
    assert first.digest != second.digest


def test_a_manifest_names_its_blobs_by_digest_and_size() -> None:
    image = an_image()
    document = json.loads(image.manifest)

    named = [document["config"], *document["layers"]]
    assert [(entry["digest"], entry["size"]) for entry in named] == [
        (digest_of(blob), len(blob)) for blob in image.blobs
    ]


@pytest.mark.parametrize("size", [1000, LARGEST_BODY])
def test_a_padded_manifest_has_the_size_to_the_byte(size: int) -> None:
    assert len(padded(an_image(), size)) == size


@pytest.mark.parametrize("size", [0, 1, MEBIBYTE, 3 * MEBIBYTE + 7])
def test_a_stream_has_its_size_and_the_same_bytes_each_time(size: int) -> None:
    stream = RandomStream(size)
    content = b"".join(stream.pieces())

    assert len(content) == size
    assert stream.digest() == f"sha256:{hashlib.sha256(b''.join(stream.pieces())).hexdigest()}" == digest_of(content)
