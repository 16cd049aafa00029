"""Checks what must be true of a backend at every moment, even after a crash: nothing half-written is visible."""

from collections import Counter, defaultdict

from chalicelib.domain.digests import Digest
from chalicelib.domain.manifests import Manifest, parse_manifest
from chalicelib.domain.states import RepositoryState
from chalicelib.domain.tags import end_of, is_alive
from tests.support.backends import Backend
from tests.support.rows import DELETING, Plain, all_rows

Table = dict[tuple[str, str], Plain]
# S3 keys with the verified digest of their bytes.
VERIFIED: dict[str, Digest] = {}


def check(backend: Backend) -> None:
    """Checks that links have bytes, sizes are exact, pullable manifests are complete, and tags match their history."""
    table = {(row["pk"], row["sk"]): row for row in all_rows(backend)}
    check_links(backend, table)
    check_sizes(table)
    # Repositories that are being purged cannot be reached: no name leads there, and no token is that old.
    purged = {
        "R#" + row["repository_id"]
        for (_, sk), row in table.items()
        if sk.startswith("GONE#") and row["state"] == RepositoryState.PURGING
    }
    reachable = {key: row for key, row in table.items() if key[0] not in purged}
    check_manifests(backend, reachable)
    check_tags(backend, reachable)


def check_links(backend: Backend, table: Table) -> None:
    """Checks that a linked blob has its bytes in the bucket, and that each link has its row on the blob's side."""
    links = {(pk, sk) for pk, sk in table if pk.startswith("R#") and sk.startswith("BLOB#")}
    ways_back = {(pk, sk) for pk, sk in table if sk.startswith("LINK#")}
    assert {(sk, "LINK#" + pk.removeprefix("R#")) for pk, sk in links} == ways_back
    for pk, sk in links:
        link, blob = table[pk, sk], table.get((sk, "META"))
        if link["state"] == DELETING:
            continue
        assert blob is not None, f"{pk} links {sk}, which does not exist"
        assert blob["state"] != DELETING
        assert _verified_size(backend, blob["s3_key"], Digest.parse(sk.removeprefix("BLOB#"))) == link["size"]
        assert link["size"] == blob["size"]


def _verified_size(backend: Backend, s3_key: str, digest: Digest) -> int:
    """Returns the size of an object, after a check of its digest. A key is written once, so it is read once."""
    if VERIFIED.get(s3_key) != digest:
        assert digest.matches(backend.services.stores.objects.get(s3_key)), f"{s3_key} has other bytes than {digest}"
        VERIFIED[s3_key] = digest
    return backend.services.stores.objects.size(s3_key)


def check_sizes(table: Table) -> None:
    """Checks that counters add up: repositories count blobs and manifests, a namespace each blob once."""
    namespace = {pk: row["namespace_id"] for (pk, sk), row in table.items() if pk[0] == "R" and sk == "META"}
    linked: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    repositories: Counter[tuple[str, str]] = Counter()
    for (pk, sk), row in table.items():
        if pk.startswith("R#") and sk.startswith("BLOB#"):
            linked[pk] += row["size"]
            linked["N#" + namespace[pk]] += 0 if repositories[sk, "IN#" + namespace[pk]] else row["size"]
            repositories[sk, "IN#" + namespace[pk]] += 1
        elif sk.startswith("MAN#"):
            linked.update({pk: row["size"], "N#" + namespace[pk]: row["size"]})
        elif sk.startswith("SIZE#"):
            counted[pk] += row["bytes"]
    assert +linked == +counted
    assert repositories == {key: row["repositories"] for key, row in table.items() if key[1].startswith("IN#")}


def check_manifests(backend: Backend, table: Table) -> None:
    """Checks that every pullable manifest has its bytes, and that all that it names lives."""
    for (pk, sk), row in table.items():
        if not sk.startswith("MAN#") or row["state"] == DELETING or row.get("deleted_at"):
            continue
        manifest = _body(backend, table, pk, sk.removeprefix("MAN#"), row["media_type"])
        assert manifest.size == row["size"]
        for blob in manifest.blobs:
            link = table.get((pk, f"BLOB#{blob.digest}"))
            assert link is not None, f"{sk} needs {blob.digest}"
            assert link["state"] != DELETING
            assert (pk, f"USES#{blob.digest}#{manifest.digest}") in table
        for layer in manifest.foreign:
            assert (pk, f"USES#{layer.digest}#{manifest.digest}") in table
        blobs = {entry for entry in manifest.possible_blobs if (pk, f"MAN#{entry.digest}") not in table}
        for entry in blobs:
            assert table[pk, f"BLOB#{entry.digest}"]["state"] != DELETING
            assert (pk, f"USES#{entry.digest}#{manifest.digest}") in table
        for child in set(manifest.children) - blobs:
            named = table.get((pk, f"MAN#{child.digest}"))
            assert named["state"] != DELETING if named else backend.settings.sparse_index
            assert (pk, f"PARENT#{child.digest}#{manifest.digest}") in table
        if manifest.subject:
            assert "deleted_at" not in table[pk, f"REFERRER#{manifest.subject}#{manifest.digest}"]


def _body(backend: Backend, table: Table, pk: str, digest: str, media_type: str) -> Manifest:
    row = table[pk, f"BODY#{digest}"]
    content = row["content"] if "content" in row else backend.services.stores.objects.get(row["s3_key"])
    manifest = parse_manifest(content, media_type, Digest.parse(digest).algorithm)
    assert str(manifest.digest) == digest
    return manifest


def check_tags(backend: Backend, table: Table) -> None:
    """Checks that a live tag names a pullable manifest, has the only open life, and an edge with its end."""
    now = backend.clock()
    open_lives: dict[tuple[str, str], list[Plain]] = defaultdict(list)
    for (pk, sk), row in table.items():
        if sk.startswith("LIFE#") and is_alive(row.get("ended_at"), now):
            open_lives[pk, row["name"]].append(row)
    for (pk, sk), tag in table.items():
        if not (pk.startswith("R#") and sk.startswith("TAG#")) or not is_alive(tag.get("expires_at"), now):
            continue
        lives = open_lives.pop((pk, tag["name"]), [])
        assert [life["view_at"] for life in lives] == [tag["life"]]
        assert (lives[0]["digest"], lives[0].get("ended_at")) == (tag["digest"], tag.get("expires_at"))
        manifest = table[pk, f"MAN#{tag['digest']}"]
        assert manifest["state"] != DELETING
        assert "deleted_at" not in manifest
        assert table[pk, f"TAGGED#{tag['digest']}#{tag['name']}"]["until"] == end_of(tag.get("expires_at"))
    assert not open_lives, "lives without a tag"
    _check_ends(table)


def _check_ends(table: Table) -> None:
    ends: dict[tuple[str, str], list[int]] = defaultdict(list)
    for (pk, sk), row in table.items():
        if sk.startswith("TAGGED#"):
            ends[pk, sk.split("#")[1]].append(row["until"])
    for (pk, digest), untils in ends.items():
        assert table[pk, f"MAN#{digest}"]["live_until"] == max(untils)


def check_edges(backend: Backend) -> None:
    """Checks that every edge has its manifest's ULID: any other edge counts only during a lease."""
    table = {(row["pk"], row["sk"]): row for row in all_rows(backend)}
    for (pk, sk), row in table.items():
        kind = sk.partition("#")[0]
        if kind in ("USES", "PARENT", "REFERRER"):
            manifest = table[pk, "MAN#" + sk.rpartition("#")[2]]
            assert row["ulid"] == manifest["ulid"], f"{sk} was written by another push than its manifest"
            assert table[pk, "BODY#" + sk.rpartition("#")[2]]["ulid"] == manifest["ulid"]
