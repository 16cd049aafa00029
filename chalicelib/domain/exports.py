"""Files of the usage log, and what is told of them: in Quay's words."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate

SUCCESS, FAILURE = "export_logs_success", "export_logs_failure"
# Quay ends the list so: every record before it may have its comma.
END = b'{"terminator": true}]}'


@dataclass(frozen=True, slots=True)
class Export:
    """What a file is of: days from the second `start` to before the second `end`, of a namespace or a repository."""

    start: int
    end: int
    namespace: str
    repository: str | None = None

    def told(self, identifier: str) -> dict[str, object]:
        """What both the file and its announcement say of it."""
        where = {"namespace": self.namespace} | ({"repository": self.repository} if self.repository else {})
        return {"export_id": identifier, "start_time": _day(self.start), "end_time": _day(self.end - 1), **where}

    def head(self) -> bytes:
        """What the file begins with. It does not say what opens it."""
        told = {key: value for key, value in self.told("").items() if key != "export_id"}
        return json.dumps(told).encode()[:-1] + b', "logs": ['

    def announcement(self, identifier: str, address: str | None) -> bytes:
        """What is sent to whoever is called back; without the address of the file, that there is none."""
        outcome = {"exported_data_url": address, "status": "success"} if address else {"status": "failed"}
        return json.dumps({**self.told(identifier), **outcome}).encode()


def record(kind: str, at: int, address: str, performer: str, metadata: Mapping[str, object]) -> bytes:
    """A record in the file, with the comma behind it; `at` is in seconds since the epoch."""
    told: dict[str, object] = {"kind": kind, "metadata": metadata, "ip": address, "datetime": formatdate(at)}
    if performer:
        told["performer"] = {"kind": "user", "name": performer, "is_robot": "+" in performer}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b","


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%m/%d/%Y")
