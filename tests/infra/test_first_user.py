"""`python -m infra.first_user` makes the first user of an installation."""

from collections.abc import Callable

import pytest

from infra import first_user
from tests.houses import House

KEYS = "arn:aws:secretsmanager:us-east-1:123456789012:secret:registry-keys-AbCdEf"


@pytest.fixture
def empty(new_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch) -> House:
    """Makes a registry without users."""
    house = new_house()
    table = house.services._table
    for row in table.scan()["Items"]:
        table.delete_item(row["pk"]["S"], row["sk"]["S"])
    monkeypatch.setattr(first_user, "Services", lambda _: house.services)
    monkeypatch.delenv("CLOUDBERTH_ADMIN_PASSWORD", raising=False)
    return house


def arguments(house: House, *more: str) -> list[str]:
    return [f"arn:aws:dynamodb:us-east-1:123456789012:table/{house.settings.table}", KEYS, *more]


def test_the_first_user_is_a_superuser_whose_random_password_is_printed_once(
    empty: House, capsys: pytest.CaptureFixture[str]
) -> None:
    assert first_user.main(arguments(empty)) == 0

    printed = capsys.readouterr().out
    password = printed.rpartition(" ")[2].strip()
    assert printed.startswith("Made admin, a superuser. The password, shown only once: ")
    assert empty.account().superuser
    assert empty.services.tokens.issue(("admin", password), None, []).token


def test_a_chosen_password_is_not_printed(
    empty: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLOUDBERTH_ADMIN_PASSWORD", "correct-horse")

    assert first_user.main(arguments(empty, "--name", "carol")) == 0

    assert "correct-horse" not in capsys.readouterr().out
    assert empty.services.tokens.issue(("carol", "correct-horse"), None, []).token


def test_the_second_time_nothing_is_changed(empty: House, capsys: pytest.CaptureFixture[str]) -> None:
    first_user.main(arguments(empty))
    capsys.readouterr()

    assert first_user.main(arguments(empty, "--name", "mallory")) == 0
    assert capsys.readouterr().out == "There is a first user already; nothing was changed.\n"


def test_a_bad_name_is_refused_by_a_sentence(empty: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert first_user.main(arguments(empty, "--name", "A B")) == 1
    assert "A B" in capsys.readouterr().err


def test_a_name_instead_of_an_arn_is_refused() -> None:
    with pytest.raises(SystemExit):
        first_user.main(["registry", KEYS])
