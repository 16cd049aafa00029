"""Makes the keys of an installation on AWS and writes them to Secrets Manager and the edge, not to Terraform's state.

    python -m infra.secrets put SECRET [--edge STORE] [--relay SERVICE]
    python -m infra.secrets setup SECRET
    python -m infra.secrets rotate SECRET [--edge STORE] [--relay SERVICE] --function NAME ... [--forget]

`put` makes the keys that the secret lacks. `setup` prints the field `setup_secret` of `POST /api/v1/user/initialize`,
which makes the first user over the API and is useless afterwards. `rotate` makes new keys in two steps, so that nothing
that is signed meanwhile is refused: first every part accepts them, then every part uses them. Both deploy the relay
anew, since its first tasks cannot start before its key exists, and ECS gives up on them. Terraform's outputs
`fill_keys` and `rotate_keys` are these command lines with the names of an installation.
"""

import argparse
import json
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session
from joserfc.jwk import ECKey

from infra import sigv4a
from infra.arns import arn_of

Document = dict[str, Any]
# These keys are lists, with the current key first.
LISTS = ("signing", "upload", "origin")
# The length of a list after a rotation: the new key, and those of the two rotations before.
KEPT = 3
MARK = "; keys of "


class SecretsError(Exception):
    """The keys cannot be read or rotated; the message names the remedy."""


def new_keys() -> Document:
    """Returns new keys for chalicelib/storage/secrets.py; `origin` proves that a request comes from the edge."""
    signing = ECKey.generate_key("P-256", {"use": "sig"}, private=True, auto_kid=True)
    return {
        "signing": [signing.as_dict(private=True)],
        "upload": [secrets.token_hex(32)],
        "origin": [secrets.token_hex(32)],
        "envelope": {"1": secrets.token_hex(32)},
        "relay": secrets.token_hex(32),
        "setup": secrets.token_urlsafe(32),
    }


def accepting(document: Document, fresh: Document) -> Document:
    """Returns the keys together with fresh ones that are accepted but not used yet."""
    lists = {name: [*document[name], *fresh[name]] for name in LISTS}
    return document | lists | {"envelope": _added(document, fresh) | document["envelope"]}


def using(document: Document, fresh: Document, kept: int = KEPT) -> Document:
    """Returns the keys with the fresh ones in use. It keeps all envelope keys, since sealed data needs them."""
    lists = {name: [*fresh[name], *document[name]][:kept] for name in LISTS}
    return document | lists | {"envelope": document["envelope"] | _added(document, fresh)}


def _added(document: Document, fresh: Document) -> Document:
    (key,) = fresh["envelope"].values()
    return {str(max(map(int, document["envelope"])) + 1): key}


class KeySecret:
    """The secret in Secrets Manager that holds the keys."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client, self._arn = client, arn

    def read(self) -> Document:
        """Returns its keys, or an empty document if nothing was written yet."""
        self._client.describe_secret(SecretId=self._arn)
        try:
            text = self._client.get_secret_value(SecretId=self._arn).get("SecretString")
        except self._client.exceptions.ResourceNotFoundException:
            # describe_secret found the secret, so it has no value yet.
            return {}
        found: Document = json.loads(text) if text else {}
        return found

    def write(self, document: Document) -> None:
        """Replaces its keys."""
        self._client.put_secret_value(SecretId=self._arn, SecretString=json.dumps(document))


class EdgeKeyStore:
    """CloudFront's key value store, from which edge/viewer_request.js reads `upload` and `origin`."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client, self._arn = client, arn

    def write(self, document: Document) -> None:
        """Writes the keys that the edge needs."""
        etag = self._client.describe_key_value_store(KvsARN=self._arn)["ETag"]
        entries = [{"Key": name, "Value": json.dumps(document[name])} for name in ("upload", "origin")]
        self._client.update_keys(KvsARN=self._arn, IfMatch=etag, Puts=entries)


class SecretReaders:
    """The Lambda functions, which read the secret when they start."""

    def __init__(self, client: Any, names: Sequence[str]) -> None:
        self._client, self._names = client, names

    def restart(self) -> None:
        """Restarts the functions and waits until no request reaches a process that started before."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        for name in self._names:
            described = self._client.get_function_configuration(FunctionName=name).get("Description", "")
            # Any change of its configuration restarts a function, and Terraform ignores the description.
            text = described.partition(MARK)[0] + MARK + now
            self._client.update_function_configuration(FunctionName=name, Description=text)
        for name in self._names:
            self._client.get_waiter("function_updated_v2").wait(FunctionName=name)


class RelayService:
    """The relay on ECS, whose tasks read their key from the secret when they start."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        # arn:aws:ecs:<region>:<account>:service/<cluster>/<service>
        _, self._cluster, self._service = arn.rpartition(":")[2].split("/")

    def deploy(self) -> None:
        """Starts new tasks, even if the circuit breaker has stopped an earlier deployment.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
        """
        self._client.update_service(cluster=self._cluster, service=self._service, forceNewDeployment=True)


def put(vault: KeySecret, edge: EdgeKeyStore | None, relay: RelayService | None) -> str:
    """Makes the missing keys, writes them to the edge, deploys the relay, and returns a sentence about it."""
    stored = vault.read()
    document = new_keys() | stored
    if document != stored:
        vault.write(document)
    _write_edge(edge, document)
    _deploy(relay)
    new = sorted(document.keys() - stored.keys())
    return f"Made new keys: {', '.join(new)}." if new else "All keys exist already."


def setup(vault: KeySecret) -> str:
    """Returns the set-up secret. Raises SecretsError if there is none."""
    found = vault.read().get("setup")
    if not found:
        raise SecretsError("The secret has no set-up secret: run `python -m infra.secrets put` first.")
    return str(found)


@dataclass(frozen=True, slots=True)
class KeyReaders:
    """The parts of an installation that read keys: always functions, and an edge and a relay if it has them."""

    functions: SecretReaders
    edge: EdgeKeyStore | None = None
    relay: RelayService | None = None


def rotate(vault: KeySecret, readers: KeyReaders, kept: int = KEPT) -> str:
    """Makes new keys, lets every part accept them, then lets every part use them, and returns a sentence about it."""
    edge, functions = readers.edge, readers.functions
    stored = vault.read()
    if missing := sorted(new_keys().keys() - stored.keys()):
        raise SecretsError(f"The secret lacks {', '.join(missing)}: run `python -m infra.secrets put` first.")
    fresh = new_keys()
    accepted, used = accepting(stored, fresh), using(stored, fresh, kept)
    _write_edge(edge, accepted)
    vault.write(accepted)
    functions.restart()
    # Every running process accepts both now, so the edge may send the new key and the functions may sign with theirs.
    _write_edge(edge, accepted | {"origin": used["origin"]})
    vault.write(used)
    functions.restart()
    _write_edge(edge, used)
    _deploy(readers.relay)
    old = "The old ones are no longer accepted" if kept == 1 else "The old ones are accepted for two more rotations"
    return f"New keys are in use: signing, upload, origin, envelope. {old}; the relay's key is unchanged."


def _write_edge(edge: EdgeKeyStore | None, document: Document) -> None:
    if edge:
        edge.write(document)


def _deploy(relay: RelayService | None) -> None:
    if relay:
        relay.deploy()


def main(words: Sequence[str]) -> int:
    """Runs a command; prints a sentence and returns 1 if it fails."""
    parsed = _parser().parse_args(words)
    try:
        vault = KeySecret(_client("secretsmanager", parsed.secret), parsed.secret)
        if parsed.command == "setup":
            print(setup(vault))
            return 0
        edge = EdgeKeyStore(_client("cloudfront-keyvaluestore", parsed.edge), parsed.edge) if parsed.edge else None
        relay = RelayService(_client("ecs", parsed.relay), parsed.relay) if parsed.relay else None
        if parsed.command == "put":
            print(put(vault, edge, relay))
        else:
            functions = SecretReaders(_client("lambda", parsed.secret), parsed.function)
            print(rotate(vault, KeyReaders(functions, edge, relay), 1 if parsed.forget else KEPT))
    except SecretsError as error:
        print(error, file=sys.stderr)
        return 1
    except (ClientError, BotoCoreError) as error:
        print(f"AWS refused: {error}", file=sys.stderr)
        return 1
    return 0


def _client(service: str, arn: str) -> Any:
    sigv4a.install()
    # CloudFront's ARNs name no region; its API is in this one.
    return get_session().create_client(service, region_name=arn.split(":")[3] or "us-east-1")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.secrets", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    rotating = commands.add_parser("rotate", help="make new keys; the old ones are accepted for two more rotations")
    rotating.add_argument("--function", action="append", required=True, help="a function that reads the secret")
    rotating.add_argument("--forget", action="store_true", help="accept only the new keys, after a theft")
    for command in (rotating, commands.add_parser("put", help="make the keys that are missing")):
        command.add_argument("secret", type=arn_of("secretsmanager"), help="ARN of the secret")
        command.add_argument("--edge", type=arn_of("cloudfront"), help="ARN of CloudFront's key value store")
        command.add_argument("--relay", type=arn_of("ecs"), help="ARN of the relay's service")
    showing = commands.add_parser("setup", help="print the secret that makes the first user over the API")
    showing.add_argument("secret", type=arn_of("secretsmanager"), help="ARN of the secret")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
