"""The one error of the packager whose message is written for its user."""


class PackageError(Exception):
    """There is no package; the message is one sentence that names the cause and the remedy."""
