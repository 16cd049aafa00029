"""Checks ARNs on a command line."""

import argparse
from collections.abc import Callable


def arn_of(service: str) -> Callable[[str], str]:
    """Returns a parser of arguments that are ARNs of a service; it raises argparse.ArgumentTypeError."""

    def arn(text: str) -> str:
        words = text.split(":")
        if len(words) < 6 or words[0] != "arn" or words[2] != service:
            raise argparse.ArgumentTypeError(f"{text!r} is no ARN of {service}: `terraform output` shows it")
        return text

    return arn
