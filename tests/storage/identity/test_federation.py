"""Storage of issuers' keys, which one process at a time reads for all."""

from chalicelib.storage.identity.federation import FederationStore
from tests.support.backends import Backend

STORE, ISSUER = FederationStore(), "https://issuer.example"


def test_keys_are_stored_with_the_time_of_their_reading(backend: Backend) -> None:
    assert STORE.keys_of(ISSUER) is None

    STORE.keep(ISSUER, "[]", 1000.0)

    row = STORE.keys_of(ISSUER)
    assert row is not None
    assert (row.document, row.read_at, row.tried_at) == ("[]", 1000, None)
    assert STORE.keys_of(ISSUER + "/") is None


def test_one_process_may_read_and_others_only_after_a_pause(backend: Backend) -> None:
    assert [STORE.claim(ISSUER, moment, 60) for moment in (1000.0, 1000.0, 1059.9, 1060.0)] == [
        True, False, False, True
    ]  # fmt: skip
    assert STORE.claim(ISSUER + "/", 1000.0, 60)
    row = STORE.keys_of(ISSUER)
    assert row is not None
    assert (row.tried_at, row.document) == (1060, None)
    assert row.expires_at > 1060 + 7 * 86_400 - 1


def test_keys_are_kept_while_a_process_reads_them_again(backend: Backend) -> None:
    STORE.keep(ISSUER, "[]", 1000.0)

    STORE.claim(ISSUER, 5000.0, 60)

    row = STORE.keys_of(ISSUER)
    assert row is not None
    assert (row.document, row.read_at) == ("[]", 1000)


def test_a_process_is_reading_until_it_ends_or_takes_too_long(backend: Backend) -> None:
    STORE.claim(ISSUER, 1000.0, 60)
    row = STORE.keys_of(ISSUER)
    assert row is not None
    assert [row.is_being_read(now, 8) for now in (1000.0, 1007.0, 1008.0)] == [True, True, False]

    for end in (lambda: STORE.fail(ISSUER, 1001.0), lambda: STORE.keep(ISSUER, "[]", 1061.0)):
        end()
        row = STORE.keys_of(ISSUER)
        assert row is not None
        assert not row.is_being_read(1001.0, 8)
        STORE.claim(ISSUER, 1060.0, 60)
