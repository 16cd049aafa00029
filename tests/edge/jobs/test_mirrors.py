"""The function `mirrors` hands each message to the workers, with the time that is left."""

import json
from typing import Any

import pytest

from chalicelib.edge.jobs import mirrors
from tests.support.backends import Backend


def test_a_message_is_worked_on_with_the_time_that_is_left(
    backend: Backend, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    class Workers:
        def work(self, message: Any, left_s: Any) -> None:
            seen.append((message, left_s()))

    monkeypatch.setattr(mirrors, "services", lambda: backend.services)
    monkeypatch.setitem(vars(backend.services.mirroring), "workers", Workers())
    record = {"messageId": "1", "body": json.dumps({"repository": "r", "run": "x"}), "receiptHandle": "h"}

    answer = mirrors.mirrors({"Records": [record]}, context(600_000))

    assert answer == {"batchItemFailures": []}
    assert seen == [({"repository": "r", "run": "x"}, 600.0)]
