"""Changes accounts of a running local stack from the command line: users, robots, tokens, permissions, visibility.

    python -m infra.local.account user NAME PASSWORD
    python -m infra.local.account password NAME [PASSWORD]          gives a new one, for whoever lost theirs
    python -m infra.local.account token NAME                        prints an API token with all the user's rights
    python -m infra.local.account robot NAMESPACE NAME              prints the robot's token
    python -m infra.local.account grant NAMESPACE/REPOSITORY ACCOUNT read|write|admin
    python -m infra.local.account visibility NAMESPACE/REPOSITORY public|private

It writes to the table directly and needs the environment of a worker, which `make account ARGUMENTS="…"` provides.
"""

import argparse
import sys

from chalicelib.domain.accounts import RobotName
from chalicelib.domain.errors import NameUnknown, RegistryError
from chalicelib.domain.names import RepositoryName
from chalicelib.domain.permissions import Actor, HolderKind, Role
from chalicelib.domain.repositories import Visibility
from chalicelib.wiring import Services, services
from infra.first_user import reset_password


def main() -> int:
    """Runs one command; prints a sentence and returns 1 if it is refused."""
    arguments = _parser().parse_args()
    try:
        print(arguments.run(services(), arguments))
    except RegistryError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for run, names in (
        (_user, ("name", "password")),
        (_password, ("name",)),
        (_token, ("name",)),
        (_robot, ("namespace", "name")),
        (_grant, ("repository", "account", "role")),
        (_visibility, ("repository", "visibility")),
    ):
        command = commands.add_parser(run.__name__.removeprefix("_"))
        command.set_defaults(run=run)
        for name in names:
            command.add_argument(name, choices=CHOICES.get(name))
        if run is _password:
            command.add_argument("password", nargs="?")
    return parser


CHOICES = {"role": [role.value for role in Role], "visibility": [visibility.value for visibility in Visibility]}


def _user(container: Services, arguments: argparse.Namespace) -> str:
    created = container.accounts.accounts.create_user(arguments.name, arguments.password)
    return f"{created.name} is a user now"


def _password(container: Services, arguments: argparse.Namespace) -> str:
    return reset_password(container.accounts.accounts, arguments.name, arguments.password)


def _token(container: Services, arguments: argparse.Namespace) -> str:
    user = container.accounts.accounts.find(arguments.name)
    return container.identity.setup.create_token(user)


def _robot(container: Services, arguments: argparse.Namespace) -> str:
    owner = container.accounts.accounts.find(arguments.namespace)
    name = RobotName.parse(f"{arguments.namespace}+{arguments.name}")
    return container.accounts.robots.create(Actor(owner.id, owner.name), name).token or ""


def _grant(container: Services, arguments: argparse.Namespace) -> str:
    name = RepositoryName.parse(arguments.repository)
    permission = container.accounts.permissions.put(
        _owner(container, name), name, HolderKind.USER, arguments.account, Role(arguments.role)
    )
    return f"{permission.name} has {permission.role} on {name}"


def _visibility(container: Services, arguments: argparse.Namespace) -> str:
    name = RepositoryName.parse(arguments.repository)
    container.registry.repositories.change_visibility(_owner(container, name), name, Visibility(arguments.visibility))
    return f"{name} is {arguments.visibility}"


def _owner(container: Services, name: RepositoryName) -> Actor:
    """Returns the owner of a repository's namespace; the operator of the stack acts as this account."""
    owner = container.accounts.accounts.find(name.namespace)
    grant = container.security.access.walk(owner, name)
    if grant.repository_id is None:
        raise NameUnknown(str(name))
    return Actor(owner.id, owner.name, grants={str(name): grant})


if __name__ == "__main__":
    sys.exit(main())
