"""Names of users and robots."""

import pytest

from chalicelib.domain.accounts import Account, AccountKind, RobotName
from chalicelib.domain.errors import NameInvalid, RobotInvalid


def test_a_robots_full_name_is_its_namespace_and_its_short_name() -> None:
    name = RobotName.parse("acme+ci-bot")

    assert (name.namespace, name.robot) == ("acme", "ci-bot")
    assert str(name) == "acme+ci-bot"


@pytest.mark.parametrize(
    "text", ["", "+", "acme", "acme+", "+ci", "acme+c", "a+ci", "acme+ci+two", "Acme+ci", "acme+CI", "acme+ci\n"]
)
def test_a_text_that_is_not_two_names_joined_by_a_plus_is_refused(text: str) -> None:
    with pytest.raises(NameInvalid):
        RobotName.parse(text)


def test_an_invalid_short_name_is_refused_with_quays_message() -> None:
    assert str(RobotName.within("acme", "ci")) == "acme+ci"
    with pytest.raises(RobotInvalid, match=r"^The name for the robot 'UPPER' is invalid: Namespace must match express"):
        RobotName.within("acme", "UPPER")
    for name in ("", "c", "c" * 251, "c" * 3000):
        with pytest.raises(RobotInvalid, match="between 2 and 255 characters in length"):
            RobotName.within("acme", name)


def test_an_account_is_enabled_and_no_superuser_by_default() -> None:
    account = Account("id", "alice", AccountKind.USER)

    assert account.enabled
    assert not account.superuser
    assert account.epoch == 0
