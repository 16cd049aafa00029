"""Paths as logs have them: without the secrets in some, since who reads a log shall not be able to use them."""

import re

# A token of an upload, the id of an export and the signature of a download are all that a request for these needs.
SECRET = re.compile(r"(/uploads/|/exportedlogs/|(?<![^ ])/content/).+")


def logged_path(path: str) -> str:
    """Returns a path up to where a secret begins."""
    return SECRET.sub(r"\1…", path)
