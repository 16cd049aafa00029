"""Keys of accounts, namespaces, teams, applications and what proves who somebody is."""

from chalicelib.storage.keys.key import META, Key


def account_name(name: str) -> Key:
    """Account name -> id."""
    return f"NAME#{name}", META


def first_user() -> Key:
    """The first superuser."""
    return "SYSTEM", "FIRST"


def garbage() -> Key:
    """What the collector has removed so far."""
    return "SYSTEM", "GARBAGE"


def turn() -> Key:
    """The last turn in which timers were due."""
    return "SYSTEM", "TURN"


def namespace(identifier: str) -> Key:
    """A namespace itself."""
    return f"N#{identifier}", META


def namespace_id(key: str) -> str:
    """The namespace whose partition this is."""
    return key.removeprefix("N#")


def former_name(namespace_id: str, name: str = "") -> Key:
    """A name that a namespace had; without a name, the prefix of all."""
    return f"N#{namespace_id}", f"FORMER#{name}"


def robot(namespace_id: str, name: str) -> Key:
    """A robot of a namespace."""
    return f"N#{namespace_id}", f"ROBOT#{name}"


def account(identifier: str) -> Key:
    """A user or robot."""
    return f"A#{identifier}", META


def email(address: str) -> Key:
    """E-mail -> account id; upper and lower case are one."""
    return f"EMAIL#{address.lower()}", META


def message(uuid: str = "") -> Key:
    """A message to everybody; without a uuid, the prefix of all."""
    return "SYSTEM", f"MESSAGE#{uuid}"


def notice(account_id: str, uuid: str = "") -> Key:
    """Something that a user is told; without a uuid, the prefix of all."""
    return f"A#{account_id}", f"NOTICE#{uuid}"


def assignment(account_id: str, uuid: str = "") -> Key:
    """An application's token that a user is offered; without a uuid, the prefix of all."""
    return f"A#{account_id}", f"ASSIGNED#{uuid}"


def registry_size() -> Key:
    """How many bytes all namespaces link, as last counted."""
    return "SYSTEM", "BYTES"


def team_name(namespace_id: str, name: str = "") -> Key:
    """Team name -> id; without a name, the prefix of all."""
    return f"N#{namespace_id}", f"TEAM#{name}"


def team(identifier: str) -> Key:
    """A team."""
    return f"T#{identifier}", META


def team_member(team_id: str, account_id: str = "") -> Key:
    """That an account is in a team, found by the team; without an account, the prefix of all."""
    return f"T#{team_id}", f"WITH#{account_id}"


def membership(account_id: str, namespace_id: str = "", team_id: str = "") -> Key:
    """That an account is in a team, found by the account; without team or namespace, the prefix of those that are."""
    return f"A#{account_id}", f"MEMBER#{namespace_id}#{team_id}" if namespace_id else "MEMBER#"


def account_with_memberships(account_id: str) -> Key:
    """An account and all its memberships: partition and prefix, which both begin with."""
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
    """All that lies with a namespace but itself, its sizes and repositories: partition, first and last."""
    kept = ("GONE#", META, "REPO#", "SIZE#")
    firsts = ["\x01", *(f"{prefix}\x7f" for prefix in kept)]
    # The last key before all that begin with a prefix: what is asked for has both its ends.
    lasts = [*(f"{prefix[:-1]}{chr(ord(prefix[-1]) - 1)}\x7f" for prefix in kept), "\x7f"]
    return [(f"N#{namespace_id}", first, last) for first, last in zip(firsts, lasts, strict=True)]


def purged_team(target: str) -> tuple[str, str] | None:
    """Ids of organization and team, where that is what a purge is for; None where it is for a namespace."""
    parts = target.split("#")
    return (parts[1], parts[3]) if len(parts) == 4 else None


def used(account_id: str, uuid: str = "") -> Key:
    """When a token was last used; without a uuid, the prefix of all."""
    return f"A#{account_id}", f"USED#{uuid}"


def code(sha256: str) -> Key:
    """An OAuth code, found by its hash."""
    return f"CODE#{sha256}", META


def throttle(what: str) -> Key:
    """Attempts at a door, counted."""
    return f"THROTTLE#{what}", META


def word(first: str, word: str, target: str = "") -> Key:
    """What a search finds by a word, under its first two letters; without a target, the prefix of the word."""
    return f"WORD#{first}", f"{word}#{target}" if target else word


def issuer_keys(issuer: str) -> Key:
    """The keys of an issuer of tokens that are not ours."""
    return f"KEYS#{issuer}", META


def token(sha256: str) -> Key:
    """A random token, found by its hash."""
    return f"TOKEN#{sha256}", META


def account_token(account_id: str, kind: str, uuid: str) -> Key:
    """A random token, listed by its owner."""
    return f"A#{account_id}", f"TOKEN#{kind}#{uuid}"


def team_target(namespace_id: str, team_id: str) -> str:
    """What a purge timer for a deleted team is for."""
    return f"N#{namespace_id}#T#{team_id}"


def account_tokens(account_id: str) -> Key:
    """All random tokens of an account, of whatever kind: partition and prefix."""
    return f"A#{account_id}", "TOKEN#"


def account_leavings(account_id: str) -> list[Key]:
    """What an account has that nothing else points to: partitions and prefixes."""
    kinds = ("ASSIGNED#", "NOTICE#", "STAR#", "USED#")
    return [(f"A#{account_id}", kind) for kind in kinds]
