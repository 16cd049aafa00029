"""Runs the conversation step by step, as the caller that each step names, with values from earlier answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.contract.shapes import address, recorded, redirect_parameters
from tests.support.api_client import ApiClient
from tests.support.app_client import Answer, AppClient

FOLDER = Path(__file__).parent / "conversation"
# The order matters: later groups use what earlier ones create.
GROUPS = (
    "user", "org", "team", "robot", "application", "grant", "apptoken", "repository", "permission", "prototype", "star",
    "search", "quota", "message", "log", "superuser", "misc", "mirror", "autoprune",
    "immutability", "end",
)  # fmt: skip
NOBODY, PROGRAM = "nobody", "program"
Step = dict[str, Any]


@dataclass
class Talk:
    """A conversation. `kept` are ids and secrets of earlier answers, by the names that steps give them."""

    app_client: AppClient
    kept: dict[str, str] = field(default_factory=dict)
    api_clients: dict[str, ApiClient] = field(default_factory=dict)

    def hold(self, steps: list[Step]) -> list[Step]:
        """Sends all steps; returns them with their answers."""
        return [{**step, **self._answered(step)} for step in steps]

    def _answered(self, step: Step) -> Step:
        api_client = self._api_client(step["who"])
        method, _, path = step["ask"].partition(" ")
        path, headers = self._filled(path, api_client), self._headers(step, api_client)
        answer = api_client.ask(
            method, path if path.startswith("/api/v1") else f"/{path}", self._body(step, api_client), **headers
        )
        for name, key in step.get("keep", {}).items():
            self.kept[name] = _found(answer, key)
        result: Step = {"status": answer.status, "answer": recorded(answer)}
        return result | ({"location": address(answer)} if address(answer) else {})

    def _api_client(self, who: str) -> ApiClient:
        if who == NOBODY:
            return ApiClient(self.app_client)
        if who == PROGRAM:
            return ApiClient(self.app_client, self.kept["token"])
        return self.api_clients.setdefault(who, ApiClient(self.app_client))

    def _headers(self, step: Step, api_client: ApiClient) -> dict[str, str]:
        found = {name: self._filled(value, api_client) for name, value in step.get("headers", {}).items()}
        if "form" in step:
            found["Content-Type"] = "application/x-www-form-urlencoded"
        return found

    def _body(self, step: Step, api_client: ApiClient) -> object:
        if "form" in step:
            return urlencode({name: self._filled(value, api_client) for name, value in step["form"].items()}).encode()
        if "raw" in step:
            return str(step["raw"]).encode("latin-1")
        return step.get("body")

    def _filled(self, text: str, api_client: ApiClient) -> str:
        known = {**self.kept, "csrf": api_client.csrf}
        return re.sub(r"{(\w+)}", lambda found: known[found[1]], text)


def _found(answer: Answer, key: str) -> str:
    """Returns a value of an answer by its path of keys, or by its name in the address of a redirect."""
    if key.startswith("?"):
        return redirect_parameters(answer)[key[1:]]
    value: Any = answer.json()
    for part in key.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return str(value)


def load() -> dict[str, list[Step]]:
    """Reads the recorded conversation, by group."""
    return {group: json.loads((FOLDER / f"{group}.json").read_text("utf-8")) for group in GROUPS}


def save(conversation: Mapping[str, list[Step]]) -> None:
    """Writes the conversation, one step a line."""
    for group, steps in conversation.items():
        lines = ",\n".join(json.dumps(step, ensure_ascii=False) for step in steps)
        (FOLDER / f"{group}.json").write_text(f"[\n{lines}\n]\n", "utf-8")
