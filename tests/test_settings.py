"""What an operator may choose."""

from __future__ import annotations

import dataclasses

import pytest

from chalicelib.domain.errors import SettingInvalid
from chalicelib.settings import Settings, settings

# A good value of each kind that is not the default.
OTHERS = {"str": "other", "int": "4000", "float": "0.5", "bool": "on"}
CHOICES = {
    "tag_expiration_from": "build",
    "url": "https://registry.test",
    "downloads": "edge",
    "edge": "staging",
    "pull_log": "all",
    "sign_up": "invited",
    "fast_reads": "off",
    "presign_s": "60",
}


def test_an_empty_environment_has_every_default() -> None:
    assert Settings.read({}) == Settings()
    assert Settings.read({"CLOUDBERTH_TABLE": "", "PATH": "/bin", "CLOUDBERTH_OTHER": "x"}) == Settings()


def test_the_defaults_are_good() -> None:
    Settings()._check()


def test_nobody_signs_up_unless_the_operator_says_so() -> None:
    assert Settings.read({}).sign_up == "closed"


def test_every_setting_can_be_chosen() -> None:
    fields = dataclasses.fields(Settings)
    values = {field.name: chosen(field) for field in fields}

    assert [field.name for field in fields if values[field.name] == field.default] == []
    assert [field.name for field in fields if type(values[field.name]) is not field.type] == []


def chosen(field: dataclasses.Field[object]) -> object:
    """What a setting is when the environment has a good value that is not the default."""
    text = CHOICES.get(field.name) or OTHERS[field.type.__name__]  # type: ignore[union-attr]
    return getattr(Settings.read({f"CLOUDBERTH_{field.name.upper()}": text}), field.name)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("CLOUDBERTH_TOKEN_S", "soon", "'soon' is not a number"),
        ("CLOUDBERTH_TOKEN_S", "-1", "'-1' is below 0"),
        ("CLOUDBERTH_TOKEN_S", "1.5", "'1.5' is not a number"),
        ("CLOUDBERTH_PULL_BATCH_S", "x", "'x' is not a number"),
        ("CLOUDBERTH_PULL_BATCH_S", "nan", "'nan'"),
        ("CLOUDBERTH_PULL_BATCH_S", "inf", "'inf'"),
        ("CLOUDBERTH_ORIGIN", "perhaps", "'perhaps' is neither on, true, yes, 1 nor off, false, no, 0"),
        ("CLOUDBERTH_EDGE", "true", "'true' is none of off, on, staging"),
        ("CLOUDBERTH_DOWNLOADS", "proxy", "'proxy' is none of redirect, edge"),
        ("CLOUDBERTH_PULL_LOG", "none", "'none' is none of hourly, all"),
        ("CLOUDBERTH_SIGN_UP", "on", "'on' is none of open, invited, closed"),
        ("CLOUDBERTH_URL", "localhost:5000", "is not http(s)://host[:port] without a path"),
        ("CLOUDBERTH_URL", "http://localhost/registry", "is not http(s)://host[:port] without a path"),
        ("CLOUDBERTH_URL", "ftp://localhost", "is not http(s)://host[:port] without a path"),
        ("CLOUDBERTH_URL", "http://", "is not http(s)://host[:port] without a path"),
        ("CLOUDBERTH_GRACE_S", "900", "must exceed CLOUDBERTH_PRESIGN_S (900)"),
    ],
)
def test_a_bad_setting_is_refused_in_a_sentence_that_names_it(name: str, value: str, why: str) -> None:
    with pytest.raises(SettingInvalid) as caught:
        Settings.read({name: value})

    assert str(caught.value).startswith(f"{name}: ")
    assert why in str(caught.value)


@pytest.mark.parametrize(("text", "is_on"), [("on", True), ("TRUE", True), ("1", True), ("No", False), ("0", False)])
def test_a_switch_takes_the_words_that_people_type(text: str, is_on: bool) -> None:
    assert Settings.read({"CLOUDBERTH_FAST_READS": text}).fast_reads is is_on


def test_bytes_outlive_every_address_that_leads_to_them() -> None:
    assert Settings.read({"CLOUDBERTH_GRACE_S": "20", "CLOUDBERTH_PRESIGN_S": "15"}).grace_s == 20
    with pytest.raises(SettingInvalid):
        Settings.read({"CLOUDBERTH_GRACE_S": "15", "CLOUDBERTH_PRESIGN_S": "15"})


@pytest.mark.parametrize(
    ("url", "service"),
    [
        ("http://localhost:5000", "localhost:5000"),
        ("https://registry.test", "registry.test"),
        ("https://registry.test/", "registry.test"),
    ],
)
def test_the_service_is_host_and_port(url: str, service: str) -> None:
    chosen = Settings.read({"CLOUDBERTH_URL": url})

    assert chosen.service == service
    assert not chosen.url.endswith("/")


def test_the_environment_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    settings.cache_clear()
    monkeypatch.setenv("CLOUDBERTH_TABLE", "first")
    first = settings()
    monkeypatch.setenv("CLOUDBERTH_TABLE", "second")

    assert settings() is first
    assert first.table == "first"
    settings.cache_clear()


def test_what_may_be_called_is_hosts_and_networks() -> None:
    permitted = Settings.read({"CLOUDBERTH_OUTGOING_ALLOW": "issuer.corp.example, 10.0.0.0/8"})

    assert permitted.outgoing_allow == "issuer.corp.example, 10.0.0.0/8"
    with pytest.raises(SettingInvalid, match="CLOUDBERTH_OUTGOING_ALLOW: 'https://x' is neither a host nor a network"):
        Settings.read({"CLOUDBERTH_OUTGOING_ALLOW": "https://x"})
