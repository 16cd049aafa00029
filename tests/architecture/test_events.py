"""Every kind of event that the code records stands in the one table of kinds."""

import ast
from pathlib import Path

from chalicelib.domain import events

ROOT = Path(__file__).resolve().parents[2]
# Actor, transaction, kind.
PLACE = 2
RECORDING = ("record_for_namespace", "record_for_repository", "_record")


def recorded() -> dict[str, str]:
    """Kinds that services name where they record something, with the file that does."""
    found: dict[str, str] = {}
    for path in (ROOT / "chalicelib" / "services").rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
        for call in calls:
            if isinstance(call.func, ast.Attribute) and call.func.attr in RECORDING and len(call.args) > PLACE:
                found |= dict.fromkeys(named(call.args[PLACE]), path.name)
    return found


def named(kind: ast.expr) -> list[str]:
    """The kinds that an expression spells; one that only a run can know is looked at when the event is made."""
    return [node.value for node in ast.walk(kind) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_every_kind_that_a_service_spells_is_in_the_table() -> None:
    found = recorded()

    assert {kind: where for kind, where in found.items() if kind not in events.KINDS} == {}
    assert len(found) >= 20


def test_a_kind_of_our_own_is_none_of_quay_s_and_says_why_it_is_there() -> None:
    assert events.QUAYS & events.OURS.keys() == set()
    assert all(events.OURS.values())
    assert len(events.QUAYS) == 145
