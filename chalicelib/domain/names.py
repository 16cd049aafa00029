"""Names of repositories, namespaces, tags and robots, parsed once and trusted from then on."""

import re
from dataclasses import dataclass

from chalicelib.domain.digests import Digest
from chalicelib.domain.errors import NameInvalid, NamespaceInvalid, RepositoryNameInvalid, ResourceUnknown, TagInvalid

# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
REPOSITORY = re.compile(rf"{COMPONENT}(?:/{COMPONENT})*")
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
# Two characters at least and 255 at most, as Quay's accounts.
ACCOUNT = re.compile(r"[a-z0-9](?:[a-z0-9]|[._-](?=[a-z0-9])){1,254}")
ROBOT = re.compile(r"[a-z0-9](?:[a-z0-9]|[._-](?=[a-z0-9])){1,253}")

MAXIMUM_LENGTH = 255
# Where `docker push host/name` goes: Quay's and Docker Hub's word for a name without a namespace.
LIBRARY = "library"


@dataclass(frozen=True, slots=True)
class RepositoryName:
    """`namespace/repository`, where the repository's own name may have several components."""

    namespace: str
    repository: str

    @classmethod
    def parse(cls, text: str) -> "RepositoryName":
        """Reads a name as it stands in a path.

        Raises NameInvalid outside the specification's grammar or over 255 characters.
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
        """A repository's own name with that of the namespace it is to be in, which is looked up.

        Raises RepositoryNameInvalid outside the grammar or, with the namespace, over 255 characters.
        """
        made = cls(namespace, repository)
        if len(str(made)) > MAXIMUM_LENGTH or not REPOSITORY.fullmatch(repository):
            raise RepositoryNameInvalid(repository)
        return made

    def __str__(self) -> str:
        return f"{self.namespace}/{self.repository}"


class Tag(str):
    """A tag's name that has been checked against the specification's grammar."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> "Tag":
        """Reads a tag. Raises TagInvalid."""
        if not TAG.fullmatch(text):
            raise TagInvalid(text)
        return cls(text)

    @classmethod
    def existing(cls, text: str) -> "Tag":
        """Reads the name of a tag that has to be there. Raises ResourceUnknown for what no tag can be called."""
        if not TAG.fullmatch(text):
            raise ResourceUnknown("tag", text)
        return cls(text)


def parse_reference(text: str) -> "Tag | Digest":
    """Reads a tag or a digest; what contains ':' can only be a digest. Raises TagInvalid, DigestInvalid."""
    return Digest.parse(text) if ":" in text else Tag.parse(text)


def parse_account(text: str) -> str:
    """A user's or organization's name. Raises NamespaceInvalid."""
    if not 2 <= len(text) <= MAXIMUM_LENGTH:
        raise NamespaceInvalid(text, f"be between 2 and {MAXIMUM_LENGTH} characters in length")
    if not ACCOUNT.fullmatch(text):
        raise NamespaceInvalid(text, "match expression ^([a-z0-9]+(?:[._-][a-z0-9]+)*)$")
    return text


def parse_robot(text: str) -> str:
    """A robot's short name, without its namespace. Raises NameInvalid."""
    if not ROBOT.fullmatch(text):
        raise NameInvalid(text, "a robot has 2 to 254 lower-case letters and digits, joined by '.', '_' or '-'")
    return text
