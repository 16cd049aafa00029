"""The keys of an installation on AWS: made here, kept in Secrets Manager, told to the edge; never in Terraform's state.

    python -m infra.secrets put SECRET [--edge STORE]
    python -m infra.secrets setup SECRET
    python -m infra.secrets rotate SECRET [--edge STORE] --function NAME ... [--forget]

`put` makes what the secret lacks. `setup` prints the field `setup_secret` of `POST /api/v1/user/initialize`, which lets
the first user be made over the API; it is worth nothing once there is one. `rotate` makes new keys in two steps, so
that nothing that is signed meanwhile is refused: first everybody believes them, then everybody uses them. Terraform's
outputs `fill_keys` and `rotate_keys` are these lines with the names of an installation.
"""

import argparse
import json
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session
from joserfc.jwk import ECKey

from infra import sigv4a
from infra.arns import arn_of

Document = dict[str, Any]
# Keys that stand in a list, the current one first.
LISTS = ("signing", "upload", "origin")
# How many of a list are believed: the new one, and those of the two turns before.
KEPT = 3
MARK = "; keys of "


class SecretsError(Exception):
    """What went wrong and what to do, in a sentence."""


def new_keys() -> Document:
    """A whole set of fresh keys, as chalicelib/storage/secrets.py reads them; `origin` proves requests of the edge."""
    signing = ECKey.generate_key("P-256", {"use": "sig"}, private=True, auto_kid=True)
    return {
        "signing": [signing.as_dict(private=True)],
        "upload": [secrets.token_hex(32)],
        "origin": [secrets.token_hex(32)],
        "envelope": {"1": secrets.token_hex(32)},
        "relay": secrets.token_hex(32),
        "setup": secrets.token_urlsafe(32),
    }


def believing(document: Document, fresh: Document) -> Document:
    """The keys with fresh ones that are believed and not yet used."""
    lists = {name: [*document[name], *fresh[name]] for name in LISTS}
    return document | lists | {"envelope": _added(document, fresh) | document["envelope"]}


def using(document: Document, fresh: Document, kept: int = KEPT) -> Document:
    """The keys with fresh ones in use. An envelope key is never dropped: what it sealed could not be read again."""
    lists = {name: [*fresh[name], *document[name]][:kept] for name in LISTS}
    return document | lists | {"envelope": document["envelope"] | _added(document, fresh)}


def _added(document: Document, fresh: Document) -> Document:
    (key,) = fresh["envelope"].values()
    return {str(max(map(int, document["envelope"])) + 1): key}


class KeySecret:
    """The secret."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client, self._arn = client, arn

    def read(self) -> Document:
        """Its keys; none where nobody wrote any yet."""
        self._client.describe_secret(SecretId=self._arn)
        try:
            text = self._client.get_secret_value(SecretId=self._arn).get("SecretString")
        except self._client.exceptions.ResourceNotFoundException:
            # The secret is there, as was just seen: what is missing is a value.
            return {}
        found: Document = json.loads(text) if text else {}
        return found

    def write(self, document: Document) -> None:
        """Makes these its keys."""
        self._client.put_secret_value(SecretId=self._arn, SecretString=json.dumps(document))


class EdgeKeyStore:
    """CloudFront's key value store, of which edge/viewer_request.js reads `upload` and `origin`."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client, self._arn = client, arn

    def write(self, document: Document) -> None:
        """Tells the edge what it must know of the keys."""
        etag = self._client.describe_key_value_store(KvsARN=self._arn)["ETag"]
        told = [{"Key": name, "Value": json.dumps(document[name])} for name in ("upload", "origin")]
        self._client.update_keys(KvsARN=self._arn, IfMatch=etag, Puts=told)


class SecretReaders:
    """The functions, which read the secret when they start."""

    def __init__(self, client: Any, names: Sequence[str]) -> None:
        self._client, self._names = client, names

    def restart(self) -> None:
        """Lets no request reach a process that started before; waits until that is so."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        for name in self._names:
            described = self._client.get_function_configuration(FunctionName=name).get("Description", "")
            # Any change of its configuration starts a function anew; Terraform leaves this one alone.
            text = described.partition(MARK)[0] + MARK + now
            self._client.update_function_configuration(FunctionName=name, Description=text)
        for name in self._names:
            self._client.get_waiter("function_updated_v2").wait(FunctionName=name)


def put(vault: KeySecret, edge: EdgeKeyStore | None) -> str:
    """Makes the keys that are missing and tells the edge; what was done, in a sentence."""
    stored = vault.read()
    document = new_keys() | stored
    if document != stored:
        vault.write(document)
    _tell(edge, document)
    made = sorted(document.keys() - stored.keys())
    return f"Made new keys: {', '.join(made)}." if made else "All keys were there already."


def setup(vault: KeySecret) -> str:
    """The set-up secret. Raises SecretsError where there is none."""
    found = vault.read().get("setup")
    if not found:
        raise SecretsError("The secret has no set-up secret: run `python -m infra.secrets put` first.")
    return str(found)


def rotate(vault: KeySecret, edge: EdgeKeyStore | None, functions: SecretReaders, kept: int = KEPT) -> str:
    """Makes new keys, has them believed everywhere and then used; what was done, in a sentence."""
    stored = vault.read()
    if missing := sorted(new_keys().keys() - stored.keys()):
        raise SecretsError(f"The secret lacks {', '.join(missing)}: run `python -m infra.secrets put` first.")
    fresh = new_keys()
    believed, used = believing(stored, fresh), using(stored, fresh, kept)
    _tell(edge, believed)
    vault.write(believed)
    functions.restart()
    # Whatever runs now believes both: the edge may prove itself by the new key, and the functions sign with theirs.
    _tell(edge, believed | {"origin": used["origin"]})
    vault.write(used)
    functions.restart()
    _tell(edge, used)
    old = "The old ones are believed no longer" if kept == 1 else "The old ones are believed for another two turns"
    return f"New keys are in use: signing, upload, origin, envelope. {old}; the relay's key stays."


def _tell(edge: EdgeKeyStore | None, document: Document) -> None:
    if edge:
        edge.write(document)


def main(words: Sequence[str]) -> int:
    """Does as asked; 1 with a sentence when it cannot."""
    parsed = _parser().parse_args(words)
    try:
        vault = KeySecret(_client("secretsmanager", parsed.secret), parsed.secret)
        address = getattr(parsed, "edge", None)
        edge = EdgeKeyStore(_client("cloudfront-keyvaluestore", address), address) if address else None
        if parsed.command == "setup":
            print(setup(vault))
        elif parsed.command == "put":
            print(put(vault, edge))
        else:
            functions = SecretReaders(_client("lambda", parsed.secret), parsed.function)
            print(rotate(vault, edge, functions, 1 if parsed.forget else KEPT))
    except SecretsError as error:
        print(error, file=sys.stderr)
        return 1
    except (ClientError, BotoCoreError) as error:
        print(f"AWS refused: {error}", file=sys.stderr)
        return 1
    return 0


def _client(service: str, arn: str) -> Any:
    sigv4a.install()
    # CloudFront's ARNs name no region; its API lives in this one.
    return get_session().create_client(service, region_name=arn.split(":")[3] or "us-east-1")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.secrets", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    rotating = commands.add_parser("rotate", help="new keys; the old ones stay believed for two turns")
    rotating.add_argument("--function", action="append", required=True, help="a function that reads the secret")
    rotating.add_argument("--forget", action="store_true", help="believe only the new keys, after a theft")
    for command in (rotating, commands.add_parser("put", help="make the keys that are missing")):
        command.add_argument("secret", type=arn_of("secretsmanager"), help="ARN of the secret")
        command.add_argument("--edge", type=arn_of("cloudfront"), help="ARN of CloudFront's key value store")
    showing = commands.add_parser("setup", help="print what makes the first user over the API")
    showing.add_argument("secret", type=arn_of("secretsmanager"), help="ARN of the secret")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
