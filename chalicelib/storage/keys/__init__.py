"""Every key and index value of the one table. No other package writes one as a literal.

NAME#<name>              META                    account name -> id
EMAIL#<lower case>       META                    e-mail -> account id
SYSTEM                   FIRST                   the first superuser
                         RECONCILE               how far the bucket is looked through
                         GARBAGE                 what the collector has removed
                         TURN                    the last turn in which timers were due
                         MESSAGE#<uuid>          message to everybody
                         BYTES                   bytes that all namespaces link
N#<namespace>            META                    namespace
                         REPO#<repository>       repository name -> id
                         GONE#<repo>#<ulid>      deleted repository
                         FORMER#<name>           name that it had, which is not free yet
                         ROBOT#<name>            robot
                         TEAM#<name>             team name -> id
                         PROTOTYPE#<uuid>        default permission
                         POLICY#<uuid>           policy for all its repositories
                         APP#<client>            OAuth application
                         APPTOKEN#<client>#<uu>  token of an application, to list and revoke by
                         GIVEN#<account>#<repo>  that an account has a role on a repository
                         SIZE#<0..7>             bytes linked
                         ROOM                    how often bytes were added under a quota, of what it was warned
A#<account>              META                    user or robot
                         MEMBER#<ns>#<team>      membership of a team
                         ROLE#<ns>#<repo>        role on a repository
                         TOKEN#<kind>#<uuid>     token, to list and revoke by
                         USED#<uuid>             when a token was last used
                         STAR#<repo>             starred repository
                         NOTICE#<uuid>           something that the user is told
                         ASSIGNED#<uuid>         an application's token that the user is offered
T#<team>                 META                    team
                         WITH#<account>          member of it
                         ROLE#<ns>#<repo>        role on a repository
CLIENT#<client>          META                    OAuth application, to find
TOKEN#<sha256>           META                    token, to find
CODE#<sha256>            META                    OAuth code
THROTTLE#<what>          META                    attempts at a door
WORD#<two letters>       <word>#<what>           search
KEYS#<issuer>            META                    keys of somebody else's tokens
COUNT#LOG#…              <day>                   events of a day that have been counted
R#<repository>           META                    the way back to the name
                         PERM#<account or team>  role of an account or a team
                         POLICY#<uuid>           policy for its tags
                         PUSHED                  when a tag was last pushed
                         SIZE#<0..7>             bytes linked
                         TAG#<tag>               tag, alive
                         LIFE#<tag>#<ulid>       a tag's life
                         MAN#<digest>            manifest: what changes
                         BODY#<digest>           manifest: what does not
                         LABEL#<digest>#<uuid>   label that was added to a manifest
                         TAGGED#<digest>#<tag>   edge: a tag keeps a manifest
                         PARENT#<child>#<parent> edge: an index keeps a manifest
                         REFERRER#<subject>#<d>  edge: a subject keeps its referrers
                         USES#<blob>#<manifest>  edge: a manifest keeps a blob
                         BLOB#<digest>           link: this repository has this blob
BLOB#<digest>            META                    blob: where its bytes lie
                         LINK#<repository>       who has it
FENCE#<S3 key>           META                    a key that is being deleted
UP#<upload>              META, PART#<number>     upload
LOG#R#<repository>#c, …#p  <ulid>                usage log: changes, pulls (LOG#N#<namespace>#… without repository)
PULLS#R#<repository>     UPTO                    up to where pulls are counted
                         OF#<tag or digest>      how often it was pulled, and when last
EXPORT#<sha256>          META                    file of the usage log, by the hash of what opens it
TIMER#<kind>#<target>    META                    work that is due at a time; targets are R#<repo>#MAN|BLOB#<digest>,
                                                 R#<repo>#TAG#<tag>#<life>, BLOB#<digest>, KEY#<digest>#<S3 key>,
                                                 R#<repo>, R#<repo>#HOUR#<seconds>, UP#<upload>, N#<namespace> …

Index `due`  (due, due_at):   <kind>#<shard> / seconds        tags with an end, timers
                              LOG#c|p#<shard> / ULID, a number  usage log of everybody
Index `view` (view, view_at): ALIVE#R#<repository> / ULID of the life, LIFE#R#<repository> / ULID, LOG#N#…#c|p / ULID,
                              CATALOG#public|private / full name, ACCOUNTS#user|organization / name,
                              TOKENS#app / ULID, DEAD#N#<namespace> / seconds#<target of a garbage timer>
"""

from chalicelib.storage.keys.accounts import *
from chalicelib.storage.keys.contents import *
from chalicelib.storage.keys.indexes import *
from chalicelib.storage.keys.key import META as META
from chalicelib.storage.keys.key import SHARDS as SHARDS
from chalicelib.storage.keys.key import Key as Key
from chalicelib.storage.keys.repositories import *
from chalicelib.storage.keys.timers import *
