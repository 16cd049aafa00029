"""One function for each measure; `prepare` and `fill_tags` push beforehand what the measures read."""

from __future__ import annotations

import hashlib
import json
import os
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, repeat
from time import perf_counter
from urllib.parse import quote

from benchmarks.bodies import BLOCK_BYTES, Body
from benchmarks.client import MANIFEST_TYPE, Client, manifest_of
from benchmarks.load import LoadError, drive
from benchmarks.rounds import Measure, Sample
from benchmarks.stacks import Side

TAG = "latest"
SMALL_BYTES = 10_000
PUSHES_A_TURN = 20
PAGES_A_TURN = 10
PAGE = 100
# A registry accepts at least ten (distribution specification, "Pushing Manifests"). Each is returned in a header of its
# own, and http.client reads at most a hundred headers.
TAGS_A_PUSH = (50, 10)
FILL_CONNECTIONS = 16
FILL_S = 3600


@dataclass
class Content:
    """The content that is read, the same on both sides."""

    repository: str
    manifest_digest: str = ""
    small_digest: str = ""
    large_digest: str = ""
    seeds: Iterator[int] = field(default_factory=lambda: count(int.from_bytes(os.urandom(4), "big") * 1000))


@dataclass
class Measures:
    """The measures of one run. A turn of load takes `seconds`; `whole_lists` has the sides that do not paginate."""

    content: Content
    seconds: float
    large_bytes: int
    whole_lists: set[str] = field(default_factory=set)
    buffer: bytearray = field(default_factory=lambda: bytearray(BLOCK_BYTES))

    def prepare(self, side: Side) -> None:
        """Pushes the image and the large layer that the measures read."""
        content, client = self.content, side.client
        client.sign_in(content.repository)
        config = client.push_blob(content.repository, b'{"architecture":"amd64","os":"linux"}')
        layer = Body(SMALL_BYTES, seed=1)
        content.small_digest = client.push_blob(content.repository, b"".join(layer))
        manifest = manifest_of((config, 37), [(layer.digest, layer.size)])
        client.push_manifest(content.repository, TAG, manifest)
        content.manifest_digest = _digest_of(manifest)
        large = Body(self.large_bytes, seed=2)
        client.push_layer(content.repository, large, chunked=False)
        content.large_digest = large.digest
        if (pulled := client.digest_of(client.blob_address(content.repository, large.digest))) != large.digest:
            raise LoadError(f"{side.name} gave {pulled} for {large.digest}")

    def manifests(self, connections: int) -> list[Measure]:
        return [
            self.load(f"{method} manifest by {by}, {connections} conn.", method, by, connections)
            for by in ("tag", "digest")
            for method in ("HEAD", "GET")
        ]

    def load(self, name: str, method: str, by: str, connections: int) -> Measure:
        def run(side: Side) -> Sample:
            path = (
                f"/v2/{self.content.repository}/"
                + {
                    "tag": f"manifests/{TAG}",
                    "digest": f"manifests/{self.content.manifest_digest}",
                    "blob": f"blobs/{self.content.small_digest}",
                }[by]
            )
            request = side.client.request_bytes(method, path)
            outcome = drive(side.client.address, repeat(request), connections, self.seconds, (200, 307))
            return Sample(
                outcome.per_second,
                len(outcome.latencies_ms),
                outcome.percentile_ms(0.5),
                outcome.percentile_ms(0.99),
            )

        return Measure(name, "req/s", run)

    def small_pulls(self) -> list[Measure]:
        """Measures the redirect of a small blob, and its pull on one connection to each host for `seconds`."""

        def run(side: Side) -> Sample:
            seconds: list[float] = []
            while sum(seconds) < self.seconds:
                started = perf_counter()
                side.client.download(
                    side.client.blob_address(self.content.repository, self.content.small_digest), self.buffer
                )
                seconds.append(perf_counter() - started)
            return Sample(statistics.median(seconds) * 1000, len(seconds))

        return [
            self.load("GET blob, the redirect alone, 32 conn.", "GET", "blob", 32),
            Measure("GET blob of 10 KB, redirect followed", "ms", run, is_rate=False),
        ]

    def large_pull(self, *, bare: bool) -> Measure:
        """Measures the pull of a large blob with its redirect, or, if `bare`, from the object store alone."""

        def run(side: Side) -> Sample:
            path = f"/v2/{self.content.repository}/blobs/{self.content.large_digest}"
            address = side.client.blob_address(self.content.repository, self.content.large_digest)
            started = perf_counter()
            if not bare:
                address = side.client.blob_address(self.content.repository, self.content.large_digest)
            size = side.client.download(address, self.buffer)
            seconds = perf_counter() - started
            if size != self.large_bytes:
                raise LoadError(f"{side.name} gave {size} bytes of {self.large_bytes} at {path}")
            return Sample(size / seconds / 1e6)

        return Measure(f"GET blob of {_size_of(self.large_bytes)}{', bare object store' if bare else ''}", "MB/s", run)

    def small_push(self, *, in_pieces: bool) -> Measure:
        """Measures the push of a config, a layer of 10 KB and a tagged manifest, as the median of 20."""

        def run(side: Side) -> Sample:
            seconds = []
            for _ in range(PUSHES_A_TURN):
                config = json.dumps({"os": "linux", "seed": next(self.content.seeds)}).encode()
                layer = b"".join(Body(SMALL_BYTES, next(self.content.seeds)))
                started = perf_counter()
                self.push_image(side.client, config, layer, in_pieces)
                seconds.append(perf_counter() - started)
            return Sample(statistics.median(seconds) * 1000, PUSHES_A_TURN)

        ways = "POST, PATCH, PUT" if in_pieces else "POST, PUT"
        return Measure(f"small image pushed ({ways})", "ms", run, is_rate=False)

    def push_image(self, client: Client, config: bytes, layer: bytes, in_pieces: bool) -> None:
        repository = self.content.repository
        config_digest = client.push_blob(repository, config, in_pieces=in_pieces)
        layer_digest = client.push_blob(repository, layer, in_pieces=in_pieces)
        manifest = manifest_of((config_digest, len(config)), [(layer_digest, len(layer))])
        client.push_manifest(repository, "small", manifest)

    def large_push(self, *, chunked: bool) -> Measure:
        def run(side: Side) -> Sample:
            body = Body(self.large_bytes, next(self.content.seeds))
            seconds = side.client.push_layer(self.content.repository, body, chunked=chunked)
            return Sample(self.large_bytes / seconds / 1e6)

        ways = "one chunked PATCH" if chunked else "one PUT"
        return Measure(f"{_size_of(self.large_bytes)} pushed by {ways}", "MB/s", run)

    def tags_page(self, tags: int) -> Measure:
        """Measures a page of 100 from the middle of `tags` tags, as the median of 10."""
        repository = _tags_repository(self.content.repository, tags)
        path = f"/v2/{repository}/tags/list?n={PAGE}&last={quote(_tag_name(tags // 2))}"

        def run(side: Side) -> Sample:
            side.client.sign_in(repository)
            seconds = []
            for _ in range(PAGES_A_TURN):
                started = perf_counter()
                answer = side.client.send("GET", path)
                seconds.append(perf_counter() - started)
            if len(json.loads(answer.body)["tags"]) != PAGE:
                self.whole_lists.add(side.name)
            return Sample(statistics.median(seconds) * 1000, PAGES_A_TURN)

        return Measure(f"tags/list, page of 100 of {tags:,}", "ms", run, is_rate=False)

    def fill_tags(self, side: Side, tags: int) -> float:
        """Puts `tags` tags on one manifest, many a request if the registry knows ?tag=, and returns the seconds."""
        repository, client = _tags_repository(self.content.repository, tags), side.client
        client.sign_in(repository)
        config = client.push_blob(repository, b"{}")
        layer = client.push_blob(repository, b"".join(Body(SMALL_BYTES, seed=1)))
        manifest = manifest_of((config, 2), [(layer, SMALL_BYTES)])
        client.push_manifest(repository, _digest_of(manifest), manifest)
        names, started = [_tag_name(number) for number in range(tags)], perf_counter()
        size = _tags_a_push(client, repository, manifest)
        # Concurrent pushes of many tags to one manifest conflict, and ours answers 429 then.
        connections = FILL_CONNECTIONS if size == 1 else 1
        # A token is valid for five minutes, so the load is sent in parts that take less.
        for part in _pieces(names, 100 * connections * size):
            client.sign_in(repository)
            requests = [_tags_request(client, repository, manifest, some) for some in _pieces(part, size)]
            drive(client.address, requests, connections, FILL_S, (201,))
        return perf_counter() - started


def _tags_a_push(client: Client, repository: str, manifest: bytes) -> int:
    """Returns how many tags one push of a manifest may put; 1 for a registry that ignores ?tag= (no OCI-Tag)."""
    for size in TAGS_A_PUSH:
        names = [_tag_name(number) for number in range(size)]
        path = _tags_path(repository, manifest, names)
        answer = client.send("PUT", path, manifest, {"Content-Type": MANIFEST_TYPE}, (201, 400, 413, 414, 431))
        if answer.status == 201:
            return size if answer.headers.get("OCI-Tag") else 1
    return 1


def _tags_request(client: Client, repository: str, manifest: bytes, names: list[str]) -> bytes:
    path = _tags_path(repository, manifest, names) if len(names) > 1 else f"/v2/{repository}/manifests/{names[0]}"
    return client.request_bytes("PUT", path, manifest, Content_Type=MANIFEST_TYPE)


def _tags_path(repository: str, manifest: bytes, names: list[str]) -> str:
    return f"/v2/{repository}/manifests/{_digest_of(manifest)}?" + "&".join(f"tag={name}" for name in names)


def _tags_repository(repository: str, tags: int) -> str:
    return f"{repository}-{tags}-tags"


def _tag_name(number: int) -> str:
    return f"v1.{number:06}"


def _pieces(items: list[str], size: int) -> Iterator[list[str]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def _digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _size_of(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.0f} MB"
