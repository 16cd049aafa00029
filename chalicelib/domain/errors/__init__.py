"""Everything that can be refused. A leaf carries fields; each dialect of the edge has one table from leaf to answer.

RegistryError
├── Invalid            NameInvalid NamespaceInvalid TagInvalid DigestInvalid SizeInvalid ManifestInvalid
│                      ManifestBlobUnknown BlobUploadInvalid PageInvalid ScopeInvalid SettingInvalid FieldInvalid
│                      TeamInvalid RepositoryNameInvalid RobotInvalid RobotUnknown NotGiven BodyUnreadable
│                      OutgoingRefused
├── OutOfOrder         (a chunk that does not continue the upload)
├── NotFound           NameUnknown ManifestUnknown BlobUnknown BlobUploadUnknown RouteUnknown AccountUnknown
│                      ResourceUnknown RestoreTooLate TagExpired
├── Unauthenticated    WrongCredentials FreshLoginRequired
├── Denied             QuotaExceeded
├── CsrfInvalid        (a request that a foreign page may have sent)
├── TooManyAttempts    (too many failed sign-ins)
├── WrongEndpoint      (a request past the one address that is open)
├── TooLarge           ManifestTooLarge BodyTooLarge
├── Conflict           NameTaken RepositoryTaken RobotTaken AlreadyThere LastOwner
│                      SoleOwner SuperuserKept AlreadyInitialized TagImmutable
│                      RestoreTaken
├── RepositoryFrozen   (a repository whose tags do not change now)
├── Unsupported        MethodUnsupported BlobInUse MailOff
└── Unavailable        OutgoingFailed (busy now; the same request may be repeated)
"""

from chalicelib.domain.errors.accounts import *
from chalicelib.domain.errors.contents import *
from chalicelib.domain.errors.kinds import *
