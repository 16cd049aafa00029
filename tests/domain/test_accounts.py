"""Users' and robots' names."""

import pytest

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.errors import NameInvalid, RobotInvalid


def test_a_robot_is_named_by_its_namespace_and_its_own_name() -> None:
    name = RobotName.parse("acme+ci-bot")

    assert (name.namespace, name.robot) == ("acme", "ci-bot")
    assert str(name) == "acme+ci-bot"


@pytest.mark.parametrize(
    "text", ["", "+", "acme", "acme+", "+ci", "acme+c", "a+ci", "acme+ci+two", "Acme+ci", "acme+CI", "acme+ci\n"]
)
def test_what_is_not_two_names_with_a_plus_between_is_no_robot(text: str) -> None:
    with pytest.raises(NameInvalid):
        RobotName.parse(text)


def test_a_short_name_within_a_namespace_is_refused_in_quays_words() -> None:
    assert str(RobotName.within("acme", "ci")) == "acme+ci"
    with pytest.raises(RobotInvalid, match=r"^The name for the robot 'UPPER' is invalid: Namespace must match express"):
        RobotName.within("acme", "UPPER")
    for name in ("", "c", "c" * 251, "c" * 3000):
        with pytest.raises(RobotInvalid, match="between 2 and 255 characters in length"):
            RobotName.within("acme", name)
