'use strict';

const assert = require('node:assert/strict');
const {describe, test} = require('node:test');

const {event, load, parsed} = require('./runtime.js');
const vectors = require('./vectors.js');

const uploads = vectors.requests.filter((one) => one.way === 'edge');
const downloads = vectors.downloads.filter((one) => one.key);
const IMMUTABLE = 'private, max-age=31536000, immutable';

// S3's own headers of a PUT, and of a GET.
const PUT = {etag: '"x"', server: 'AmazonS3', 'x-amz-id-2': 'x', 'x-amz-request-id': 'x', 'x-amz-checksum-sha256': 'x',
    'x-amz-server-side-encryption': 'AES256', 'content-length': '0', date: 'today'};
const GET = {...PUT, 'content-length': '7', 'content-type': 'text/html', 'accept-ranges': 'bytes'};

// The three requests that CloudFront might show: the client's, the one made of it, and that with the client's headers.
function shown(vector, what) {
    const asked = {method: vector.method, uri: vector.uri, querystring: parsed(vector.query ?? '', what === 'decoded'),
        headers: {host: {value: 'registry.example.com'}}, cookies: {}};
    if (what === 'original' || what === 'decoded') return asked;
    const headers = {...asked.headers};
    if (what === 'rewritten') {
        headers['cloudberth-digest'] = {value: vector.digest};
        if (vector.repository) headers['cloudberth-name'] = {value: vector.repository};
    }
    return {...asked, uri: `/${vector.key}`, querystring: {}, headers};
}

async function answered(request, statusCode, headers) {
    const response = {statusCode, statusDescription: 'OK', cookies: {},
        headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, {value}]))};
    const answer = await load('viewer_response.js').handle({...event('viewer-response', request), response});
    const plain = Object.fromEntries(Object.entries(answer.headers).map(([name, one]) => [name, one.value]));
    return {status: answer.statusCode, headers: plain};
}

describe('a PUT that S3 took becomes the 201 of the registry', () => {
    for (const vector of uploads) {
        for (const what of ['original', 'decoded', 'rewritten']) {
            test(`${vector.name}, shown the ${what} request`, async () => {
                const {status, headers} = await answered(shown(vector, what), 200, PUT);
                const location = `/v2/${vector.repository}/blobs/${vector.digest}`;
                assert.equal(status, 201);
                const rest = {'content-length': '0', date: 'today'};
                assert.deepEqual(headers, {...rest, location, 'docker-content-digest': vector.digest});
            });
        }
    }
    test('shown the new path with the old headers, it leaves the name out', async () => {
        const {status, headers} = await answered(shown(uploads[0], 'mixed'), 200, PUT);
        assert.equal(status, 201);
        assert.deepEqual(headers, {'content-length': '0', date: 'today', 'docker-content-digest': uploads[0].digest});
    });
    test('from the staging prefix too', async () => {
        const request = shown(uploads[0], 'rewritten');
        request.uri = request.uri.replace('/in/', '/staging/');
        assert.equal((await answered(request, 200, PUT)).status, 201);
    });
});

describe('a blob says its digest', () => {
    for (const vector of downloads) {
        for (const what of ['original', 'rewritten']) {
            test(`${vector.name}, shown the ${what} request`, async () => {
                for (const status of [200, 206, 304]) {
                    const answer = await answered(shown(vector, what), status, GET);
                    assert.equal(answer.status, status);
                    assert.deepEqual(answer.headers, {
                        etag: '"x"', 'content-length': '7', date: 'today', 'accept-ranges': 'bytes',
                        'content-type': 'application/octet-stream', 'x-content-type-options': 'nosniff',
                        'cache-control': IMMUTABLE, 'docker-content-digest': vector.digest,
                    });
                }
            });
        }
    }
    test('shown the new path with the old headers, as far as the key has it', async () => {
        const [edge, other] = [downloads[0], downloads.find((one) => !one.key.includes('sha256'))];
        assert.equal((await answered(shown(edge, 'mixed'), 200, GET)).headers['docker-content-digest'], edge.digest);
        assert.equal((await answered(shown(other, 'mixed'), 200, GET)).headers['docker-content-digest'], undefined);
    });
    test('several ranges in one answer keep their type', async () => {
        const type = 'multipart/byteranges; boundary=x';
        const {headers} = await answered(shown(downloads[0], 'original'), 206, {...GET, 'content-type': type});
        assert.equal(headers['content-type'], type);
    });
});

describe('what the API answers stays as it is', () => {
    const api = {'content-type': 'application/json', etag: '"x"', 'x-amz-apigw-id': 'x'};
    for (const [method, uri, query, status] of [
        ['GET', '/v2/', '', 200],
        ['GET', '/v2/admin/app/manifests/v1', '', 200],
        ['GET', '/v2/admin/app/blobs/{digest}', '', 307],
        ['PUT', '/v2/admin/app/manifests/v1', '', 201],
        ['PUT', '/v2/admin/app/blobs/uploads/x', `digest=${uploads[0].digest}`, 201],
        ['PUT', '/v2/admin/app/blobs/uploads/x', 'digest=sha256:abc', 200],
        ['PATCH', '/v2/admin/app/blobs/uploads/x', '', 202],
        ['POST', '/v2/admin/app/blobs/uploads/', '', 202],
        ['PUT', '/api/v1/something', '', 200],
        ['PUT', '/v2/admin/app/blobs/uploads/x', '', 200],
        ['PUT', '/v2/admin/app/blobs/uploads/x', 'digest=%', 200],
        ['OPTIONS', '/content/x/y', '', 200],
        ['GET', '/content/x/y', '', 200],
        ['GET', '/%', '', 200],
    ]) {
        test(`${method} ${uri} ${query} ${status}`, async () => {
            const told = {'cloudberth-name': {value: 'evil/name'}, 'cloudberth-digest': {value: downloads[0].digest}};
            const request = {method, uri, querystring: parsed(query, false), headers: told, cookies: {}};
            assert.deepEqual(await answered(request, status, api), {status, headers: api});
        });
    }
});
