"""A repair reports a version of ministack that lacks the names that it changes."""

import importlib
import pkgutil
import sys
from types import ModuleType, SimpleNamespace

import pytest

from infra.emulator import repairs

MODULES = {
    name: module
    for _, name, _ in pkgutil.iter_modules(repairs.__path__)
    if hasattr(module := importlib.import_module(f"{repairs.__name__}.{name}"), "repair")
}
CORE = ["cloudfront_js", "iam_actions", "iam_evaluator", "lambda_runtime", "responses"]
SENTENCE = r"^ministack has no \S+, which a repair in infra/emulator changes: .* ministack 1\.5\.33; "


@pytest.fixture
def another_version(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Makes a ministack without any of the private names."""
    for name in ["ministack", "ministack.core", *(f"ministack.core.{name}" for name in CORE)]:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    return SimpleNamespace(_get_module=ModuleType)


@pytest.mark.parametrize("name", MODULES)
def test_a_repair_refuses_another_version_in_a_sentence(name: str, another_version: SimpleNamespace) -> None:
    arguments = [1.0] if name == "snapshots" else []

    with pytest.raises(SystemExit, match=SENTENCE):
        MODULES[name].repair(another_version, *arguments)


def test_the_test_finds_the_repairs() -> None:
    assert {"registry_paths", "waiting", "rest", "streams", "ttl", "snapshots"} < set(MODULES)
