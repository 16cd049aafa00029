"""CloudFront Functions read their key value store and choose the origin."""

import json

import pytest

from tests.support.emulation import Cloud, node, unique

HTTPS = {"x-forwarded-proto": "https"}
# No request reaches this origin.
NOWHERE = {"nowhere": "origin.invalid"}
READS = """
import cf from 'cloudfront';

async function handler(event) {
    const store = cf.kvs();
    const found = {there: await store.exists('text'), absent: await store.exists('other'), count: await store.count()};
    found.text = await store.get('text');
    found.json = await store.get('json', {format: 'json'});
    try {
        await store.get('other');
    } catch (error) {
        found.error = error.message;
    }
    return {statusCode: 200, body: {encoding: 'text', data: JSON.stringify(found)}};
}
"""
CHOOSES = """
import cf from 'cloudfront';

function handler(event) {
    cf.selectRequestOriginById('ORIGIN');
    return event.request;
}
"""
CHANGES = """
function handler(event) {
    event.request.uri = '/in/changed';
    event.request.headers.note = {value: 'noted'};
    delete event.request.headers.secret;
    return event.request;
}
"""
TELLS = """
function handler(event) {
    const request = event.request;
    const seen = [request.method, request.uri, request.headers.note, request.headers.secret];
    event.response.headers.seen = {value: JSON.stringify(seen)};
    return event.response;
}
"""


@pytest.fixture(autouse=True)
def _with_node() -> None:
    node()


def with_object(cloud: Cloud, key: str) -> tuple[str, str]:
    """Makes a bucket with the object `found` and returns its name and its regional domain."""
    bucket = cloud.bucket()
    cloud.s3.put_object(Bucket=bucket, Key=key, Body=b"found")
    return bucket, f"{bucket}.s3.us-east-1.amazonaws.com"


def test_a_function_reads_its_key_value_store(cloud: Cloud) -> None:
    store = cloud.store(text="a text", json='{"a": [1]}')
    host, _ = cloud.behind_cloudfront(NOWHERE, {"viewer-request": cloud.edge_function(READS, store)})

    status, _, body = cloud.ask(host, "/", headers=HTTPS)

    assert status == 200
    expected = {
        "there": True,
        "absent": False,
        "count": 2,
        "text": "a text",
        "json": {"a": [1]},
        "error": "KeyNotFound",
    }
    assert json.loads(body) == expected


def test_a_changed_entry_is_read_at_once(cloud: Cloud) -> None:
    code = "import cf from 'cloudfront';\nasync function handler() {\n const text = await cf.kvs().get('text');\n"
    code += " return {statusCode: 200, body: text};\n}"
    store = cloud.store(text="old")
    host, _ = cloud.behind_cloudfront(NOWHERE, {"viewer-request": cloud.edge_function(code, store)})

    before = cloud.ask(host, "/", headers=HTTPS)[2]
    cloud.write(store, text="new")

    assert (before, cloud.ask(host, "/", headers=HTTPS)[2]) == (b"old", b"new")


def test_a_function_chooses_the_origin(cloud: Cloud) -> None:
    bucket, domain = with_object(cloud, "in/blob")
    function = cloud.edge_function(CHOOSES.replace("ORIGIN", "bucket"))
    host, arn = cloud.behind_cloudfront({**NOWHERE, "bucket": domain}, {"viewer-request": function})
    cloud.let_edge(bucket, arn, "s3:GetObject")

    assert cloud.ask(host, "/in/blob", headers=HTTPS)[::2] == (200, b"found")


def test_choosing_an_unknown_origin_is_an_error_of_the_function(ours: Cloud) -> None:
    function = ours.edge_function(CHOOSES.replace("ORIGIN", unique("origin")))
    host, _ = ours.behind_cloudfront(NOWHERE, {"viewer-request": function})

    assert ours.ask(host, "/", headers=HTTPS)[0] == 503


def test_a_function_without_a_store_cannot_use_one(ours: Cloud) -> None:
    host, _ = ours.behind_cloudfront(NOWHERE, {"viewer-request": ours.edge_function(READS)})

    assert ours.ask(host, "/", headers=HTTPS)[0] == 503


def test_the_second_function_sees_the_request_as_the_first_left_it(cloud: Cloud) -> None:
    bucket, domain = with_object(cloud, "in/changed")
    functions = {"viewer-request": cloud.edge_function(CHANGES), "viewer-response": cloud.edge_function(TELLS)}
    host, arn = cloud.behind_cloudfront({"bucket": domain}, functions)
    cloud.let_edge(bucket, arn, "s3:GetObject")

    status, headers, body = cloud.ask(host, "/asked", headers={**HTTPS, "secret": "the client's"})

    assert (status, body) == (200, b"found")
    assert json.loads(headers["seen"]) == ["GET", "/in/changed", {"value": "noted"}, None]
