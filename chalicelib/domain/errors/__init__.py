"""All errors that a caller can receive. Each class carries fields; `/v2` and the API each map classes to responses.

RegistryError
├── Invalid            NameInvalid NamespaceInvalid TagInvalid DigestInvalid SizeInvalid ManifestInvalid
│                      ManifestBlobUnknown BlobUploadInvalid PageInvalid ScopeInvalid SettingInvalid FieldInvalid
│                      TeamInvalid RepositoryNameInvalid RobotInvalid RobotUnknown NotGiven BodyUnreadable
│                      UpstreamFailed UpstreamUnreachable UpstreamSlow UpstreamUntrusted UpstreamDenied UpstreamUnknown
│                      UpstreamProxyFailed UpstreamLied UpstreamLimited OutgoingRefused EmailInvalid SignUpClosed
│                      DataInvalid ParameterInvalid MirrorInvalid
├── OutOfOrder         (a chunk that does not continue the upload)
├── NotFound           NameUnknown ManifestUnknown BlobUnknown BlobUploadUnknown RouteUnknown AccountUnknown
│                      ResourceUnknown RestoreTooLate TagExpired FeatureUnserved UpstreamManifestUnknown
├── Unauthenticated    WrongCredentials FreshLoginRequired PushUnauthenticated
├── Denied             QuotaExceeded RepositoryClosed
├── CsrfInvalid        (a change that another site's page may have sent)
├── TooManyAttempts    (too many failed sign-ins)
├── WrongEndpoint      (a request that bypassed CloudFront)
├── TooLarge           ManifestTooLarge BodyTooLarge
├── Conflict           NameTaken RepositoryTaken RobotTaken AlreadyThere AlreadyMember LastOwner
│                      SoleOwner SuperuserKept AlreadyInitialized TagImmutable
│                      RestoreTaken RobotInUse MirrorTaken NamespaceFilled
├── RepositoryFrozen   (a repository that is read-only or a mirror)
├── Unsupported        MethodUnsupported BlobInUse ManifestInUse MailOff
└── Unavailable        OutgoingFailed (busy now; the same request may be repeated)
"""

from chalicelib.domain.errors.accounts import *
from chalicelib.domain.errors.contents import *
from chalicelib.domain.errors.kinds import *
from chalicelib.domain.errors.upstreams import *
