"""`python -m infra.secrets` makes the keys, writes them in the right order, and refuses incomplete ones."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session

from chalicelib.storage.secrets import Secrets
from infra import sigv4a
from infra.secrets import (
    Document,
    EdgeKeyStore,
    KeyReaders,
    KeySecret,
    RelayService,
    SecretReaders,
    SecretsError,
    accepting,
    main,
    new_keys,
    put,
    rotate,
    setup,
    using,
)

SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:registry-keys-AbCdEf"
STORE = "arn:aws:cloudfront::123456789012:key-value-store/01234567-89ab-cdef-0123-456789abcdef"

RELAY = "arn:aws:ecs:eu-central-1:123456789012:service/registry-relay/registry-relay"


class Aws:
    """Plays AWS with one secret, store, function and relay; botocore checks the calls against its models."""

    def __init__(self, document: Document | None) -> None:
        self.document = document
        self.writes: list[tuple[str, Any]] = []
        sigv4a.install()
        session = get_session()
        session.set_credentials("key", "secret")
        self.vault = KeySecret(self._client(session, "secretsmanager"), SECRET)
        self.edge = EdgeKeyStore(self._client(session, "cloudfront-keyvaluestore"), STORE)
        self.functions = SecretReaders(self._client(session, "lambda"), ["registry-api"])
        self.relay = RelayService(self._client(session, "ecs"), RELAY)

    def _client(self, session: Any, service: str) -> Any:
        client = session.create_client(service, region_name="eu-central-1")
        client.meta.events.register("before-parameter-build", self._note)
        client.meta.events.register("before-call", self._answer)
        return client

    def _note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        match model.name:
            case "PutSecretValue":
                self.document = json.loads(params["SecretString"])
                self.writes.append(("secret", self.document))
            case "UpdateKeys":
                assert params["IfMatch"] == "E1"
                self.writes.append(("edge", {entry["Key"]: json.loads(entry["Value"]) for entry in params["Puts"]}))
            case "UpdateService":
                assert params["forceNewDeployment"]
                self.writes.append(("relay", f"{params['cluster']}/{params['service']}"))
            case "UpdateFunctionConfiguration":
                self.writes.append(("function", params["Description"]))

    def _answer(self, model: Any, **_: Any) -> tuple[Any, dict[str, Any]]:
        running = {"Description": "Cloudberth: answers every request; keys of 2030", "LastUpdateStatus": "Successful"}
        answers: dict[str, dict[str, Any]] = {
            "GetSecretValue": {"SecretString": json.dumps(self.document)},
            "DescribeKeyValueStore": {"ETag": "E1"},
            "GetFunctionConfiguration": running,
            "GetFunction": {"Configuration": running},
        }
        if model.name == "GetSecretValue" and self.document is None:
            return Status(400), {"Error": {"Code": "ResourceNotFoundException", "Message": "no AWSCURRENT"}}
        return Status(200), answers.get(model.name, {})


@dataclass
class Status:
    status_code: int


def test_fresh_keys_are_what_the_registry_reads(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps(new_keys()), "utf-8")

    keys = Secrets.load(str(tmp_path / "keys.json"))

    assert len(keys.upload[0]) == len(keys.relay) == len(keys.envelope["1"]) == 32
    assert keys.signing[0]["kty"] == "EC"
    assert keys.signing[0]["kid"]


def test_no_two_installations_have_a_key_in_common() -> None:
    one, other = new_keys(), new_keys()

    assert all(one[name] != other[name] for name in one)


def test_an_empty_secret_gets_every_key_and_the_edge_its_two() -> None:
    aws = Aws(None)

    assert put(aws.vault, aws.edge, None) == "Made new keys: envelope, origin, relay, setup, signing, upload."
    assert aws.document
    edge = {"upload": aws.document["upload"], "origin": aws.document["origin"]}
    assert aws.writes == [("secret", aws.document), ("edge", edge)]


def test_keys_that_are_there_stay() -> None:
    document = new_keys()
    aws = Aws(document)

    assert put(aws.vault, aws.edge, None) == "All keys exist already."
    assert [target for target, _ in aws.writes] == ["edge"]


def test_a_key_that_a_newer_version_needs_is_added() -> None:
    document = new_keys()
    del document["origin"]
    aws = Aws(document)

    assert put(aws.vault, None, None) == "Made new keys: origin."
    assert aws.document
    assert {name: aws.document[name] for name in document} == document
    assert len(bytes.fromhex(aws.document["origin"][0])) == 32


def test_every_part_accepts_new_keys_before_any_part_uses_them() -> None:
    old = new_keys()
    aws = Aws(old)

    rotate(aws.vault, KeyReaders(aws.functions, aws.edge))

    assert [target for target, _ in aws.writes] == ["edge", "secret", "function", "edge", "secret", "function", "edge"]
    (_, first_edge), (_, accepted), _, (_, second_edge), (_, used), _, (_, last_edge) = aws.writes
    assert accepted["signing"][0] == old["signing"][0]
    assert used["signing"] == accepted["signing"][::-1]
    assert first_edge == {"upload": accepted["upload"], "origin": accepted["origin"]}
    assert second_edge == {"upload": accepted["upload"], "origin": used["origin"]}
    assert last_edge == {"upload": used["upload"], "origin": used["origin"]}
    assert used["relay"] == old["relay"]


def test_the_relay_starts_as_soon_as_its_key_exists() -> None:
    aws = Aws(None)

    put(aws.vault, None, aws.relay)

    assert [target for target, _ in aws.writes] == ["secret", "relay"]
    assert aws.writes[-1] == ("relay", "registry-relay/registry-relay")


def test_a_relay_whose_first_deployment_was_interrupted_is_deployed_by_the_next_call() -> None:
    aws = Aws(new_keys())

    put(aws.vault, None, aws.relay)

    assert [target for target, _ in aws.writes] == ["relay"]


def test_the_relay_is_deployed_when_all_keys_are_rotated() -> None:
    aws = Aws(new_keys())

    rotate(aws.vault, KeyReaders(aws.functions, aws.edge, aws.relay))

    assert [target for target, _ in aws.writes][-1] == "relay"


def test_a_restarted_function_has_the_time_in_its_description() -> None:
    aws = Aws(new_keys())

    aws.functions.restart()

    ((_, text),) = aws.writes
    assert text.startswith("Cloudberth: answers every request; keys of 20")
    assert text.count("; keys of ") == 1


def test_the_envelope_key_in_use_is_the_last_and_none_is_ever_dropped() -> None:
    document = new_keys()
    first = document["envelope"]["1"]
    for _ in range(5):
        fresh = new_keys()
        assert list(accepting(document, fresh)["envelope"])[-1] == list(document["envelope"])[-1]
        document = using(document, fresh)

    assert list(document["envelope"]) == ["1", "2", "3", "4", "5", "6"]
    assert document["envelope"]["1"] == first


def test_the_keys_of_the_last_two_rotations_are_still_accepted() -> None:
    first = new_keys()
    document = first
    for turn in range(3):
        assert first["upload"][0] in document["upload"], turn
        document = using(document, new_keys())

    assert first["upload"][0] not in document["upload"]


def test_stolen_keys_are_no_longer_accepted() -> None:
    old = new_keys()
    aws = Aws(old)

    sentence = rotate(aws.vault, KeyReaders(aws.functions, aws.edge), kept=1)

    assert "no longer accepted" in sentence
    assert aws.document
    assert not any(old[name][0] in aws.document[name] for name in ("signing", "upload", "origin"))
    assert aws.document["envelope"]["1"] == old["envelope"]["1"]


def test_an_incomplete_secret_is_not_rotated() -> None:
    aws = Aws(None)

    with pytest.raises(SecretsError, match=r"lacks envelope, origin, relay, setup, signing, upload: run .* put"):
        rotate(aws.vault, KeyReaders(aws.functions))
    assert aws.writes == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["put", "registry-keys"], "'registry-keys' is no ARN of secretsmanager: `terraform output` shows it"),
        (["put", STORE], f"'{STORE}' is no ARN of secretsmanager"),
        (["put", SECRET, "--edge", SECRET], f"'{SECRET}' is no ARN of cloudfront"),
        (["rotate", SECRET], "the following arguments are required: --function"),
    ],
)
def test_wrong_arguments_are_refused(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words)

    assert stopped.value.code == 2
    assert sentence in capsys.readouterr().err


def test_the_set_up_secret_is_printed_and_nothing_is_changed() -> None:
    document = new_keys()
    aws = Aws(document)

    assert setup(aws.vault) == document["setup"]
    assert aws.writes == []
    with pytest.raises(SecretsError, match="put"):
        setup(Aws({**document, "setup": ""}).vault)
