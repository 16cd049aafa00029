"""Writes what `terraform plan` must know of the registry's settings: `python -m infra.setting_rules`.

A wrong setting would otherwise be found by the first request after `apply`. The rules are those of
chalicelib/settings.py in the form that Terraform can check: a pattern (RE2) for each setting that an operator may
choose, with its default.
"""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from chalicelib.settings import CHOICES, OFF, ON, Settings

FILE = Path(__file__).parent / "terraform" / "settings.json"
# Terraform sets these from the installation's resources, or the environment decides them.
SET_BY_THE_MODULE = {"url", "table", "bucket", "queues", "secrets", "edge", "origin", "pull_batch_s", "connections"}
# Hosts and networks between blanks or commas; the registry itself checks that a network is one.
HOSTS = "[A-Za-z0-9.:/ ,-]*"


def rules() -> dict[str, Any]:
    """Returns a rule for each setting that an operator may choose, by its name in the environment."""
    return {f"CLOUDBERTH_{name.upper()}": _rule(name) for name in sorted(_operators())}


def _operators() -> set[str]:
    return {field.name for field in fields(Settings)} - SET_BY_THE_MODULE


def _rule(name: str) -> dict[str, str]:
    default = getattr(Settings(), name)
    if choices := CHOICES.get(name):
        return {"pattern": f"^({'|'.join(choices)})$", "says": f"one of {', '.join(choices)}", "default": default}
    if isinstance(default, bool):
        words = f"^(?i:{'|'.join((*ON, *OFF))})$"
        return {"pattern": words, "says": f"one of {', '.join((*ON, *OFF))}", "default": "on" if default else "off"}
    if isinstance(default, int):
        return {"pattern": "^[0-9]+$", "says": "a whole number, 0 or more", "default": str(default)}
    return {"pattern": f"^{HOSTS}$", "says": "hosts, and networks like 10.0.0.0/8", "default": default}


def text() -> str:
    """Returns the content of the file."""
    return json.dumps(rules(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
