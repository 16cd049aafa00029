"""The first user of an installation on AWS, a superuser: made once, by somebody who may write to its table.

    python -m infra.first_user TABLE KEYS [--name admin]

Terraform's output `first_user` is this line with the ARNs of an installation. The password is taken from
CLOUDBERTH_ADMIN_PASSWORD; without it a random one is made and printed, once.
"""

import argparse
import os
import secrets
import sys
from collections.abc import Mapping, Sequence

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from chalicelib.domain.errors import RegistryError
from chalicelib.services.accounts import Accounts
from chalicelib.settings import Settings
from chalicelib.wiring import Services
from infra.arns import arn_of


def make_first_user(accounts: Accounts, environment: Mapping[str, str]) -> dict[str, object]:
    """Makes the first user unless there is one; a password that nobody chose is told once. Raises NameInvalid."""
    name = environment.get("CLOUDBERTH_ADMIN", "admin")
    if accounts.has_first_user():
        return {"created": False, "user": name, "password": None}
    password = environment.get("CLOUDBERTH_ADMIN_PASSWORD") or secrets.token_urlsafe(12)
    accounts.create_user(name, password, first=True)
    return {"created": True, "user": name, "password": password}


def main(words: Sequence[str]) -> int:
    """Does as asked; 1 with a sentence when it cannot."""
    parsed = _parser().parse_args(words)
    os.environ["AWS_DEFAULT_REGION"] = parsed.table.split(":")[3]
    chosen = Settings(table=parsed.table.rpartition("/")[2], secrets=parsed.keys)
    try:
        made = make_first_user(Services(chosen).accounts, os.environ | {"CLOUDBERTH_ADMIN": parsed.name})
    except RegistryError as error:
        print(error, file=sys.stderr)
        return 1
    except (ClientError, BotoCoreError, PynamoDBException) as error:
        print(f"AWS refused: {error}", file=sys.stderr)
        return 1
    print(sentence(made))
    return 0


def sentence(made: Mapping[str, object]) -> str:
    """What was done, with the password where nobody else knows it."""
    if not made["created"]:
        return "There is a first user already; nothing was changed."
    if os.environ.get("CLOUDBERTH_ADMIN_PASSWORD"):
        return f"Made {made['user']}, a superuser, with the password of CLOUDBERTH_ADMIN_PASSWORD."
    return f"Made {made['user']}, a superuser. The password, shown this once: {made['password']}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.first_user", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=arn_of("dynamodb"), help="ARN of the table")
    parser.add_argument("keys", type=arn_of("secretsmanager"), help="ARN of the secret that holds the keys")
    parser.add_argument("--name", default="admin", help="the user's name (admin)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
