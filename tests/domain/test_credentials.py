"""Tests what an access token says of its credential, and which upload a long token ends."""

from chalicelib.domain.credentials import Credential, UploadRight
from chalicelib.domain.digests import Digest
from chalicelib.domain.federation import Rule


def test_a_credential_survives_its_claim() -> None:
    for credential in (
        Credential("app", "uuid", ("maker", "its maker"), ("client",), ("namespace",)),
        Credential(namespaces=("namespace",), robot="ci", rule=Rule("https://issuer.example", "job", "audience")),
    ):
        assert Credential.from_claim(credential.to_claim()) == credential
    assert Credential.from_claim({}) is None


def test_a_right_to_an_upload_covers_that_upload_and_its_digest_only() -> None:
    one, other = Digest.of(b"one"), Digest.of(b"other")

    assert UploadRight("upload").covers("upload", one)
    assert UploadRight("upload", str(one)).covers("upload", one)
    assert not UploadRight("upload", str(one)).covers("upload", other)
    assert not UploadRight("upload").covers("another", one)
