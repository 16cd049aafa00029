"""Exports of the usage log and their announcements."""

import json

from chalicelib.domain.exports import END, Export, record

# The two days from 14 November 2023.
DAYS = Export(1_699_920_000, 1_700_092_800, "acme", "app")


def test_a_file_is_valid_json_whatever_its_records_are() -> None:
    records = [record("push_repo", 1_699_920_000, "10.0.0.1", "acme+ci", {"tag": "v1"}), record("x", 0, "", "", {})]

    assert json.loads(DAYS.head() + b"".join(records) + END) == {
        "start_time": "11/14/2023",
        "end_time": "11/15/2023",
        "namespace": "acme",
        "repository": "app",
        "logs": [
            {
                "kind": "push_repo",
                "metadata": {"tag": "v1"},
                "ip": "10.0.0.1",
                "datetime": "Tue, 14 Nov 2023 00:00:00 -0000",
                "performer": {"kind": "user", "name": "acme+ci", "is_robot": True},
            },
            {"kind": "x", "metadata": {}, "ip": "", "datetime": "Thu, 01 Jan 1970 00:00:00 -0000"},
            {"terminator": True},
        ],
    }
    assert json.loads(DAYS.head() + END)["logs"] == [{"terminator": True}]


def test_an_announcement_has_quays_fields() -> None:
    fields = {"export_id": "1", "start_time": "11/14/2023", "end_time": "11/15/2023", "namespace": "acme"}
    whole = Export(DAYS.start, DAYS.end, "acme")

    assert json.loads(whole.announcement("1", "https://x/y")) == {
        **fields,
        "exported_data_url": "https://x/y",
        "status": "success",
    }
    assert json.loads(DAYS.announcement("1", None)) == {**fields, "repository": "app", "status": "failed"}
