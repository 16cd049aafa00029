"""The keys that sign and seal, as they are read."""

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
    place = directory / "keys.json"
    place.write_text(text, "utf-8")
    return str(place)


def test_keys_come_in_the_order_they_were_written(tmp_path: Path) -> None:
    found = Secrets.load(written(tmp_path, json.dumps(GOOD)))

    assert [key["kid"] for key in found.signing] == ["new", "old"]
    assert found.upload == (b"\x00\xff", b"\x01")
    assert dict(found.envelope) == {"1": b"\xaa", "2": b"\xbb"}
    assert list(found.envelope)[-1] == "2"
    assert found.relay == b"\xcc"


def test_the_set_up_secret_may_be_missing(tmp_path: Path) -> None:
    assert Secrets.load(written(tmp_path, json.dumps(GOOD))).setup == ""
    assert Secrets.load(written(tmp_path, json.dumps({**GOOD, "setup": "s"}))).setup == "s"


def test_what_the_seed_writes_can_be_read(tmp_path: Path) -> None:
    seed.make_keys(tmp_path / "keys.json")
    found = Secrets.load(str(tmp_path / "keys.json"))

    assert {len(key) for key in (*found.upload, *found.envelope.values(), found.relay)} == {32}


def test_no_place_at_all_is_refused_with_the_remedy() -> None:
    with pytest.raises(SettingInvalid, match="CLOUDBERTH_SECRETS"):
        Secrets.load("")


def test_a_missing_file_is_refused_by_its_name(tmp_path: Path) -> None:
    place = str(tmp_path / "nowhere.json")

    with pytest.raises(SettingInvalid, match=r"nowhere\.json"):
        Secrets.load(place)


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
def test_a_malformed_file_is_refused_by_the_settings_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingInvalid, match="CLOUDBERTH_SECRETS"):
        Secrets.load(written(tmp_path, text))
