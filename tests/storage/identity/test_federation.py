"""Issuers' keys as they are kept: read by one process at a time, for all."""

from chalicelib.storage.identity.federation import FederationStore
from tests.support.backends import Backend

STORE, ISSUER = FederationStore(), "https://issuer.example"


def test_keys_are_kept_with_when_they_were_read(backend: Backend) -> None:
    assert STORE.keys_of(ISSUER) is None

    STORE.keep(ISSUER, "[]", 1000.0)

    kept = STORE.keys_of(ISSUER)
    assert kept is not None
    assert (kept.document, kept.read_at, kept.tried_at) == ("[]", 1000, None)
    assert STORE.keys_of(ISSUER + "/") is None


def test_one_may_read_and_the_others_only_after_a_pause(backend: Backend) -> None:
    assert [STORE.claim(ISSUER, moment, 60) for moment in (1000.0, 1000.0, 1059.9, 1060.0)] == [
        True, False, False, True
    ]  # fmt: skip
    assert STORE.claim(ISSUER + "/", 1000.0, 60)
    kept = STORE.keys_of(ISSUER)
    assert kept is not None
    assert (kept.tried_at, kept.document) == (1060, None)
    assert kept.expires_at > 1060 + 7 * 86_400 - 1


def test_keys_stay_while_somebody_reads_them_again(backend: Backend) -> None:
    STORE.keep(ISSUER, "[]", 1000.0)

    STORE.claim(ISSUER, 5000.0, 60)

    kept = STORE.keys_of(ISSUER)
    assert kept is not None
    assert (kept.document, kept.read_at) == ("[]", 1000)


def test_whoever_has_begun_is_reading_until_they_are_through_or_take_too_long(backend: Backend) -> None:
    STORE.claim(ISSUER, 1000.0, 60)
    kept = STORE.keys_of(ISSUER)
    assert kept is not None
    assert [kept.is_being_read(now, 8) for now in (1000.0, 1007.0, 1008.0)] == [True, True, False]

    for end in (lambda: STORE.fail(ISSUER, 1001.0), lambda: STORE.keep(ISSUER, "[]", 1061.0)):
        end()
        kept = STORE.keys_of(ISSUER)
        assert kept is not None
        assert not kept.is_being_read(1001.0, 8)
        STORE.claim(ISSUER, 1060.0, 60)
