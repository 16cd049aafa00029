"""Keys of repositories by name and by id, and of rights on them."""

from chalicelib.storage.keys.key import META, Key


def repository_name(namespace_id: str, repository: str) -> Key:
    """Repository name -> id."""
    return f"N#{namespace_id}", f"REPO#{repository}"


def given(namespace_id: str, account_id: str = "", repository_id: str = "") -> Key:
    """That an account has a role on one of a namespace's repositories; without one, the prefix of all."""
    return f"N#{namespace_id}", f"GIVEN#{account_id}#{repository_id}" if account_id else "GIVEN#"


def gone(namespace_id: str, repository: str, ulid: str) -> Key:
    """A repository that was deleted, while it can be restored."""
    return f"N#{namespace_id}", f"GONE#{repository}#{ulid}"


def repository_policy(repository_id: str, uuid: str = "") -> Key:
    """A policy for a repository; without a uuid, the prefix of all."""
    return f"R#{repository_id}", f"POLICY#{uuid}"


def gone_repositories(namespace_id: str) -> Key:
    """All repositories of a namespace that were deleted: partition and prefix."""
    return f"N#{namespace_id}", "GONE#"


def star(account_id: str, repository_id: str = "") -> Key:
    """A repository that a user has starred; without one, the prefix of all."""
    return f"A#{account_id}", f"STAR#{repository_id}"


def account_sight(account_id: str) -> tuple[str, str, str]:
    """Grants, memberships and stars of an account, which lie side by side: partition, first and last."""
    return f"A#{account_id}", "GRANT#", "STAR#\x7f"


def team_sight(team_id: str) -> tuple[str, str, str]:
    """A team with its grants: partition, first and last."""
    return f"T#{team_id}", "GRANT#", META


def namespace_sight(namespace_id: str, after: str = "") -> tuple[str, str, str]:
    """A namespace with its repositories, or those past a name: partition, first and last."""
    return f"N#{namespace_id}", f"REPO#{after}\x00" if after else META, "REPO#\x7f"


def team_grant(team_id: str, namespace_id: str, repository_id: str) -> Key:
    """A team's role on a repository, found by team."""
    return f"T#{team_id}", f"GRANT#{namespace_id}#{repository_id}"


def team_grants(team_id: str) -> Key:
    """All grants of a team: partition and prefix."""
    return f"T#{team_id}", "GRANT#"


def grant(account_id: str, namespace_id: str, repository_id: str) -> Key:
    """An account's role on a repository, found by account."""
    return f"A#{account_id}", f"GRANT#{namespace_id}#{repository_id}"


def grants(account_id: str) -> Key:
    """All grants of an account: partition and prefix."""
    return f"A#{account_id}", "GRANT#"


def everything(partition: str) -> Key:
    """All rows of a partition."""
    return partition, ""


def everything_in(partition: str) -> tuple[str, str, str]:
    """The same from the first possible sort key to the last: all are ASCII."""
    return partition, " ", "\x7f"


def repository_id(partition: str) -> str:
    """The repository whose partition this is."""
    return partition.removeprefix("R#")


def holder_id(key: str) -> str:
    """The account or team whose permission lies under this sort key."""
    return key.removeprefix("PERM#")


def repository(identifier: str) -> Key:
    """A repository's way back to its name."""
    return f"R#{identifier}", META


def pushed(repository_id: str) -> Key:
    """When a tag was last pushed into a repository."""
    return f"R#{repository_id}", "PUSHED"


def permission(repository_id: str, holder_id: str = "") -> Key:
    """The role of an account or a team on a repository, found by repository; without one, the prefix of all."""
    return f"R#{repository_id}", f"PERM#{holder_id}"
