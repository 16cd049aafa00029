"""ARNs on a command line are checked."""

import argparse

import pytest

from infra.arns import arn_of

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:registry-keys-AbCdEf"


def test_an_arn_of_the_service_is_accepted() -> None:
    assert arn_of("secretsmanager")(SECRET) == SECRET


@pytest.mark.parametrize(
    "text", ["registry-keys", "", "arn:aws:secretsmanager", SECRET.replace("secretsmanager", "s3")]
)
def test_anything_else_is_refused_with_the_place_to_find_an_arn(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no ARN of secretsmanager: `terraform output` shows it"):
        arn_of("secretsmanager")(text)
