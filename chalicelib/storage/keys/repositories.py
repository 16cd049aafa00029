"""Builds keys of repositories, by name and by id, and of roles on them."""

from chalicelib.storage.keys.key import META, Key


def repository_name(namespace_id: str, repository: str) -> Key:
    """A repository by its name; the row points to its id."""
    return f"N#{namespace_id}", f"REPO#{repository}"


def begun_repository(namespace_id: str, repository: str) -> Key:
    """The id of a repository into which an upload has begun before it exists."""
    return f"N#{namespace_id}", f"BEGUN#{repository}"


def given(namespace_id: str, account_id: str = "", repository_id: str = "") -> Key:
    """Says that an account has a role on one of a namespace's repositories; without an account, the prefix of all."""
    return f"N#{namespace_id}", f"GIVEN#{account_id}#{repository_id}" if account_id else "GIVEN#"


def gone(namespace_id: str, repository: str, ulid: str) -> Key:
    """A deleted repository, until it is purged."""
    return f"N#{namespace_id}", f"GONE#{repository}#{ulid}"


def repository_policy(repository_id: str, uuid: str = "") -> Key:
    """A policy of a repository; without a uuid, the prefix of all."""
    return f"R#{repository_id}", f"POLICY#{uuid}"


def gone_repositories(namespace_id: str) -> Key:
    """All deleted repositories of a namespace: partition and prefix."""
    return f"N#{namespace_id}", "GONE#"


def star(account_id: str, repository_id: str = "") -> Key:
    """A repository that a user has starred; without a repository, the prefix of all."""
    return f"A#{account_id}", f"STAR#{repository_id}"


def account_visibility(account_id: str) -> tuple[str, str, str]:
    """Memberships, roles and stars of an account, from the first sort key to the last: partition, first, last."""
    return f"A#{account_id}", "MEMBER#", "STAR#\x7f"


def team_visibility(team_id: str) -> tuple[str, str, str]:
    """A team and its roles, but not its members: partition, first and last sort key."""
    return f"T#{team_id}", META, "ROLE#\x7f"


def namespace_visibility(namespace_id: str, after: str = "") -> tuple[str, str, str]:
    """A namespace with its repositories, or the repositories after a name: partition, first and last sort key."""
    return f"N#{namespace_id}", f"REPO#{after}\x00" if after else META, "REPO#\x7f"


def team_role(team_id: str, namespace_id: str, repository_id: str) -> Key:
    """A team's role on a repository, found by team."""
    return f"T#{team_id}", f"ROLE#{namespace_id}#{repository_id}"


def team_roles(team_id: str) -> Key:
    """All roles of a team: partition and prefix."""
    return f"T#{team_id}", "ROLE#"


def role(account_id: str, namespace_id: str, repository_id: str) -> Key:
    """An account's role on a repository, found by account."""
    return f"A#{account_id}", f"ROLE#{namespace_id}#{repository_id}"


def roles(account_id: str) -> Key:
    """All roles of an account: partition and prefix."""
    return f"A#{account_id}", "ROLE#"


def everything(partition: str) -> Key:
    """All rows of a partition."""
    return partition, ""


def everything_in(partition: str) -> tuple[str, str, str]:
    """All rows of a partition: partition, first and last possible sort key. All sort keys are ASCII."""
    return partition, " ", "\x7f"


def repository_id(partition: str) -> str:
    """Reads the id of a repository from its partition key."""
    return partition.removeprefix("R#")


def holder_id(key: str) -> str:
    """Reads the id of an account or team from the sort key of its permission."""
    return key.removeprefix("PERM#")


def repository(identifier: str) -> Key:
    """A repository by its id; the row has its name."""
    return f"R#{identifier}", META


def pushed(repository_id: str) -> Key:
    """The time of the last push of a tag into a repository."""
    return f"R#{repository_id}", "PUSHED"


def permission(repository_id: str, holder_id: str = "") -> Key:
    """The role of an account or a team on a repository, found by repository; without a holder, the prefix of all."""
    return f"R#{repository_id}", f"PERM#{holder_id}"
