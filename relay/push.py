"""`relay push`: pushes images from files into a repository, with layers of any size and without a spool.

Blobs that the registry has are not sent. A push that failed therefore continues when it is run again: with the next
blob, or within a blob that is sent in parts.
"""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from chalicelib.domain.errors import RegistryError
from chalicelib.domain.names import RepositoryName, Tag
from chalicelib.domain.uploads import LARGEST_BODY
from relay.auth import PushTarget, RepositoryClient
from relay.errors import Refused, RelayError
from relay.presigned_upload import PresignedUpload
from relay.progress import ProgressBoard, ProgressLine
from relay.protocol import opening_target, path_of
from relay.registry import Registry
from relay.resume import ResumeRecord, cache_directory
from relay.slices import FileSlice
from relay.sources import Archive, Image, Manifest, from_docker_archive, from_layout

KINDS = ("oci", "docker-archive")
LATEST = "latest"
# The statuses for an upload that the registry no longer knows, or that cannot become this blob.
UPLOAD_LOST = (400, 404, 416)


@dataclass(frozen=True, slots=True)
class PushSettings:
    """The options of `push`. `source` is KIND:PATH, `target` NAMESPACE/REPOSITORY[:TAG], `patience_s` in seconds."""

    registry: str
    user: str
    password: str
    source: str
    target: str
    patience_s: float


def push(settings: PushSettings, board: ProgressBoard) -> Iterator[str]:
    """Pushes, and yields a line for each tag written. Raises RelayError, Refused, requests.RequestException."""
    name, tag = _target(settings.target)
    images = select_images(_images(settings.source, board), tag, settings.source)
    registry = Registry(settings.registry)
    target = PushTarget(registry.url, name, settings.user, settings.password)
    client = RepositoryClient(registry.session, target, settings.patience_s)
    image_push = ImagePush(registry, client, name, settings.patience_s, board)
    for image, tags in images:
        image_push.push(image.manifest, tags)
        yield from (f"{name}:{each} {image.manifest.digest}" for each in tags)
        if not tags:
            yield f"{name}@{image.manifest.digest}"


def _target(text: str) -> tuple[str, str]:
    """Returns the repository and the tag, which may be empty. Raises RelayError."""
    name, _, tag = text.partition(":")
    try:
        return str(RepositoryName.parse(name)), Tag.parse(tag) if tag else ""
    except RegistryError as error:
        raise RelayError(str(error)) from error


def _images(source: str, board: ProgressBoard) -> list[Image]:
    kind, _, path = source.partition(":")
    if kind not in KINDS or not path:
        raise RelayError(f"{source!r} is no source: say oci:PATH or docker-archive:PATH")
    archive = Archive(Path(path))
    if kind == "oci":
        return from_layout(archive)
    line = board.line(archive.path.name)
    line.start_step("hashing", None)
    try:
        return from_docker_archive(archive, line.advance)
    finally:
        line.end(None)


def select_images(images: list[Image], tag: str, source: str) -> list[tuple[Image, tuple[str, ...]]]:
    """Returns each image to push with its tags: all under their own, or the one that `tag` selects under it."""
    if not images:
        raise RelayError(f"{source} has no images")
    if tag:
        matching = [image for image in images if tag in image.tags] or (images if len(images) == 1 else [])
        if not matching:
            known = ", ".join(sorted(each for image in images for each in image.tags)) or "none with a tag"
            raise RelayError(f"{source} has {len(images)} images and none is tagged {tag}: it has {known}")
        return [(matching[0], (tag,))]
    if len(images) == 1 and not images[0].tags:
        return [(images[0], (LATEST,))]
    tags = [each for image in images for each in image.tags]
    if repeated := {each for each in tags if tags.count(each) > 1}:
        raise RelayError(f"{source} has several images tagged {min(repeated)}: name one repository and tag at a time")
    return [(image, image.tags) for image in images]


class ImagePush:
    """Pushes blobs and manifests into one repository."""

    def __init__(
        self, registry: Registry, client: RepositoryClient, name: str, patience_s: float, board: ProgressBoard
    ) -> None:
        self._registry, self._client, self._name = registry, client, name
        self._patience_s, self._board = patience_s, board
        self._present: set[str] = set()

    def push(self, root: Manifest, tags: tuple[str, ...]) -> None:
        """Pushes a manifest under its tags, or its digest if it has none, after all that it references."""
        for manifest in root.bottom_up():
            for digest, content in manifest.blobs.items():
                self._push_blob(digest, content)
            references = (tags or (manifest.digest,)) if manifest is root else (manifest.digest,)
            for reference in references:
                target, kind = f"/v2/{self._name}/manifests/{reference}", {"Content-Type": manifest.media_type}
                self._client.request("PUT", target, (201,), manifest.content, kind)

    def _push_blob(self, digest: str, content: FileSlice) -> None:
        if digest in self._present:
            return
        line = self._board.line(digest[:19])
        size = None
        try:
            # A redirect means too that the registry has the blob.
            response_ = self._client.request("HEAD", f"/v2/{self._name}/blobs/{digest}", (200, 302, 303, 307, 404))
            if response_.status_code == 404:
                line.start_step("sending", content.size)
                (self._push_small if content.size <= LARGEST_BODY else self._push_large)(digest, content, line)
                size = content.size
        finally:
            line.end(size)
        self._present.add(digest)

    def _push_small(self, digest: str, content: FileSlice, line: ProgressLine) -> None:
        target = f"/v2/{self._name}/blobs/uploads/?{urlencode({'digest': digest})}"
        headers = {"Content-Type": "application/octet-stream"}
        self._client.request("POST", target, (201,), content.read(), headers)
        line.advance(content.size)

    def _push_large(self, digest: str, content: FileSlice, line: ProgressLine) -> None:
        record = ResumeRecord.load(_record_file(self._registry.url, self._name, digest))
        if record.location:
            try:
                return self._send(record, digest, content, line)
            except Refused as refused:
                if refused.status not in UPLOAD_LOST:
                    raise
        opened = self._client.request("POST", opening_target(self._name, digest), (202,))
        record.begin(path_of(opened.headers["Location"]))
        return self._send(record, digest, content, line)

    def _send(self, record: ResumeRecord, digest: str, content: FileSlice, line: ProgressLine) -> None:
        line.start_step("sending", content.size)
        patience_s, credentials = self._patience_s, self._client.credentials
        try:
            PresignedUpload(self._registry, record, content, digest, credentials, patience_s, line).send()
        except Refused as refused:
            if refused.status in UPLOAD_LOST:
                record.clear()
            raise
        record.clear()


def _record_file(url: str, name: str, digest: str) -> Path:
    """Returns the file that records which parts of a blob S3 has, for the next run."""
    home = cache_directory() / "pushes"
    # Without this directory a push that failed only sends more bytes again.
    with suppress(OSError):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home / f"{hashlib.sha256(f'{url} {name} {digest}'.encode()).hexdigest()}.json"
