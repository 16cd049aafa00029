"""Makes the first user of an installation on AWS, a superuser; this needs the right to write to its table.

    python -m infra.first_user TABLE KEYS [--name admin] [--reset]

`--reset` gives a user who lost their password a new one, and ends their sessions.

Terraform's output `first_user` is this command line with the ARNs of an installation. The password comes from
CLOUDBERTH_ADMIN_PASSWORD; without it a random password is made and printed once.
"""

import argparse
import os
import secrets
import sys
from collections.abc import Mapping, Sequence

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from chalicelib.domain.errors import RegistryError
from chalicelib.services.accounts.accounts import Accounts
from chalicelib.settings import Settings
from chalicelib.wiring import Services
from infra.arns import arn_of


def make_first_user(accounts: Accounts, environment: Mapping[str, str]) -> dict[str, object]:
    """Makes the first user unless there is one, and returns it with its new password. Raises NameInvalid."""
    name = environment.get("CLOUDBERTH_ADMIN", "admin")
    if accounts.has_first_user():
        return {"created": False, "user": name, "password": None}
    password = environment.get("CLOUDBERTH_ADMIN_PASSWORD") or secrets.token_urlsafe(12)
    accounts.create_user(name, password, first=True)
    return {"created": True, "user": name, "password": password}


def reset_password(accounts: Accounts, name: str, chosen: str | None) -> str:
    """Gives a user a new password, a random one if none is chosen, and returns a sentence with a random one.

    Raises AccountUnknown, FieldInvalid.
    """
    password = chosen or secrets.token_urlsafe(12)
    accounts.reset_password(name, password)
    shown = "the chosen password" if chosen else f"a new password, shown only once: {password}"
    return f"{name} has {shown}   (all sessions and tokens of before have ended)"


def main(words: Sequence[str]) -> int:
    """Makes the first user; prints a sentence and returns 1 if that fails."""
    parsed = _parser().parse_args(words)
    os.environ["AWS_DEFAULT_REGION"] = parsed.table.split(":")[3]
    chosen = Settings(table=parsed.table.rpartition("/")[2], secrets=parsed.keys)
    accounts = Services(chosen).accounts.accounts
    try:
        if parsed.reset:
            print(reset_password(accounts, parsed.name, os.environ.get("CLOUDBERTH_ADMIN_PASSWORD")))
            return 0
        report = make_first_user(accounts, os.environ | {"CLOUDBERTH_ADMIN": parsed.name})
    except RegistryError as error:
        print(error, file=sys.stderr)
        return 1
    except (ClientError, BotoCoreError, PynamoDBException) as error:
        print(f"AWS refused: {error}", file=sys.stderr)
        return 1
    print(sentence(report))
    return 0


def sentence(report: Mapping[str, object]) -> str:
    """Says what was done, with the password if it is random."""
    if not report["created"]:
        return "There is a first user already; nothing was changed."
    if os.environ.get("CLOUDBERTH_ADMIN_PASSWORD"):
        return f"Made {report['user']}, a superuser, with the password of CLOUDBERTH_ADMIN_PASSWORD."
    return f"Made {report['user']}, a superuser. The password, shown only once: {report['password']}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.first_user", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=arn_of("dynamodb"), help="ARN of the table")
    parser.add_argument("keys", type=arn_of("secretsmanager"), help="ARN of the secret that holds the keys")
    parser.add_argument("--name", default="admin", help="the user's name (admin)")
    parser.add_argument("--reset", action="store_true", help="give the user a new password")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
