"""`python -m infra.first_user` makes the first user of an installation."""

from collections.abc import Callable

import pytest

from chalicelib.domain.errors import WrongCredentials
from infra import first_user
from tests.support.backends import Backend

KEYS = "arn:aws:secretsmanager:us-east-1:123456789012:secret:registry-keys-AbCdEf"


@pytest.fixture
def empty(new_backend: Callable[..., Backend], monkeypatch: pytest.MonkeyPatch) -> Backend:
    """Makes a registry without users."""
    backend = new_backend()
    table = backend.services.stores.table
    for row in table.scan()["Items"]:
        table.delete_item(row["pk"]["S"], row["sk"]["S"])
    monkeypatch.setattr(first_user, "Services", lambda _: backend.services)
    monkeypatch.delenv("CLOUDBERTH_ADMIN_PASSWORD", raising=False)
    return backend


def arguments(backend: Backend, *more: str) -> list[str]:
    return [f"arn:aws:dynamodb:us-east-1:123456789012:table/{backend.settings.table}", KEYS, *more]


def test_the_first_user_is_a_superuser_whose_random_password_is_printed_once(
    empty: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    assert first_user.main(arguments(empty)) == 0

    printed = capsys.readouterr().out
    password = printed.rpartition(" ")[2].strip()
    assert printed.startswith("Made admin, a superuser. The password, shown only once: ")
    assert empty.account().superuser
    assert empty.services.identity.tokens.issue(("admin", password), None, []).token


def test_a_chosen_password_is_not_printed(
    empty: Backend, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLOUDBERTH_ADMIN_PASSWORD", "correct-horse")

    assert first_user.main(arguments(empty, "--name", "carol")) == 0

    assert "correct-horse" not in capsys.readouterr().out
    assert empty.services.identity.tokens.issue(("carol", "correct-horse"), None, []).token


def test_the_second_time_nothing_is_changed(empty: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    first_user.main(arguments(empty))
    capsys.readouterr()

    assert first_user.main(arguments(empty, "--name", "mallory")) == 0
    assert capsys.readouterr().out == "There is a first user already; nothing was changed.\n"


def test_who_lost_the_only_password_gets_a_new_one(empty: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    first_user.main(arguments(empty))
    old = capsys.readouterr().out.rpartition(" ")[2].strip()

    assert first_user.main(arguments(empty, "--reset")) == 0

    new = capsys.readouterr().out.partition("shown only once: ")[2].split()[0]
    assert empty.services.identity.tokens.issue(("admin", new), None, []).token
    with pytest.raises(WrongCredentials):
        empty.services.identity.tokens.issue(("admin", old), None, [])


def test_nobody_is_reset_who_is_not_there(empty: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    assert first_user.main(arguments(empty, "--reset", "--name", "nobody")) == 1
    assert "nobody" in capsys.readouterr().err


def test_a_bad_name_is_refused_by_a_sentence(empty: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    assert first_user.main(arguments(empty, "--name", "A B")) == 1
    assert "A B" in capsys.readouterr().err


def test_a_name_instead_of_an_arn_is_refused() -> None:
    with pytest.raises(SystemExit):
        first_user.main(["registry", KEYS])
