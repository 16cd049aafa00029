"""Acts as the robots of mirrors, with the rights that they have now."""

from chalicelib.domain.accounts import AccountKind
from chalicelib.domain.errors import MirrorInvalid
from chalicelib.domain.permissions import PUSH, Actor, permits
from chalicelib.domain.repositories import Repository
from chalicelib.services.activity.lookups import Recent
from chalicelib.services.security.access import Access
from chalicelib.storage.stores import Stores

# Like the token of a client, rights that were read are trusted for a while; every write looks at them again.
TRUSTED_S, REMEMBERED = 60, 64


class MirrorRobots:
    """The robots of mirrors."""

    def __init__(self, access: Access, stores: Stores) -> None:
        self._access, self._accounts, self._clock = access, stores.accounts, stores.clock
        self._actors: Recent[tuple[float, Actor]] = Recent(REMEMBERED)

    def actor(self, robot_id: str, repository: Repository) -> Actor:
        """Returns a robot that pushes into a repository. Raises MirrorInvalid if it no longer may."""
        name, key = repository.name, (robot_id, repository.id)
        known = self._actors.get(key)
        if known is not None and known[0] > self._clock():
            return known[1]
        account = self._accounts.get(robot_id)
        if account is None or not account.enabled:
            raise MirrorInvalid("robot_username", "the mirror's robot does not exist any more: name another one")
        grant = self._access.walk(account, name)
        if not permits(grant.actions, PUSH):
            raise MirrorInvalid("robot_username", f"{account.name} may not write into {name}: give it the role write")
        grants = {str(name): grant}
        actor = Actor(account.id, account.name, AccountKind.ROBOT, account.epoch, grants=grants, has_token=True)
        self._actors.put(key, (self._clock() + TRUSTED_S, actor))
        return actor
