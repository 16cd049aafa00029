"""Errors about repositories, their content, uploads and outgoing requests."""

from collections.abc import Sequence

from chalicelib.domain.errors.accounts import FieldInvalid
from chalicelib.domain.errors.kinds import (
    Conflict,
    Denied,
    Invalid,
    NotFound,
    RegistryError,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
)


class NameInvalid(Invalid):
    """The name of a repository or an account is invalid."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"invalid repository name {name[:80]!r}: {why}")
        self.name = name[:300]


class NamespaceInvalid(NameInvalid):
    """The name of a user or an organization is invalid. The message is Quay's."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, why)
        self.args = (f"Invalid namespace {name[:80]}: Namespace must {why}",)


class TagInvalid(Invalid):
    """The tag is invalid."""

    def __init__(self, tag: str) -> None:
        super().__init__(
            f"invalid tag {tag[:40]!r}: a tag has 1 to 128 letters, digits, '_', '.', '-' and starts with none of '.-'"
        )
        self.tag = tag[:300]


class DigestInvalid(Invalid):
    """The digest is malformed, of an unknown algorithm, or not that of the content."""

    def __init__(self, digest: str, why: str) -> None:
        super().__init__(f"invalid digest {digest[:140]!r}: {why}")
        self.digest = digest[:300]


class SizeInvalid(Invalid):
    """The stated length is not that of the content."""

    def __init__(self, expected: int, received: int) -> None:
        super().__init__(f"the length given is {expected} bytes, but {received} bytes came")
        self.expected, self.received = expected, received


class ManifestInvalid(Invalid):
    """The manifest is invalid."""

    def __init__(self, why: str) -> None:
        super().__init__(f"invalid manifest: {why}")


class ManifestBlobUnknown(Invalid):
    """The manifest names blobs or manifests that the repository does not have."""

    def __init__(self, digests: Sequence[str]) -> None:
        super().__init__("push these first, the repository does not have them: " + ", ".join(digests))
        self.digests = list(digests)


class BlobUploadInvalid(Invalid):
    """The upload request contradicts itself or its upload."""

    def __init__(self, why: str) -> None:
        super().__init__(why)


class PageInvalid(Invalid):
    """The parameter of a page is invalid."""

    def __init__(self, parameter: str, value: str) -> None:
        super().__init__(f"invalid {parameter}={value[:40]!r}: n is a number from 0 up, last an item of the list")
        self.parameter = parameter


class ScopeInvalid(Invalid):
    """The token request names an unknown scope or service."""

    def __init__(self, why: str) -> None:
        super().__init__(why)


class SettingInvalid(Invalid):
    """A setting is invalid, so the process cannot start."""

    def __init__(self, setting: str, why: str) -> None:
        super().__init__(f"{setting}: {why}")
        self.setting = setting


class NameUnknown(NotFound):
    """The repository does not exist."""

    def __init__(self, name: str) -> None:
        super().__init__(f"repository {name} is not known here")
        self.name = name


class ManifestUnknown(NotFound):
    """The repository has no such manifest or tag."""

    def __init__(self, name: str, reference: str) -> None:
        super().__init__(f"no manifest {reference} in {name}")
        self.name, self.reference = name, reference


class UpstreamManifestUnknown(ManifestUnknown):
    """The registry behind a proxy cache has no such manifest or tag, or does not show it to this cache."""

    def __init__(self, name: str, reference: str, why: str) -> None:
        super().__init__(name, reference)
        self.args = (f"no manifest {reference} in {name}: {why}",)


class TagExpired(ManifestUnknown):
    """The tag has ended, but the Time Machine still keeps its manifest."""

    def __init__(self, name: str, tag: str) -> None:
        super().__init__(name, tag)
        # This is Quay's message, which users search for.
        self.args = (f"Tag {tag} was deleted or has expired. To pull, revive via time machine",)


class BlobUnknown(NotFound):
    """The repository has no such blob."""

    def __init__(self, name: str, digest: str) -> None:
        super().__init__(f"no blob {digest} in {name}")
        self.name, self.digest = name, digest


class BlobUploadUnknown(NotFound):
    """The upload does not exist or has ended."""

    def __init__(self) -> None:
        super().__init__("this upload is not known, or over: begin a new one")


class RouteUnknown(NotFound):
    """No route has this path."""

    def __init__(self, path: str) -> None:
        super().__init__(f"nothing at {path[:200]}")


class FeatureUnserved(NotFound):
    """The path belongs to a feature of Quay's that is not served."""

    def __init__(self, feature: str) -> None:
        super().__init__(f"this registry does not serve {feature}: docs/api-coverage.md lists what it serves")
        self.feature = feature


class ManifestTooLarge(TooLarge):
    """The manifest is too large."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"a manifest has at most {limit} bytes")
        self.limit = limit


class BodyTooLarge(TooLarge):
    """The body is too large for this way of uploading."""

    def __init__(self, limit: int, way: str) -> None:
        super().__init__(f"a body has at most {limit} bytes on this way: {way}")
        self.limit = limit


class MethodUnsupported(Unsupported):
    """The path does not support this method."""

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        super().__init__(f"{method} is not supported here; supported: {', '.join(allowed)}")
        self.allowed = list(allowed)


class BlobInUse(Unsupported):
    """The blob cannot be deleted, since a pullable manifest uses it."""

    def __init__(self, digest: str, manifest: str) -> None:
        super().__init__(f"manifest {manifest} uses blob {digest}: delete the manifest first")
        self.digest, self.manifest = digest, manifest


class ManifestInUse(Unsupported):
    """The manifest cannot be deleted, since an index with a tag names it."""

    def __init__(self, digest: str, index: str) -> None:
        super().__init__(f"index {index}, which has a tag, names manifest {digest}: delete the index first")
        self.digest, self.index = digest, index


class MirrorInvalid(FieldInvalid):
    """A setting of a mirror is invalid. Quay's clients match some of the messages."""


class MirrorTaken(Conflict):
    """The repository has a mirror already. The message is Quay's, with its spelling."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Mirror configuration already exits for repository {name}")
        self.name = name


class OutgoingRefused(Invalid):
    """The address may not be called."""

    def __init__(self, why: str) -> None:
        super().__init__(f"this address is not called: {why}")


class OutgoingFailed(Unavailable):
    """The server that we called did not answer, or not with a valid response."""

    def __init__(self, why: str) -> None:
        super().__init__(why)


class TagImmutable(Conflict):
    """The tag is immutable."""

    def __init__(self, name: str, tag: str) -> None:
        super().__init__(f"tag {tag} of {name} is immutable: it can be neither moved, deleted nor made to expire")
        self.name, self.tag = name, tag


class RepositoryFrozen(RegistryError):
    """The repository's tags cannot change: it is read-only or a mirror. `mode` is Quay's number."""

    def __init__(self, mode: int) -> None:
        super().__init__(f"Repository is in read only or mirror mode: {mode}")
        self.mode = mode


# What opens a repository whose namespace is filled from another registry.
UNTIL = {
    "ORG_MIRROR": "an administrator removes the mirror of the organization",
    "PROXY_CACHE": "an administrator removes the proxy cache of the organization",
}


class NamespaceFilled(Conflict):
    """The namespace's repositories come from another registry as a whole. `upstream` is ORG_MIRROR or PROXY_CACHE."""

    def __init__(self, namespace: str, upstream: str) -> None:
        super().__init__(f"the repositories of {namespace} come from another registry until {UNTIL[upstream]}")
        self.namespace, self.upstream = namespace, upstream


class RepositoryClosed(Denied):
    """The repository takes no pushes or deletions under `/v2`: it is read-only or a mirror. `state` is Quay's word."""

    def __init__(self, name: str, state: str) -> None:
        super().__init__(name, "push")
        taken = "pushes and deletions only by its mirror's robot" if "MIRROR" in state else "no pushes or deletions"
        until = UNTIL.get(state, "its administrator sets its state to NORMAL")
        self.args = (f"{name} is {state}: it takes {taken} until {until}",)
        self.state = state


class PushUnauthenticated(Unauthenticated):
    """The access token permits no push or deletion, as the repository's state takes these rights from its holder."""

    def __init__(self, name: str, state: str, why: str) -> None:
        super().__init__(str(RepositoryClosed(name, state)), why)
        self.name, self.state = name, state


class RestoreTaken(Conflict):
    """The deleted repository cannot be restored under its name, which another one has now."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is another repository now: say another name to restore it under")
        self.name = name


class RestoreTooLate(NotFound):
    """The deleted repository cannot be restored, since some of its content may be gone."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} was deleted for longer than the Time Machine keeps it")
        self.name = name
