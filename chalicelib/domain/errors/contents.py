"""Refusals about repositories, their content, and the way in."""

from collections.abc import Sequence

from chalicelib.domain.errors.kinds import (
    Conflict,
    Invalid,
    NotFound,
    RegistryError,
    TooLarge,
    Unavailable,
    Unsupported,
)


class NameInvalid(Invalid):
    """A repository or account name outside the grammar."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"invalid repository name {name[:80]!r}: {why}")
        self.name = name[:300]


class NamespaceInvalid(NameInvalid):
    """A user's or organization's name outside the grammar, in Quay's words."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, why)
        self.args = (f"Invalid namespace {name[:80]}: Namespace must {why}",)


class TagInvalid(Invalid):
    """A tag outside the grammar."""

    def __init__(self, tag: str) -> None:
        super().__init__(
            f"invalid tag {tag[:40]!r}: a tag has 1 to 128 letters, digits, '_', '.', '-' and starts with none of '.-'"
        )
        self.tag = tag[:300]


class DigestInvalid(Invalid):
    """A digest that is malformed, of an unknown algorithm, or not that of the content."""

    def __init__(self, digest: str, why: str) -> None:
        super().__init__(f"invalid digest {digest[:140]!r}: {why}")
        self.digest = digest[:300]


class SizeInvalid(Invalid):
    """A length that is not the content's."""

    def __init__(self, expected: int, received: int) -> None:
        super().__init__(f"the length given is {expected} bytes, but {received} bytes came")
        self.expected, self.received = expected, received


class ManifestInvalid(Invalid):
    """A manifest that cannot be understood."""

    def __init__(self, why: str) -> None:
        super().__init__(f"invalid manifest: {why}")


class ManifestBlobUnknown(Invalid):
    """A manifest that names blobs or manifests which the repository does not have."""

    def __init__(self, digests: Sequence[str]) -> None:
        super().__init__("push these first, the repository does not have them: " + ", ".join(digests))
        self.digests = list(digests)


class BlobUploadInvalid(Invalid):
    """An upload request that contradicts itself or its upload."""

    def __init__(self, why: str) -> None:
        super().__init__(why)


class PageInvalid(Invalid):
    """A page that cannot be asked for."""

    def __init__(self, parameter: str, value: str) -> None:
        super().__init__(f"invalid {parameter}={value[:40]!r}: n is a number from 0 up, last an item of the list")
        self.parameter = parameter


class ScopeInvalid(Invalid):
    """A token request that names no scope or service of ours."""

    def __init__(self, why: str) -> None:
        super().__init__(why)


class SettingInvalid(Invalid):
    """A setting the process cannot start with."""

    def __init__(self, setting: str, why: str) -> None:
        super().__init__(f"{setting}: {why}")
        self.setting = setting


class NameUnknown(NotFound):
    """No such repository."""

    def __init__(self, name: str) -> None:
        super().__init__(f"repository {name} is not known here")
        self.name = name


class ManifestUnknown(NotFound):
    """No such manifest or tag in the repository."""

    def __init__(self, name: str, reference: str) -> None:
        super().__init__(f"no manifest {reference} in {name}")
        self.name, self.reference = name, reference


class TagExpired(ManifestUnknown):
    """A tag that is gone, but whose manifest the Time Machine still keeps."""

    def __init__(self, name: str, tag: str) -> None:
        super().__init__(name, tag)
        # Quay's words, which people look for.
        self.args = (f"Tag {tag} was deleted or has expired. To pull, revive via time machine",)


class BlobUnknown(NotFound):
    """No such blob in the repository."""

    def __init__(self, name: str, digest: str) -> None:
        super().__init__(f"no blob {digest} in {name}")
        self.name, self.digest = name, digest


class BlobUploadUnknown(NotFound):
    """No such upload, or no more."""

    def __init__(self) -> None:
        super().__init__("this upload is not known, or over: begin a new one")


class RouteUnknown(NotFound):
    """A path that leads nowhere."""

    def __init__(self, path: str) -> None:
        super().__init__(f"nothing at {path[:200]}")


class ManifestTooLarge(TooLarge):
    """A manifest over the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"a manifest has at most {limit} bytes")
        self.limit = limit


class BodyTooLarge(TooLarge):
    """A body that this way into the registry cannot take."""

    def __init__(self, limit: int, way: str) -> None:
        super().__init__(f"a body has at most {limit} bytes on this way: {way}")
        self.limit = limit


class MethodUnsupported(Unsupported):
    """A method that this path does not have."""

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        super().__init__(f"{method} is not supported here; supported: {', '.join(allowed)}")
        self.allowed = list(allowed)


class BlobInUse(Unsupported):
    """A blob that a pullable manifest needs."""

    def __init__(self, digest: str, manifest: str) -> None:
        super().__init__(f"manifest {manifest} uses blob {digest}: delete the manifest first")
        self.digest, self.manifest = digest, manifest


class OutgoingRefused(Invalid):
    """An address that is not called, whatever is there."""

    def __init__(self, why: str) -> None:
        super().__init__(f"this address is not called: {why}")


class OutgoingFailed(Unavailable):
    """Somebody whom we called, and who did not answer as they should."""

    def __init__(self, why: str) -> None:
        super().__init__(why)


class TagImmutable(Conflict):
    """A tag that was made not to change."""

    def __init__(self, name: str, tag: str) -> None:
        super().__init__(f"tag {tag} of {name} is immutable: it can be neither moved, deleted nor made to expire")
        self.name, self.tag = name, tag


class RepositoryFrozen(RegistryError):
    """A repository whose tags do not change now: it is read-only, or kept by a mirror. `mode` is Quay's number."""

    def __init__(self, mode: int) -> None:
        super().__init__(f"Repository is in read only or mirror mode: {mode}")
        self.mode = mode


class RestoreTaken(Conflict):
    """A deleted repository whose name is another's now."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is another repository now: say another name to restore it under")
        self.name = name


class RestoreTooLate(NotFound):
    """A deleted repository of which something may be gone already."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} was deleted for longer than the Time Machine keeps it")
        self.name = name
