"""Reading the keys that sign and seal."""

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.errors import SettingInvalid
from chalicelib.storage.secrets import Secrets
from infra.local import seed

GOOD: dict[str, Any] = {
    "signing": [{"kty": "EC", "kid": "new"}, {"kty": "EC", "kid": "old"}],
    "upload": ["00ff", "01"],
    "envelope": {"1": "aa", "2": "bb"},
    "relay": "cc",
}


def written(directory: Path, text: str) -> str:
    path = directory / "keys.json"
    path.write_text(text, "utf-8")
    return str(path)


def test_keys_are_read_in_the_order_of_the_file(tmp_path: Path) -> None:
    secrets = Secrets.load(written(tmp_path, json.dumps(GOOD)))

    assert [key["kid"] for key in secrets.signing] == ["new", "old"]
    assert secrets.upload == (b"\x00\xff", b"\x01")
    assert dict(secrets.envelope) == {"1": b"\xaa", "2": b"\xbb"}
    assert list(secrets.envelope)[-1] == "2"
    assert secrets.relay == b"\xcc"


def test_the_set_up_secret_may_be_missing(tmp_path: Path) -> None:
    assert Secrets.load(written(tmp_path, json.dumps(GOOD))).setup == ""
    assert Secrets.load(written(tmp_path, json.dumps({**GOOD, "setup": "s"}))).setup == "s"


def test_what_the_seed_writes_can_be_read(tmp_path: Path) -> None:
    seed.make_keys(tmp_path / "keys.json")
    secrets = Secrets.load(str(tmp_path / "keys.json"))

    assert {len(key) for key in (*secrets.upload, *secrets.envelope.values(), secrets.relay)} == {32}


def test_a_missing_setting_is_rejected_by_its_name() -> None:
    with pytest.raises(SettingInvalid, match="CLOUDBERTH_SECRETS"):
        Secrets.load("")


def test_a_missing_file_is_rejected_by_its_name(tmp_path: Path) -> None:
    path = str(tmp_path / "nowhere.json")

    with pytest.raises(SettingInvalid, match=r"nowhere\.json"):
        Secrets.load(path)


BAD = {
    "nothing": "",
    "no JSON": "{",
    "a list": "[]",
    "no signing keys": json.dumps({name: value for name, value in GOOD.items() if name != "signing"}),
    "an upload key that is no hex": json.dumps(GOOD | {"upload": ["xy"]}),
    "a relay key that is no text": json.dumps(GOOD | {"relay": 5}),
    "no upload key at all": json.dumps(GOOD | {"upload": []}),
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_a_malformed_file_is_rejected_by_the_name_of_the_setting(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingInvalid, match="CLOUDBERTH_SECRETS"):
        Secrets.load(written(tmp_path, text))
