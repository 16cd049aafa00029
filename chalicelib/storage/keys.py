"""Every key and index value of the one table. No other file spells one.

NAME#<name>              META                    account name -> id
EMAIL#<lower case>       META                    e-mail -> account id
SYSTEM                   FIRST                   the first superuser
                         RECONCILE               how far the bucket is looked through
                         MESSAGE#<uuid>          message to everybody
N#<namespace>            META                    namespace
                         REPO#<repository>       repository name -> id
                         GONE#<repo>#<ulid>      deleted repository
                         ROBOT#<name>            robot
                         TEAM#<name>             team name -> id
                         PROTOTYPE#<uuid>        default permission
                         APP#<client>            OAuth application
                         APPTOKEN#<client>#<uu>  token of an application, to list and revoke by
                         QUOTA#<n>               quota
                         SIZE#<0..7>             bytes linked
A#<account>              META                    user or robot
                         MEMBER#<ns>#<team>      membership of a team
                         GRANT#<ns>#<repo>       role on a repository
                         TOKEN#<kind>#<uuid>     token, to list and revoke by
                         USED#<uuid>             when a token was last used
                         STAR#<repo>             starred repository
T#<team>                 META                    team
                         WITH#<account>          member of it
                         GRANT#<ns>#<repo>       role on a repository
CLIENT#<client>          META                    OAuth application, to find
TOKEN#<sha256>           META                    token, to find
CODE#<sha256>            META                    OAuth code
THROTTLE#<what>          META                    attempts at a door
WORD#<two letters>       <word>#<what>           search
KEYS#<issuer>            META                    keys of somebody else's tokens
COUNT#N|R#<id>           <day>#<kind>            events of a day
R#<repository>           META                    the way back to the name
                         PERM#<account or team>  role of an account or a team
                         SIZE#<0..7>             bytes linked
                         TAG#<tag>               tag, alive
                         LIFE#<tag>#<ulid>       a tag's life
                         MAN#<digest>            manifest: what changes
                         BODY#<digest>           manifest: what does not
                         TAGGED#<digest>#<tag>   edge: a tag keeps a manifest
                         PARENT#<child>#<parent> edge: an index keeps a manifest
                         REFERRER#<subject>#<d>  edge: a subject keeps its referrers
                         USES#<blob>#<manifest>  edge: a manifest keeps a blob
                         BLOB#<digest>           link: this repository has this blob
BLOB#<digest>            META                    blob: where its bytes lie
                         LINK#<repository>       who has it
FENCE#<S3 key>           META                    a key that is being deleted
UP#<upload>              META, PART#<number>     upload
LOG#R#<repository>#<day>#c, …#p#<shard>          usage log: changes, pulls (LOG#N#<namespace>#… without repository)
                         <ulid>
OUT#<ulid>               META                    event that someone waits for
TIMER#<kind>#<target>    META                    work that is due at a time

Index `due`  (due, due_at):   <kind>#<shard> / seconds        tags with an end, timers, outbox
Index `view` (view, view_at): ALIVE#R#<repository> / ULID of the life, LIFE#R#<repository> / ULID, LOG#… / ULID,
                              CATALOG#public|private / full name, ACCOUNTS#user|organization / name
"""

import datetime
import zlib

from chalicelib.domain.digests import Digest

Key = tuple[str, str]
META = "META"
SHARDS = 8


def account_name(name: str) -> Key:
    """Account name -> id."""
    return f"NAME#{name}", META


def first_user() -> Key:
    """The first superuser."""
    return "SYSTEM", "FIRST"


def reconcile() -> Key:
    """How far the bucket has been looked through."""
    return "SYSTEM", "RECONCILE"


def namespace(identifier: str) -> Key:
    """A namespace itself."""
    return f"N#{identifier}", META


def namespace_id(key: str) -> str:
    """The namespace whose partition this is."""
    return key.removeprefix("N#")


def repository_name(namespace_id: str, repository: str) -> Key:
    """Repository name -> id."""
    return f"N#{namespace_id}", f"REPO#{repository}"


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


def team_name(namespace_id: str, name: str = "") -> Key:
    """Team name -> id; without a name, the prefix of all."""
    return f"N#{namespace_id}", f"TEAM#{name}"


def team(identifier: str) -> Key:
    """A team."""
    return f"T#{identifier}", META


def team_member(team_id: str, account_id: str = "") -> Key:
    """That an account is in a team, found by the team; without an account, the prefix of all."""
    return f"T#{team_id}", f"WITH#{account_id}"


def membership(account_id: str, namespace_id: str, team_id: str = "") -> Key:
    """That an account is in a team, found by the account; without a team, the prefix of an organization's."""
    return f"A#{account_id}", f"MEMBER#{namespace_id}#{team_id}"


def account_with_memberships(account_id: str) -> Key:
    """An account and all its memberships: partition and prefix, which both begin with."""
    return f"A#{account_id}", "ME"


def prototype(namespace_id: str, uuid: str = "") -> Key:
    """A default permission of an organization; without a uuid, the prefix of all."""
    return f"N#{namespace_id}", f"PROTOTYPE#{uuid}"


def application(namespace_id: str, client_id: str = "") -> Key:
    """An OAuth application of an organization; without an id, the prefix of all."""
    return f"N#{namespace_id}", f"APP#{client_id}"


def client(client_id: str) -> Key:
    """An OAuth application, found by its client id."""
    return f"CLIENT#{client_id}", META


def application_token(namespace_id: str, client_id: str, uuid: str = "") -> Key:
    """A token of an application, listed by its organization; without a uuid, the prefix of all."""
    return f"N#{namespace_id}", f"APPTOKEN#{client_id}#{uuid}"


def quota(namespace_id: str, identifier: str = "") -> Key:
    """A quota of a namespace; without an id, the prefix of all."""
    return f"N#{namespace_id}", f"QUOTA#{identifier}"


def gone(namespace_id: str, repository: str, ulid: str) -> Key:
    """A repository that was deleted, while it can be restored."""
    return f"N#{namespace_id}", f"GONE#{repository}#{ulid}"


def star(account_id: str, repository_id: str = "") -> Key:
    """A repository that a user has starred; without one, the prefix of all."""
    return f"A#{account_id}", f"STAR#{repository_id}"


def used(account_id: str, uuid: str = "") -> Key:
    """When a token was last used; without a uuid, the prefix of all."""
    return f"A#{account_id}", f"USED#{uuid}"


def team_grant(team_id: str, namespace_id: str, repository_id: str) -> Key:
    """A team's role on a repository, found by team."""
    return f"T#{team_id}", f"GRANT#{namespace_id}#{repository_id}"


def team_grants(team_id: str) -> Key:
    """All grants of a team: partition and prefix."""
    return f"T#{team_id}", "GRANT#"


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


def count(owner: str, day: str, kind: str = "") -> Key:
    """How often something happened on a day; `owner` is `N#` or `R#` and an id; without a kind, the day's prefix."""
    return f"COUNT#{owner}", f"{day}#{kind}"


def grant(account_id: str, namespace_id: str, repository_id: str) -> Key:
    """An account's role on a repository, found by account."""
    return f"A#{account_id}", f"GRANT#{namespace_id}#{repository_id}"


def grants(account_id: str) -> Key:
    """All grants of an account: partition and prefix."""
    return f"A#{account_id}", "GRANT#"


def token(sha256: str) -> Key:
    """A random token, found by its hash."""
    return f"TOKEN#{sha256}", META


def account_token(account_id: str, kind: str, uuid: str) -> Key:
    """A random token, listed by its owner."""
    return f"A#{account_id}", f"TOKEN#{kind}#{uuid}"


def repository(identifier: str) -> Key:
    """A repository's way back to its name."""
    return f"R#{identifier}", META


def permission(repository_id: str, holder_id: str = "") -> Key:
    """The role of an account or a team on a repository, found by repository; without one, the prefix of all."""
    return f"R#{repository_id}", f"PERM#{holder_id}"


def sizes(namespace_id: str, repository_id: str, digest: Digest) -> tuple[Key, Key]:
    """The two counters of linked bytes that a blob's link moves."""
    shard = f"SIZE#{int(digest.hex[:2], 16) % SHARDS}"
    return (f"N#{namespace_id}", shard), (f"R#{repository_id}", shard)


def namespace_sizes(namespace_id: str) -> list[Key]:
    """All counters of a namespace's linked bytes."""
    return [(f"N#{namespace_id}", f"SIZE#{shard}") for shard in range(SHARDS)]


def tag(repository_id: str, name: str) -> Key:
    """A tag that is alive."""
    return f"R#{repository_id}", f"TAG#{name}"


def life(repository_id: str, name: str, ulid: str) -> Key:
    """One life of a tag."""
    return f"R#{repository_id}", f"LIFE#{name}#{ulid}"


def manifest(repository_id: str, digest: Digest) -> Key:
    """A manifest's state."""
    return f"R#{repository_id}", f"MAN#{digest}"


def body(repository_id: str, digest: Digest) -> Key:
    """A manifest's bytes."""
    return f"R#{repository_id}", f"BODY#{digest}"


def tagged(repository_id: str, digest: Digest, name: str = "") -> Key:
    """The edge from a tag to its manifest; without a name, the prefix of all."""
    return f"R#{repository_id}", f"TAGGED#{digest}#{name}"


def parent(repository_id: str, child: Digest, parent_digest: Digest) -> Key:
    """The edge from an index to a manifest it names."""
    return f"R#{repository_id}", f"PARENT#{child}#{parent_digest}"


def referrer(repository_id: str, subject: Digest, digest: Digest | None = None) -> Key:
    """The edge from a subject to a manifest that refers to it; without a digest, the prefix of all."""
    return f"R#{repository_id}", f"REFERRER#{subject}#{digest or ''}"


def uses(repository_id: str, blob_digest: Digest, manifest_digest: Digest | None = None) -> Key:
    """The edge from a manifest to a blob it names; without a manifest, the prefix of all."""
    return f"R#{repository_id}", f"USES#{blob_digest}#{manifest_digest or ''}"


def blob_link(repository_id: str, digest: Digest) -> Key:
    """That a repository has a blob."""
    return f"R#{repository_id}", f"BLOB#{digest}"


def blob(digest: Digest) -> Key:
    """A blob over all repositories."""
    return f"BLOB#{digest}", META


def link(digest: Digest, repository_id: str = "") -> Key:
    """The way from a blob to a repository that has it; without a repository, the prefix of all."""
    return f"BLOB#{digest}", f"LINK#{repository_id}"


def fence(s3_key: str) -> Key:
    """An S3 key that is being deleted."""
    return f"FENCE#{s3_key}", META


def upload(identifier: str) -> Key:
    """An upload."""
    return f"UP#{identifier}", META


def upload_id(key: str) -> str:
    """The upload whose partition this is."""
    return key.removeprefix("UP#")


def part(upload_id: str, number: int | None = None) -> Key:
    """A part of an upload; without a number, the prefix of all."""
    return f"UP#{upload_id}", "PART#" if number is None else f"PART#{number:05d}"


def log(namespace_id: str, repository_id: str | None, at: float, shard: str, ulid: str) -> Key:
    """A record of the usage log; `shard` is `c` for changes and `p#<n>` for pulls."""
    owner = f"R#{repository_id}" if repository_id else f"N#{namespace_id}"
    day = datetime.datetime.fromtimestamp(at, datetime.UTC).date().isoformat()
    return f"LOG#{owner}#{day}#{shard}", ulid


def outbox(ulid: str) -> Key:
    """An event that someone waits for."""
    return f"OUT#{ulid}", META


def timer(kind: str, target: str) -> Key:
    """Work that is due."""
    return f"TIMER#{kind}#{target}", META


def blob_target(repository_id: str, digest: Digest) -> str:
    """What a garbage timer for a blob link is for."""
    return f"R#{repository_id}#BLOB#{digest}"


def manifest_target(repository_id: str, digest: Digest) -> str:
    """What a garbage timer for a manifest is for."""
    return f"R#{repository_id}#MAN#{digest}"


def tag_target(repository_id: str, name: str) -> str:
    """What an expiry timer is for."""
    return f"R#{repository_id}#TAG#{name}"


def due(kind: str, target: str) -> str:
    """Index `due`: the partition of a kind of work."""
    return f"{kind}#{zlib.crc32(target.encode()) % SHARDS}"


def view_alive(repository_id: str) -> str:
    """Index `view`: tags that are alive, newest first."""
    return f"ALIVE#R#{repository_id}"


def view_lives(repository_id: str) -> str:
    """Index `view`: the history of tags."""
    return f"LIFE#R#{repository_id}"


def view_catalog(visibility: str) -> str:
    """Index `view`: repositories by full name."""
    return f"CATALOG#{visibility}"


def view_accounts(kind: str) -> str:
    """Index `view`: accounts by name."""
    return f"ACCOUNTS#{kind}"
