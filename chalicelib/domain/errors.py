"""Everything that can be refused. A leaf carries fields; each dialect of the edge has one table from leaf to answer.

RegistryError
├── Invalid            NameInvalid TagInvalid DigestInvalid SizeInvalid ManifestInvalid ManifestBlobUnknown
│                      BlobUploadInvalid PageInvalid ScopeInvalid SettingInvalid FieldInvalid TeamInvalid
│                      RobotUnknown NotGiven BodyUnreadable
├── OutOfOrder         (a chunk that does not continue the upload)
├── NotFound           NameUnknown ManifestUnknown BlobUnknown BlobUploadUnknown RouteUnknown AccountUnknown
│                      NothingThere
├── Unauthenticated    WrongCredentials FreshLoginRequired
├── Denied             QuotaExceeded
├── CsrfInvalid        (a request that a foreign page may have sent)
├── TooManyAttempts    (a door that was knocked at too often)
├── WrongDoor          (a request past the one address that is open)
├── TooLarge           ManifestTooLarge BodyTooLarge
├── Conflict           NameTaken RepositoryTaken RobotTaken AlreadyThere LastOwner InUse
├── Unsupported        MethodUnsupported BlobInUse
└── Unavailable        (busy now; the same request may be repeated)
"""

from collections.abc import Sequence


class RegistryError(Exception):
    """A refusal that the caller is told. `detail` is what a program may read."""

    @property
    def detail(self) -> dict[str, object]:
        """The fields of this refusal, as JSON-ready values."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


class Invalid(RegistryError):
    """What was sent can never be accepted."""


class NameInvalid(Invalid):
    """A repository or account name outside the grammar."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"invalid repository name {name[:80]!r}: {why}")
        self.name = name[:300]


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


class FieldInvalid(Invalid):
    """A field of a request that cannot be accepted."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}" if field else why)
        self.field = field


class BodyUnreadable(Invalid):
    """A body that is no JSON, or does not say that it is. `status` is HTTP's: 400 or 415."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self._status = status

    @property
    def status(self) -> int:
        """400 for what cannot be read, 415 for what is no JSON."""
        return self._status


class TeamInvalid(Invalid):
    """A team's name outside the grammar."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Invalid team name {name[:80]}: 2 to 255 lower-case letters and digits, joined by '.', '_', '-'"
        )
        self.name = name[:80]


class RobotUnknown(Invalid):
    """No such robot: Quay's clients match its words, and its status."""

    def __init__(self, name: str) -> None:
        super().__init__("Could not find robot with specified username")
        self.name = name[:300]


class NotGiven(Invalid):
    """A permission that nobody gave: Quay's clients match its words, and its status."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} does not have permission for repo.")
        self.name = name[:300]


class OutOfOrder(RegistryError):
    """A chunk that does not begin where the upload ends."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"the upload has {offset} bytes: the next chunk must begin at {offset}")
        self.offset = offset


class NotFound(RegistryError):
    """What was asked for is not here."""


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


class AccountUnknown(NotFound):
    """No such user or robot."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no account {name[:80]}")
        self.name = name[:80]


class NothingThere(NotFound):
    """No such thing of a kind: an organization, a team, a token."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"no {kind} {name[:80]}")
        self.kind, self.name = kind, name[:300]


class Unauthenticated(RegistryError):
    """Who asks is not known, or not well enough. `why` is OAuth's word for it, empty when nothing was shown."""

    def __init__(self, message: str = "authentication required", why: str = "") -> None:
        super().__init__(message)
        self._why = why

    @property
    def why(self) -> str:
        """`invalid_token`, `insufficient_scope` or nothing (RFC 6750 section 3.1)."""
        return self._why


class Denied(RegistryError):
    """Who asks is known and may not."""

    def __init__(self, name: str, action: str) -> None:
        super().__init__(f"you may not {action} {name}, or it does not exist")
        self.name, self.action = name, action


class WrongCredentials(Unauthenticated):
    """A name and password, or a token, that nobody has; the same for every reason."""

    def __init__(self, message: str = "Invalid Username or Password") -> None:
        super().__init__(message)


class FreshLoginRequired(Unauthenticated):
    """A session that must show its password again before something dangerous."""

    def __init__(self) -> None:
        super().__init__("The action requires a fresh login to succeed.")


class QuotaExceeded(Denied):
    """A push that would take more bytes than its namespace may have."""

    def __init__(self, namespace: str, limit_bytes: int) -> None:
        RegistryError.__init__(
            self, f"Quota has been exceeded on namespace {namespace}: it may have {limit_bytes} bytes"
        )
        self.namespace, self.limit_bytes = namespace, limit_bytes


class CsrfInvalid(RegistryError):
    """A change that a page of somebody else may have sent in the user's name."""

    def __init__(self) -> None:
        super().__init__("CSRF token was invalid or missing.")


class TooManyAttempts(RegistryError):
    """A door that was knocked at too often. `retry_after_s` is how long to wait, in seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many attempts: try again in {retry_after_s} seconds")
        self.retry_after_s = retry_after_s


class WrongDoor(RegistryError):
    """A request that came past the one address that is open."""

    def __init__(self, url: str) -> None:
        super().__init__(f"this address is closed: ask {url}")
        self.url = url


class TooLarge(RegistryError):
    """More bytes than this way takes."""


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


class Conflict(RegistryError):
    """What stands there already forbids it."""


class NameTaken(Conflict):
    """An account or repository of that name exists."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is taken")
        self.name = name


class RepositoryTaken(Conflict):
    """A repository of that name exists: Quay's clients match its words."""

    def __init__(self, name: str) -> None:
        super().__init__("Repository already exists")
        self.name = name


class RobotTaken(Conflict):
    """A robot of that name exists: Quay's clients match its words."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Existing robot with name: {name}")
        self.name = name


class AlreadyThere(Conflict):
    """What should be added is there."""

    def __init__(self, what: str) -> None:
        super().__init__(what)


class LastOwner(Conflict):
    """A change that would leave an organization without anybody to administer it."""

    def __init__(self, why: str) -> None:
        super().__init__(why)


class InUse(Conflict):
    """What something else still needs."""

    def __init__(self, why: str) -> None:
        super().__init__(why)


class Unsupported(RegistryError):
    """Understood, and not done here."""


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


class Unavailable(RegistryError):
    """Too many changes of the same thing at once, or a part of the house that does not answer."""

    def __init__(self, why: str = "too many changes at once") -> None:
        super().__init__(f"{why}: try again in a moment")
