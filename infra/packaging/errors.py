"""The one error of the packager that a person is meant to read."""


class PackageError(Exception):
    """Why there is no package: one sentence that names the thing and the remedy."""
