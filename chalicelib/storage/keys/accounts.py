"""Builds keys of accounts, namespaces, teams, applications, tokens and of other rows of the whole registry."""

from chalicelib.storage.keys.key import META, Key


def account_name(name: str) -> Key:
    """An account or namespace by its name; the row points to its id."""
    return f"NAME#{name}", META


def first_user() -> Key:
    """The first superuser."""
    return "SYSTEM", "FIRST"


def garbage() -> Key:
    """How much the collector has removed."""
    return "SYSTEM", "GARBAGE"


def turn() -> Key:
    """The last run of the timer job that found work."""
    return "SYSTEM", "TURN"


def namespace(identifier: str) -> Key:
    """A namespace."""
    return f"N#{identifier}", META


def namespace_id(key: str) -> str:
    """Reads the id of a namespace from its partition key."""
    return key.removeprefix("N#")


def former_name(namespace_id: str, name: str = "") -> Key:
    """A former name of a namespace; without a name, the prefix of all."""
    return f"N#{namespace_id}", f"FORMER#{name}"


def robot(namespace_id: str, name: str) -> Key:
    """A robot of a namespace."""
    return f"N#{namespace_id}", f"ROBOT#{name}"


def account(identifier: str) -> Key:
    """A user or robot."""
    return f"A#{identifier}", META


def email(address: str) -> Key:
    """An e-mail address in lower case; the row points to an account's id."""
    return f"EMAIL#{address.lower()}", META


def message(uuid: str = "") -> Key:
    """A message to all users; without a uuid, the prefix of all."""
    return "SYSTEM", f"MESSAGE#{uuid}"


def notice(account_id: str, uuid: str = "") -> Key:
    """A notification for a user; without a uuid, the prefix of all."""
    return f"A#{account_id}", f"NOTICE#{uuid}"


def assignment(account_id: str, uuid: str = "") -> Key:
    """A token of an application that is offered to a user; without a uuid, the prefix of all."""
    return f"A#{account_id}", f"ASSIGNED#{uuid}"


def registry_size() -> Key:
    """The last count of the bytes that all namespaces link."""
    return "SYSTEM", "BYTES"


def team_name(namespace_id: str, name: str = "") -> Key:
    """A team by its name, the row points to its id; without a name, the prefix of all."""
    return f"N#{namespace_id}", f"TEAM#{name}"


def team(identifier: str) -> Key:
    """A team."""
    return f"T#{identifier}", META


def team_member(team_id: str, account_id: str = "") -> Key:
    """A membership, found by the team; without an account, the prefix of all."""
    return f"T#{team_id}", f"WITH#{account_id}"


def membership(account_id: str, namespace_id: str = "", team_id: str = "") -> Key:
    """A membership, found by the account; without a team or a namespace, the prefix of all."""
    return f"A#{account_id}", f"MEMBER#{namespace_id}#{team_id}" if namespace_id else "MEMBER#"


def account_with_memberships(account_id: str) -> Key:
    """An account and all its memberships: partition, and the prefix that their sort keys share."""
    return f"A#{account_id}", "ME"


def prototype(namespace_id: str, uuid: str = "") -> Key:
    """A default permission of an organization; without a uuid, the prefix of all."""
    return f"N#{namespace_id}", f"PROTOTYPE#{uuid}"


def namespace_policy(namespace_id: str, uuid: str = "") -> Key:
    """A policy for all repositories of a namespace; without a uuid, the prefix of all."""
    return f"N#{namespace_id}", f"POLICY#{uuid}"


def application(namespace_id: str, client_id: str = "") -> Key:
    """An OAuth application of an organization; without an id, the prefix of all."""
    return f"N#{namespace_id}", f"APP#{client_id}"


def client(client_id: str) -> Key:
    """An OAuth application, found by its client id."""
    return f"CLIENT#{client_id}", META


def application_token(namespace_id: str, client_id: str, uuid: str = "") -> Key:
    """A token of an application, listed by its organization; without a uuid, the prefix of all."""
    return f"N#{namespace_id}", f"APPTOKEN#{client_id}#{uuid}"


def application_tokens(namespace_id: str) -> Key:
    """All tokens of an organization's applications: partition and prefix."""
    return f"N#{namespace_id}", "APPTOKEN#"


def namespace_rest(namespace_id: str) -> list[tuple[str, str, str]]:
    """All rows of a namespace's partition except itself, sizes and repositories: partition, first and last sort key."""
    kept = ("GONE#", META, "REPO#", "SIZE#")
    firsts = ["\x01", *(f"{prefix}\x7f" for prefix in kept)]
    # The last key before all that begin with a prefix, as ranges are inclusive.
    lasts = [*(f"{prefix[:-1]}{chr(ord(prefix[-1]) - 1)}\x7f" for prefix in kept), "\x7f"]
    return [(f"N#{namespace_id}", first, last) for first, last in zip(firsts, lasts, strict=True)]


def purged_team(target: str) -> tuple[str, str] | None:
    """Reads the ids of organization and team from a purge timer's target; None if the target is a namespace."""
    parts = target.split("#")
    return (parts[1], parts[3]) if len(parts) == 4 else None


def used(account_id: str, uuid: str = "") -> Key:
    """The time of a token's last use; without a uuid, the prefix of all."""
    return f"A#{account_id}", f"USED#{uuid}"


def code(sha256: str) -> Key:
    """An OAuth code, by its hash."""
    return f"CODE#{sha256}", META


def throttle(what: str) -> Key:
    """Counted attempts, such as failed sign-ins."""
    return f"THROTTLE#{what}", META


def word(first: str, word: str, target: str = "") -> Key:
    """A target that search finds by a word, of which `first` is two letters; without a target, the prefix of all."""
    return f"WORD#{first}", f"{word}#{target}" if target else word


def issuer_keys(issuer: str) -> Key:
    """The keys of an external issuer of tokens."""
    return f"KEYS#{issuer}", META


def token(sha256: str) -> Key:
    """A random token, by its hash."""
    return f"TOKEN#{sha256}", META


def account_token(account_id: str, kind: str, uuid: str) -> Key:
    """A random token in the list of its owner."""
    return f"A#{account_id}", f"TOKEN#{kind}#{uuid}"


def team_target(namespace_id: str, team_id: str) -> str:
    """The target of a purge timer for a deleted team."""
    return f"N#{namespace_id}#T#{team_id}"


def account_tokens(account_id: str) -> Key:
    """All random tokens of an account, of all kinds: partition and prefix."""
    return f"A#{account_id}", "TOKEN#"


def account_leavings(account_id: str) -> list[Key]:
    """The rows of an account that no other row points to: partitions and prefixes."""
    kinds = ("ASSIGNED#", "MIRROR#", "NOTICE#", "STAR#", "USED#")
    return [(f"A#{account_id}", kind) for kind in kinds]
