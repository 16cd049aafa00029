"""How long the registry waits for S3 and Secrets Manager, and which of their errors pass.

A function of 29 s shall answer 503 itself, and not be killed while it waits. botocore's own time-outs are 60 s, with up
to five attempts: https://docs.aws.amazon.com/boto3/latest/guide/retries.html
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as Unreachable

from chalicelib.domain.errors import Unavailable

CONNECT_S, READ_S, ATTEMPTS = 1, 8, 2
# What S3 needs while it copies or joins 5 GB, without a byte of an answer. A second attempt would begin anew.
SLOWLY_S = 22
# Beside 5xx. S3 advises to retry the first two: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html; for the last one:
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html
PASSING = ("ConditionalRequestConflict", "OperationAborted", "RequestTimeout", "SlowDown", "ThrottlingException")


def usual_config(**options: Any) -> Config:
    """Returns the configuration of a client whose calls are answered at once."""
    return _config(READ_S, ATTEMPTS, options)


def slow_config(**options: Any) -> Config:
    """Returns the configuration of a client whose calls take long; it makes each only once."""
    return _config(SLOWLY_S, 1, options)


def _config(read_s: int, attempts: int, options: Mapping[str, Any]) -> Config:
    return Config(
        connect_timeout=CONNECT_S,
        read_timeout=read_s,
        retries={"mode": "standard", "total_max_attempts": attempts},
        **options,
    )


@contextmanager
def answering(otherwise: str) -> Iterator[None]:
    """Raises Unavailable with this sentence if no answer comes, or only half of one."""
    try:
        yield
    except (Unreachable, HTTPClientError, IncompleteReadError) as error:
        raise Unavailable(otherwise) from error


def passes(error: ClientError) -> bool:
    """Whether the same call may succeed in a moment."""
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return status in (500, 502, 503, 504) or error.response["Error"]["Code"] in PASSING
