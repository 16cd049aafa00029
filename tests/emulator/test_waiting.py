"""Invocations end when the function ends."""

import time

from tests.support.emulation import Cloud

CODE = "def handler(event, context): return event"
# The seconds that ministack waits for a line of log that never comes.
PUBLISHED_WAIT_S = 0.05


def test_an_invocation_that_logs_nothing_is_not_delayed(cloud: Cloud) -> None:
    name = cloud.function(CODE)

    assert min(seconds(cloud, name) for _ in range(20)) < PUBLISHED_WAIT_S


def seconds(cloud: Cloud, name: str) -> float:
    begun = time.monotonic()
    assert cloud.lambda_.invoke(FunctionName=name, Payload=b'{"a": 1}')["Payload"].read() == b'{"a": 1}'
    return time.monotonic() - begun
