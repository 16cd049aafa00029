"""Builds keys of the contents of repositories, of uploads, of the usage log and of timers."""

from chalicelib.domain.digests import Digest
from chalicelib.domain.signature_tags import stem
from chalicelib.storage.keys.key import META, SHARDS, Key


def reconcile() -> Key:
    """How far the bucket has been searched for orphans."""
    return "SYSTEM", "RECONCILE"


def count(partition: str, day: str) -> Key:
    """The counted events of a day in a partition of the usage log."""
    return f"COUNT#{partition}", day


def sizes(namespace_id: str, repository_id: str, digest: Digest) -> tuple[Key, Key]:
    """The two counters of bytes that a blob or a manifest changes: the namespace's and the repository's."""
    shard = f"SIZE#{int(digest.hex[:2], 16) % SHARDS}"
    return (f"N#{namespace_id}", shard), (f"R#{repository_id}", shard)


def namespace_sizes(namespace_id: str) -> list[Key]:
    """All counters of a namespace's bytes."""
    return [(f"N#{namespace_id}", f"SIZE#{shard}") for shard in range(SHARDS)]


def room(namespace_id: str) -> Key:
    """The row by which concurrent pushes under a quota that rejects see each other."""
    return f"N#{namespace_id}", "ROOM"


def repository_sizes(repository_id: str) -> list[Key]:
    """All counters of a repository's bytes."""
    return [(f"R#{repository_id}", f"SIZE#{shard}") for shard in range(SHARDS)]


def tag(repository_id: str, name: str) -> Key:
    """A live tag."""
    return f"R#{repository_id}", f"TAG#{name}"


def is_tag(key: Key) -> bool:
    """Whether this is the key of a live tag."""
    return key[0].startswith("R#") and key[1].startswith("TAG#")


def life(repository_id: str, name: str, ulid: str) -> Key:
    """One life of a tag, ended or not."""
    return f"R#{repository_id}", f"LIFE#{name}#{ulid}"


def signature_lives(repository_id: str, subject: Digest) -> Key:
    """The lives of the signature tags of a manifest, which have its digest in their names: partition and prefix."""
    return f"R#{repository_id}", f"LIFE#{stem(subject)}"


def manifest(repository_id: str, digest: Digest) -> Key:
    """A manifest's state."""
    return f"R#{repository_id}", f"MAN#{digest}"


def linked_digest(key: str) -> Digest:
    """Reads the digest of a blob from the sort key of a link to it."""
    return Digest.parse(key.removeprefix("BLOB#"))


def manifest_digest(key: str) -> Digest:
    """Reads the digest of a manifest from its sort key."""
    return Digest.parse(key.removeprefix("MAN#"))


def body(repository_id: str, digest: Digest) -> Key:
    """A manifest's bytes."""
    return f"R#{repository_id}", f"BODY#{digest}"


def body_digest(key: Key) -> tuple[str, Digest] | None:
    """Reads the repository's id and the digest from the key of a manifest's bytes; None for any other key."""
    if not key[1].startswith("BODY#"):
        return None
    return key[0].removeprefix("R#"), Digest.parse(key[1].removeprefix("BODY#"))


def tagged(repository_id: str, digest: Digest, name: str = "") -> Key:
    """The edge from a tag to its manifest; without a name, the prefix of all."""
    return f"R#{repository_id}", f"TAGGED#{digest}#{name}"


def label(repository_id: str, digest: Digest, uuid: str = "") -> Key:
    """A label that was added to a manifest; without a uuid, the prefix of all."""
    return f"R#{repository_id}", f"LABEL#{digest}#{uuid}"


def parent(repository_id: str, child: Digest, parent_digest: Digest | None = None) -> Key:
    """The edge from an index to a manifest it names; without the index, the prefix of all."""
    return f"R#{repository_id}", f"PARENT#{child}#{parent_digest or ''}"


def referrer(repository_id: str, subject: Digest, digest: Digest | None = None) -> Key:
    """The edge from a subject to a manifest that refers to it; without a digest, the prefix of all."""
    return f"R#{repository_id}", f"REFERRER#{subject}#{digest or ''}"


def uses(repository_id: str, blob_digest: Digest, manifest_digest: Digest | None = None) -> Key:
    """The edge from a manifest to a blob it names; without a manifest, the prefix of all."""
    return f"R#{repository_id}", f"USES#{blob_digest}#{manifest_digest or ''}"


def blob_link(repository_id: str, digest: Digest) -> Key:
    """A repository's link to a blob."""
    return f"R#{repository_id}", f"BLOB#{digest}"


def blob(digest: Digest) -> Key:
    """A blob, shared by all repositories."""
    return f"BLOB#{digest}", META


def blob_digest(key: Key) -> Digest | None:
    """Reads the digest from the key of a blob; None for any other key."""
    is_blob = key[0].startswith("BLOB#") and key[1] == META
    return Digest.parse(key[0].removeprefix("BLOB#")) if is_blob else None


def namespace_blob(namespace_id: str, digest: Digest) -> Key:
    """The number of a namespace's repositories that have a blob."""
    return f"BLOB#{digest}", f"IN#{namespace_id}"


def link(digest: Digest, repository_id: str = "") -> Key:
    """A repository that has a blob, found by the blob; without a repository, the prefix of all."""
    return f"BLOB#{digest}", f"LINK#{repository_id}"


def fence(s3_key: str) -> Key:
    """An S3 key that is being deleted."""
    return f"FENCE#{s3_key}", META


def upload(identifier: str) -> Key:
    """An upload."""
    return f"UP#{identifier}", META


def upload_id(key: str) -> str:
    """Reads the id of an upload from its partition key."""
    return key.removeprefix("UP#")


def part(upload_id: str, number: int | None = None) -> Key:
    """A part of an upload; without a number, the prefix of all."""
    return f"UP#{upload_id}", "PART#" if number is None else f"PART#{number:05d}"


def log(namespace_id: str, repository_id: str | None, shard: str, ulid: str = "") -> Key:
    """A record of the usage log; `shard` is `c` for changes and `p` for pulls."""
    owner = f"R#{repository_id}" if repository_id else f"N#{namespace_id}"
    return f"LOG#{owner}#{shard}", ulid


def pulls_upto(repository_id: str) -> Key:
    """The last log record whose pulls of a repository are counted."""
    return f"PULLS#R#{repository_id}", "UPTO"


def pulls(repository_id: str, reference: str) -> Key:
    """The counted pulls of a tag or a digest."""
    return f"PULLS#R#{repository_id}", f"OF#{reference}"


def lookup(repository_id: str, puller: str) -> Key:
    """The tag that a puller has looked up last; `puller` is a hash of who that is and of the digest."""
    return f"PULLS#R#{repository_id}", f"LOOKUP#{puller}"


def all_pulls(repository_id: str) -> Key:
    """All counted pulls of a repository: partition and prefix."""
    return f"PULLS#R#{repository_id}", ""


def export(sha256: str) -> Key:
    """An exported usage log, by the hash of the secret in its URL."""
    return f"EXPORT#{sha256}", META


def export_target(key: str) -> str:
    """Reads the hash of an exported usage log from its partition key; it is the target of its timer."""
    return key.removeprefix("EXPORT#")


def timer(kind: str, target: str) -> Key:
    """A timer."""
    return f"TIMER#{kind}#{target}", META
