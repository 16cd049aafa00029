"""Names of repositories, namespaces, tags and robots. They are parsed once and trusted from then on."""

import re
from dataclasses import dataclass

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import (
    NameInvalid,
    NamespaceInvalid,
    NameTaken,
    RepositoryNameInvalid,
    ResourceUnknown,
    TagInvalid,
)

# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
REPOSITORY = re.compile(rf"{COMPONENT}(?:/{COMPONENT})*")
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
# At least two characters and at most 255, as in Quay.
ACCOUNT = re.compile(r"[a-z0-9](?:[a-z0-9]|[._-](?=[a-z0-9])){1,254}")
ROBOT = re.compile(r"[a-z0-9](?:[a-z0-9]|[._-](?=[a-z0-9])){1,253}")

MAXIMUM_LENGTH = 255
# The namespace of a name without one, as in `docker push host/name`; Quay and Docker Hub use the same.
LIBRARY = "library"
# Names that only a superuser gives: the namespace of names without one, and what the routes of this registry or of
# Quay's pages begin with, which somebody could take for the registry itself.
RESERVED = frozenset(
    (LIBRARY, "about", "api", "auth", "c1", "config", "docs", "exportedlogs", "health", "keys", "oauth",
     "oauth2", "organization", "repository", "search", "security", "signin", "static", "status", "superuser",
     "tutorial", "user", "v1", "v2", "webhooks")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RepositoryName:
    """A full name `namespace/repository`; the repository's own name may have several components."""

    namespace: str
    repository: str

    @classmethod
    def parse(cls, text: str) -> "RepositoryName":
        """Parses the name in a path.

        Raises NameInvalid if it is outside the specification's grammar or over 255 characters.
        """
        if len(text) > MAXIMUM_LENGTH:
            raise NameInvalid(text, f"it has {len(text)} characters, at most {MAXIMUM_LENGTH} are allowed")
        if not REPOSITORY.fullmatch(text):
            raise NameInvalid(
                text, "components are lower-case letters and digits, joined by '.', '_', '__' or '-', separated by '/'"
            )
        namespace, slash, repository = text.partition("/")
        return cls(namespace, repository) if slash else cls(LIBRARY, namespace)

    @classmethod
    def within(cls, namespace: str, repository: str) -> "RepositoryName":
        """Returns the full name of a repository in a namespace, whose own name is not checked.

        Raises RepositoryNameInvalid if it is outside the grammar or, with the namespace, over 255 characters.
        """
        name = cls(namespace, repository)
        if len(str(name)) > MAXIMUM_LENGTH or not REPOSITORY.fullmatch(repository):
            raise RepositoryNameInvalid(repository)
        return name

    def __str__(self) -> str:
        return f"{self.namespace}/{self.repository}"


class Tag(str):
    """A tag that has been checked against the specification's grammar."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> "Tag":
        """Parses a tag. Raises TagInvalid."""
        if not TAG.fullmatch(text):
            raise TagInvalid(text)
        return cls(text)

    @classmethod
    def existing(cls, text: str) -> "Tag":
        """Parses a tag that must exist. Raises ResourceUnknown if it is malformed."""
        if not TAG.fullmatch(text):
            raise ResourceUnknown("tag", text)
        return cls(text)


def parse_reference(text: str) -> "Tag | Digest":
    """Parses a tag or a digest: a tag cannot contain ':'. Raises TagInvalid, DigestInvalid."""
    return Digest.parse(text) if ":" in text else Tag.parse(text)


def parse_account(text: str) -> str:
    """Returns the text if it can be the name of a user or an organization. Raises NamespaceInvalid."""
    if not 2 <= len(text) <= MAXIMUM_LENGTH:
        raise NamespaceInvalid(text, f"be between 2 and {MAXIMUM_LENGTH} characters in length")
    if not ACCOUNT.fullmatch(text):
        raise NamespaceInvalid(text, "match expression ^([a-z0-9]+(?:[._-][a-z0-9]+)*)$")
    return text


def parse_free_account(text: str) -> str:
    """Returns the text if anybody may name a new account so. Raises NamespaceInvalid, NameTaken for a reserved name."""
    if parse_account(text) in RESERVED:
        raise NameTaken(text, "Username is not available")
    return text


def parse_robot(text: str) -> str:
    """Returns the text if it can be a robot's short name, without the namespace. Raises NameInvalid."""
    if not ROBOT.fullmatch(text):
        raise NameInvalid(text, "a robot has 2 to 254 lower-case letters and digits, joined by '.', '_' or '-'")
    return text
