"""Refusals: a sentence for people, fields for programs, and never a page of what was sent."""

import json

from chalicelib.domain import errors

LONG = "x" * 100_000
SAMPLES = [
    errors.NameInvalid(LONG, "why"),
    errors.NamespaceInvalid(LONG, "why"),
    errors.TagInvalid(LONG),
    errors.DigestInvalid(LONG, "why"),
    errors.SizeInvalid(1, 2),
    errors.ManifestInvalid("why"),
    errors.ManifestBlobUnknown(["sha256:a", "sha256:b"]),
    errors.BlobUploadInvalid("why"),
    errors.PageInvalid("n", LONG),
    errors.ScopeInvalid("why"),
    errors.SettingInvalid("CLOUDBERTH_X", "why"),
    errors.OutOfOrder(7),
    errors.NameUnknown("a/b"),
    errors.ManifestUnknown("a/b", "latest"),
    errors.UpstreamManifestUnknown("a/b", "latest", "why"),
    errors.BlobUnknown("a/b", "sha256:a"),
    errors.BlobUploadUnknown(),
    errors.RouteUnknown("/" + LONG),
    errors.FeatureUnserved("mirrors"),
    errors.AccountUnknown(LONG),
    errors.ResourceUnknown("organization", LONG),
    errors.FieldInvalid("email", "why"),
    errors.EmailInvalid("email"),
    errors.SignUpClosed(),
    errors.DataInvalid("", "why"),
    errors.ParameterInvalid("limit", "why"),
    errors.MirrorInvalid("sync_start_date", "why"),
    errors.MirrorTaken("a/b"),
    errors.RobotInUse("a+b"),
    errors.BodyUnreadable("why", 415),
    errors.TeamInvalid(LONG),
    errors.RobotInvalid(LONG, "why"),
    errors.RobotUnknown(LONG),
    errors.NotGiven("user", LONG),
    errors.WrongCredentials(),
    errors.FreshLoginRequired(),
    errors.QuotaExceeded("admin", 1000),
    errors.CsrfInvalid(),
    errors.TooManyAttempts(8),
    errors.RepositoryNameInvalid("UP"),
    errors.RepositoryTaken("a/b"),
    errors.NamespaceFilled("acme", "ORG_MIRROR"),
    errors.RobotTaken("a+b"),
    errors.AlreadyMember(LONG[:60], "devs"),
    errors.LastOwner("why"),
    errors.SoleOwner(["acme"] * 90),
    errors.SuperuserKept("delete"),
    errors.AlreadyInitialized(),
    errors.MailOff(),
    errors.Denied("a/b", "push"),
    errors.WrongEndpoint("https://registry.test"),
    errors.ManifestTooLarge(4),
    errors.BodyTooLarge(4, "use the relay"),
    errors.NameTaken("alice"),
    errors.MethodUnsupported("PATCH", ["GET", "HEAD"]),
    errors.BlobInUse("sha256:a", "sha256:b"),
    errors.ManifestInUse("sha256:a", "sha256:b"),
    errors.Unavailable(),
    errors.OutgoingRefused("why"),
    errors.UpstreamUnreachable("why"),
    errors.UpstreamSlow(8),
    errors.UpstreamUntrusted("quay.io", "why"),
    errors.UpstreamDenied("quay.io", LONG),
    errors.UpstreamUnknown("quay.io", "a/b"),
    errors.UpstreamProxyFailed("why"),
    errors.UpstreamLied("why"),
    errors.UpstreamLimited("quay.io", 1),
    errors.OutgoingFailed("why"),
    errors.TagImmutable("a/b", "v1"),
    errors.RepositoryFrozen(1),
    errors.RepositoryClosed("a/b", "READ_ONLY"),
    errors.PushUnauthenticated("a/b", "MIRROR", "insufficient_scope"),
    errors.RestoreTaken("a/b"),
    errors.TagExpired("a/b", "v1"),
    errors.RestoreTooLate("a/b"),
]


def leaves(kind: type[errors.RegistryError]) -> set[type[errors.RegistryError]]:
    below = kind.__subclasses__()
    return {leaf for child in below for leaf in leaves(child)} if below else {kind}


def test_every_leaf_has_a_sample_here() -> None:
    assert leaves(errors.RegistryError) <= {type(sample) for sample in SAMPLES}


def test_the_tree_at_the_top_names_every_class() -> None:
    drawn = set((errors.__doc__ or "").replace("─", " ").split())
    kinds = [
        kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and kind.__module__.startswith(errors.__name__)
    ]

    assert {kind.__name__ for kind in kinds} <= drawn


def test_a_refusal_is_a_short_sentence() -> None:
    assert [type(error).__name__ for error in SAMPLES if not 0 < len(str(error)) < 400] == []


def test_the_fields_of_a_refusal_are_json_and_short() -> None:
    assert [type(error).__name__ for error in SAMPLES if len(json.dumps(error.detail)) >= 1000] == []


def test_fields_that_programs_read_bear_the_fields_names() -> None:
    assert errors.SizeInvalid(3, 4).detail == {"expected": 3, "received": 4}
    assert errors.ManifestUnknown("a/b", "v1").detail == {"name": "a/b", "reference": "v1"}
    assert errors.MethodUnsupported("PUT", ["GET"]).detail == {"allowed": ["GET"]}


def test_oauths_word_is_told_apart_and_not_as_a_detail() -> None:
    error = errors.Unauthenticated("no", "invalid_token")

    assert error.why == "invalid_token"
    assert error.detail == {}
    assert errors.Unauthenticated().why == ""


def test_some_of_many_organizations_are_told_in_a_sentence_and_all_as_a_detail() -> None:
    error = errors.SoleOwner([f"org{number}" for number in range(9)])

    assert "org4 and 4 more" in str(error)
    assert len(error.organizations) == 9


def test_a_refusal_names_the_remedy() -> None:
    assert "must begin at 7" in str(errors.OutOfOrder(7))
    assert "begin a new one" in str(errors.BlobUploadUnknown())
    assert "sha256:a, sha256:b" in str(errors.ManifestBlobUnknown(["sha256:a", "sha256:b"]))
