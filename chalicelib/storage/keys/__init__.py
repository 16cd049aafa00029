"""Every key and index value of the one table. No other package writes one as a literal.

NAME#<name>              META                    account name -> id
EMAIL#<lower case>       META                    e-mail -> account id
SYSTEM                   FIRST                   the first superuser
                         RECONCILE               how far the bucket has been searched for orphans
                         GARBAGE                 how much the collector has removed
                         TURN                    the last run of the timer job that found work
                         MESSAGE#<uuid>          message to all users
                         BYTES                   bytes that all namespaces link
N#<namespace>            META                    namespace
                         REPO#<repository>       repository name -> id
                         GONE#<repo>#<ulid>      deleted repository
                         BEGUN#<repository>      id that a repository will have, whose first upload has begun
                         FORMER#<name>           former name, still reserved
                         ROBOT#<name>            robot
                         TEAM#<name>             team name -> id
                         PROTOTYPE#<uuid>        default permission
                         POLICY#<uuid>           policy for all its repositories
                         APP#<client>            OAuth application
                         APPTOKEN#<client>#<uu>  token of an application, to list and revoke by
                         GIVEN#<account>#<repo>  account that has a role on a repository
                         PROXYCACHE              proxy cache that the organization is
                         ORGMIRROR               mirror of the organization: its settings and status
                         ORGMIRROR#<name>        repository that it discovered
                         SIZE#<0..7>             bytes linked
                         ROOM                    writes counted under a quota that rejects, last warning
A#<account>              META                    user or robot
                         MEMBER#<ns>#<team>      membership of a team
                         ROLE#<ns>#<repo>        role on a repository
                         TOKEN#<kind>#<uuid>     token, to list and revoke by
                         USED#<uuid>             when a token was last used
                         STAR#<repo>             starred repository
                         NOTICE#<uuid>           notification for the user
                         ASSIGNED#<uuid>         token of an application, offered to the user
                         MIRROR#<repository>     repository or organization into which the robot mirrors
T#<team>                 META                    team
                         WITH#<account>          member of it
                         ROLE#<ns>#<repo>        role on a repository
CLIENT#<client>          META                    OAuth application, by client id
TOKEN#<sha256>           META                    token, by its hash
CODE#<sha256>            META                    OAuth code, by its hash
THROTTLE#<what>          META                    failed sign-ins and other attempts, counted
WORD#<two letters>       <word>#<what>           what search finds by a word
KEYS#<issuer>            META                    keys of an external token issuer
COUNT#LOG#…              <day>                   events of a day, counted
R#<repository>           META                    repository by its id, with its name
                         PERM#<account or team>  role of an account or a team
                         POLICY#<uuid>           policy for its tags
                         PUSHED                  time of the last push of a tag
                         SIZE#<0..7>             bytes linked
                         TAG#<tag>               live tag
                         LIFE#<tag>#<ulid>       one life of a tag, ended or not
                         MAN#<digest>            manifest: its state, which changes
                         BODY#<digest>           manifest: its bytes, which do not change
                         LABEL#<digest>#<uuid>   label that was added to a manifest
                         TAGGED#<digest>#<tag>   edge: a tag keeps a manifest
                         PARENT#<child>#<parent> edge: an index keeps a manifest
                         REFERRER#<subject>#<d>  edge: a subject keeps its referrers
                         USES#<blob>#<manifest>  edge: a manifest keeps a blob
                         BLOB#<digest>           link: the repository has the blob
                         CHECKED#<tag>           tag of a proxy cache: what upstream last said of it
                         MIRROR                  mirror: its settings and status
                         RUN#<run>               run of the mirror
RUN#<run>                TAG#<tag>               tag that a run of a mirror changes
                         BLOB#<digest>           blob that it fetches
UPSTREAM#<host>#<user>   META                    other registry: not to be asked before a time
BLOB#<digest>            META                    blob: the S3 key of its bytes
                         LINK#<repository>       a repository that has it
                         IN#<namespace>          how many repositories of a namespace have it
FENCE#<S3 key>           META                    S3 key that is being deleted
UP#<upload>              META, PART#<number>     upload
LOG#R#<repository>#c, …#p  <ulid>                usage log: changes, pulls (LOG#N#<namespace>#… without repository)
PULLS#R#<repository>     UPTO                    last log record whose pulls are counted
                         OF#<tag or digest>      number of pulls, time of the last one
                         LOOKUP#<hash>           tag that a puller looked up last, by who and by digest
EXPORT#<sha256>          META                    exported usage log, by the hash of the secret in its URL
TIMER#<kind>#<target>    META                    work that is due at a time; targets are R#<repo>#MAN|BLOB#<digest>,
                                                 R#<repo>#TAG#<tag>#<life>, BLOB#<digest>, KEY#<digest>#<S3 key>,
                                                 R#<repo>, R#<repo>#HOUR#<seconds>, UP#<upload>, N#<namespace> …

Index `due`  (due, due_at):   TIMER#<shard> / seconds         timers of all kinds
                              LOG#c|p#<shard> / ULID, a number  usage log of everybody
Index `view` (view, view_at): ALIVE#R#<repository> / ULID of the life, LIFE#R#<repository> / ULID, LOG#N#…#c|p / ULID,
                              CATALOG#public|private / full name, ACCOUNTS#user|organization / name,
                              TOKENS#app / ULID, MIRRORS#<shard> / repository,
                              DEAD#N#<namespace> / seconds#<target of a garbage timer>
"""

from chalicelib.storage.keys.accounts import *
from chalicelib.storage.keys.contents import *
from chalicelib.storage.keys.indexes import *
from chalicelib.storage.keys.key import META as META
from chalicelib.storage.keys.key import SHARDS as SHARDS
from chalicelib.storage.keys.key import Key as Key
from chalicelib.storage.keys.mirrors import *
from chalicelib.storage.keys.repositories import *
from chalicelib.storage.keys.timers import *
