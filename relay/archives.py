"""Files in a directory or in a plain tar, as ranges that can be read in place."""

import tarfile
from pathlib import Path, PurePosixPath

from relay.errors import RelayError
from relay.slices import Slice

COMPRESSED = {b"\x1f\x8b": "gunzip", b"\x28\xb5": "unzstd", b"BZ": "bunzip2", b"\xfd7": "unxz"}
# The most that is read of a document that describes images, in bytes.
LARGEST_DOCUMENT = 16 * 1024 * 1024


class Archive:
    """Files by name."""

    def __init__(self, path: Path) -> None:
        """Raises RelayError for what is neither directory nor plain tar."""
        self.path = path
        if not path.exists():
            raise RelayError(f"there is no {path}")
        self._members = None if path.is_dir() else _members(path)

    def __contains__(self, name: str) -> bool:
        return self._found(name) is not None

    def file(self, name: str) -> Slice:
        """Where a file lies. Raises RelayError when it is missing."""
        found = self._found(name)
        if found is None:
            raise RelayError(f"{self.path} lacks {name}: is it whole, and of the kind that you named?")
        return found

    def document(self, name: str) -> bytes:
        """The content of a small file."""
        return small(self.file(name), f"{name} in {self.path}")

    def _found(self, name: str) -> Slice | None:
        if self._members is not None:
            return self._members.get(_normal(name))
        path = self.path / _normal(name)
        return Slice(path, 0, path.stat().st_size) if path.is_file() else None


def small(slice_: Slice, name: str) -> bytes:
    """The content of a document. Raises RelayError when it is none, by its size."""
    if slice_.size > LARGEST_DOCUMENT:
        raise RelayError(f"{name} has {slice_.size} bytes: that is no manifest")
    return slice_.read()


def _members(path: Path) -> dict[str, Slice]:
    with path.open("rb") as file:
        if tool := COMPRESSED.get(file.read(2)):
            raise RelayError(f"{path} is compressed, and layers are read in place: {tool} it first")
    try:
        with tarfile.open(path, "r:") as archive:
            members = archive.getmembers()
    except (tarfile.TarError, OSError) as error:
        raise RelayError(f"{path} is no tar that can be read: {error}") from error
    found = {_normal(member.name): _slice(path, member) for member in members if member.isreg()}
    # Older docker names a layer that two images share by a link.
    for member in members:
        if member.islnk() or member.issym():
            base = PurePosixPath(member.name).parent if member.issym() else PurePosixPath()
            if target := found.get(_normal(str(base / member.linkname))):
                found[_normal(member.name)] = target
    return found


def _slice(path: Path, member: tarfile.TarInfo) -> Slice:
    if member.issparse():
        raise RelayError(f"{member.name} in {path} is stored sparse: write the tar without --sparse")
    return Slice(path, member.offset_data, member.size)


def _normal(name: str) -> str:
    """A name without `.` and `..`, which may not lead out of the archive."""
    words: list[str] = []
    for word in name.split("/"):
        if word == "..":
            words = words[:-1]
        elif word not in ("", "."):
            words.append(word)
    return "/".join(words)
