"""Exports of the usage log: the file and the announcement that is sent to the callback, in Quay's format."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate

SUCCESS, FAILURE = "export_logs_success", "export_logs_failure"
# Quay's last entry of the list, so that every record can end with a comma.
END = b'{"terminator": true}]}'


@dataclass(frozen=True, slots=True)
class Export:
    """What a file covers: a namespace, or one of its repositories, from `start` to before `end`.

    Both are in seconds since the epoch.
    """

    start: int
    end: int
    namespace: str
    repository: str | None = None

    def to_document(self, identifier: str) -> dict[str, object]:
        """Returns the fields that the file and its announcement share."""
        where = {"namespace": self.namespace} | ({"repository": self.repository} if self.repository else {})
        return {"export_id": identifier, "start_time": _day(self.start), "end_time": _day(self.end - 1), **where}

    def head(self) -> bytes:
        """Returns the beginning of the file. It leaves out the export's id, which is the secret that opens the file."""
        fields = {key: value for key, value in self.to_document("").items() if key != "export_id"}
        return json.dumps(fields).encode()[:-1] + b', "logs": ['

    def announcement(self, identifier: str, address: str | None) -> bytes:
        """Returns the body of the callback; without the file's address it says that the export failed."""
        outcome = {"exported_data_url": address, "status": "success"} if address else {"status": "failed"}
        return json.dumps({**self.to_document(identifier), **outcome}).encode()


def record(kind: str, at: int, address: str, performer: str, metadata: Mapping[str, object]) -> bytes:
    """Returns a record of the file and its comma; `at` is in seconds since the epoch."""
    document: dict[str, object] = {"kind": kind, "metadata": metadata, "ip": address, "datetime": formatdate(at)}
    if performer:
        document["performer"] = {"kind": "user", "name": performer, "is_robot": "+" in performer}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b","


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%m/%d/%Y")
