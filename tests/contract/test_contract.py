"""The conversation is held, and every answer is the one that is written down."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.contract.talks import GROUPS, Step, Talk, load
from tests.support.app_client import opened
from tests.support.backends import Backend

WRITTEN = load()


@pytest.fixture(scope="module")
def held(aws: tuple[Mapping[str, str], Path]) -> Iterator[dict[str, list[Step]]]:
    """The whole conversation with the answers of now, in a backend of its own."""
    environment, data = aws
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with opened(Backend(environment, data), patch) as app_client:
            talk = Talk(app_client)
            yield {group: talk.hold(steps) for group, steps in WRITTEN.items()}


@pytest.mark.parametrize("group", GROUPS)
def test_every_answer_is_the_one_that_is_written_down(held: dict[str, list[Step]], group: str) -> None:
    differences = [
        {"ask": f"{now['who']} {now['ask']}", "written": told(before), "now": told(now)}
        for before, now in zip(WRITTEN[group], held[group], strict=True)
        if told(before) != told(now)
    ]

    assert differences == [], "mend it, or write it down by `python -m tests.contract` and tell why it changed"


def told(step: Step) -> Step:
    """What was answered."""
    return {name: step.get(name) for name in ("status", "answer", "location")}


def test_no_answer_is_an_error_of_ours() -> None:
    assert [
        step for steps in WRITTEN.values() for step in steps if step["status"] >= 500 and step["status"] != 503
    ] == []


def test_no_secret_is_written_down() -> None:
    text = str(WRITTEN)

    assert not [word for word in ("cbo_", "cba_", "eyJ") if word in text]
