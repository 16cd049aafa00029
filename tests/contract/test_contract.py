"""Every answer of the conversation equals the recorded one."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.contract.talks import GROUPS, Step, Talk, load
from tests.support.app_client import opened
from tests.support.backends import Backend

WRITTEN = load()


@pytest.fixture(scope="module")
def answered(aws: tuple[Mapping[str, str], Path]) -> Iterator[dict[str, list[Step]]]:
    """The whole conversation with current answers, in a backend of its own."""
    environment, data = aws
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with opened(Backend(environment, data), patch) as app_client:
            talk = Talk(app_client)
            yield {group: talk.hold(steps) for group, steps in WRITTEN.items()}


@pytest.mark.parametrize("group", GROUPS)
def test_every_answer_equals_the_recorded_one(answered: dict[str, list[Step]], group: str) -> None:
    differences = [
        {"ask": f"{now['who']} {now['ask']}", "recorded": result(before), "now": result(now)}
        for before, now in zip(WRITTEN[group], answered[group], strict=True)
        if result(before) != result(now)
    ]

    assert differences == [], "fix it, or record it with `python -m tests.contract` and say why it changed"


def result(step: Step) -> Step:
    """Returns the answer of a step."""
    return {name: step.get(name) for name in ("status", "answer", "location")}


def test_no_recorded_answer_is_a_server_error() -> None:
    assert [
        step for steps in WRITTEN.values() for step in steps if step["status"] >= 500 and step["status"] != 503
    ] == []


def test_no_secret_is_recorded() -> None:
    text = str(WRITTEN)

    assert not [word for word in ("cbo_", "cba_", "eyJ") if word in text]
