'use strict';

const assert = require('node:assert/strict');
const {describe, test} = require('node:test');

const {event, load, parsed} = require('./runtime.js');
const vectors = require('./vectors.js');

const ADVICE = 'push through the relay, or with a client that sends a layer in one PUT';
const BUCKET_ONLY = ['api', 'bucket'];
const WITH_RELAY = ['api', 'bucket', 'relay'];
const RELAY_ON = {relay: true};

function edge(origins = BUCKET_ONLY, switches = undefined, keys = vectors.keys) {
    const store = {upload: JSON.stringify(keys)};
    if (switches) store.switches = JSON.stringify(switches);
    return load('viewer_request.js', {store, origins, now: vectors.now});
}

function request(vector, decode = false) {
    const headers = {host: {value: 'registry.example.com'}, authorization: {value: 'Bearer token'}};
    if (vector.size !== undefined) headers['content-length'] = {value: String(vector.size)};
    if (vector.chunked) headers['transfer-encoding'] = {value: 'chunked'};
    for (const [name, value] of Object.entries(vector.headers ?? {})) headers[name] = {value};
    return {
        method: vector.method, uri: vector.uri, querystring: parsed(vector.query ?? '', decode), headers,
        cookies: {session: {value: 'secret'}},
    };
}

function refused(answer, status, code) {
    assert.equal(answer.statusCode, status);
    assert.equal(answer.headers['content-type'].value, 'application/json');
    const [error] = JSON.parse(answer.body.data).errors;
    assert.equal(error.code, code);
    return error.message;
}

async function untouched(at, vector, decode, origin = null) {
    const asked = request(vector, decode);
    assert.deepEqual(await at.handle(event('viewer-request', asked)), request(vector, decode));
    assert.equal(at.chosen, origin);
}

const WAYS = {
    app: (vector, decode) => untouched(edge(), vector, decode),
    async edge(vector, decode) {
        const at = edge();
        const answer = await at.handle(event('viewer-request', request(vector, decode)));
        const headers = {
            host: {value: 'registry.example.com'},
            'content-length': {value: String(vector.size)},
            'x-amz-checksum-sha256': {value: vector.checksum},
            'cloudberth-digest': {value: vector.digest},
            'cloudberth-name': {value: vector.repository},
        };
        const expected = {method: 'PUT', uri: `/${vector.key}`, querystring: {}, headers, cookies: {}};
        assert.equal(at.chosen, 'bucket');
        assert.deepEqual(JSON.parse(JSON.stringify(answer)), expected);
    },
    async relay(vector, decode) {
        const answer = await edge().handle(event('viewer-request', request(vector, decode)));
        const message = refused(answer, 413, 'SIZE_INVALID');
        assert.ok(message.includes(vector.says) && message.includes(ADVICE), message);
        await untouched(edge(WITH_RELAY, RELAY_ON), vector, decode, 'relay');
    },
    async none(vector, decode) {
        for (const at of [edge(), edge(WITH_RELAY, RELAY_ON)]) {
            const answer = await at.handle(event('viewer-request', request(vector, decode)));
            assert.equal(refused(answer, 413, 'SIZE_INVALID'), 'a body has at most 4194304 bytes here');
        }
    },
    async full(vector, decode) {
        const at = edge();
        const answer = await at.handle(event('viewer-request', request(vector, decode)));
        assert.equal(refused(answer, 403, 'DENIED'), `the namespace's quota has ${vector.left} bytes left`);
        assert.equal(at.chosen, null);
    },
    async unknown(vector, decode) {
        const at = edge();
        const answer = await at.handle(event('viewer-request', request(vector, decode)));
        assert.match(refused(answer, 404, 'BLOB_UPLOAD_UNKNOWN'), /begin a new one/);
        assert.equal(at.chosen, null);
    },
};

describe('uploads, with the query as it came or decoded by CloudFront', () => {
    for (const vector of vectors.requests) {
        test(`${vector.name}: ${vector.way}`, async () => {
            await WAYS[vector.way](vector, false);
            await WAYS[vector.way](vector, !vector.query.includes('%25'));
        });
    }
});

describe('bodies without a length, where there is a relay', () => {
    for (const vector of vectors.requests.filter((one) => one.then)) {
        test(`${vector.name}: ${vector.then}`, () =>
            untouched(edge(WITH_RELAY, RELAY_ON), vector, false, vector.then === 'relay' ? 'relay' : null));
    }
    const chunk = {method: 'PATCH', uri: '/v2/a/b/blobs/uploads/x'};
    test('a chunk whose length HTTP/2 leaves out: relay', () =>
        untouched(edge(WITH_RELAY, RELAY_ON), chunk, false, 'relay'));
    test('a length that is no number: relay', () =>
        untouched(edge(WITH_RELAY, RELAY_ON), {...chunk, size: 'x'}, false, 'relay'));
});

describe('downloads', () => {
    for (const vector of vectors.downloads) {
        test(`${vector.name}: ${vector.key ? 'served' : 'refused'}`, async () => {
            const at = edge();
            const headers = {range: 'bytes=5-', 'x-amz-security-token': 'x'};
            const asked = request({...vector, headers, query: 'versionId=1&response-content-type=text/html'});
            const answer = await at.handle(event('viewer-request', asked));
            if (vector.key) {
                const kept = {host: {value: 'registry.example.com'}, range: {value: 'bytes=5-'}};
                kept['cloudberth-digest'] = {value: vector.digest};
                const expected = {querystring: {}, headers: kept, cookies: {}};
                const {method, uri, ...others} = JSON.parse(JSON.stringify(answer));
                assert.deepEqual([method, uri], [vector.method, `/${vector.key}`]);
                assert.deepEqual(others, expected);
                assert.equal(at.chosen, 'bucket');
            } else {
                assert.equal(at.chosen, null);
                if (vector.method === 'HEAD') assert.deepEqual([answer.statusCode, answer.body], [404, undefined]);
                else refused(answer, 404, 'BLOB_UNKNOWN');
            }
        });
    }
});

describe('what the cache may hold under the key of a blob', () => {
    for (const uri of ['/in/01R/sha256/x/01U', '/%69n/01R/x', '/staging/01R/x', '/in%2f01R']) {
        test(`${uri} is refused`, async () => {
            const at = edge();
            refused(await at.handle(event('viewer-request', request({method: 'GET', uri}))), 404, 'UNSUPPORTED');
            assert.equal(at.chosen, null);
        });
    }
});

describe('switches', () => {
    const vector = vectors.requests.find((one) => one.way === 'edge');
    const hex = vector.digest.slice('sha256:'.length);
    const put = (switches) => edge(BUCKET_ONLY, switches).handle(event('viewer-request', request(vector)));
    const proofs = (answer) => Object.keys(answer.headers).filter((name) => name.startsWith('x-amz-'));

    test('payload: the digest is the hash of the signed payload', async () => {
        const answer = await put({proof: 'payload'});
        assert.deepEqual(proofs(answer), ['x-amz-content-sha256']);
        assert.equal(answer.headers['x-amz-content-sha256'].value, hex);
        assert.equal(answer.uri, `/${vector.key}`);
    });
    test('staging: what nobody has proved does not lie where blobs are found', async () => {
        const answer = await put({proof: 'staging'});
        assert.deepEqual(proofs(answer), []);
        assert.equal(answer.uri, `/${vector.key.replace('in/', 'staging/')}`);
    });
    test('any other word: the checksum', async () => {
        assert.deepEqual(proofs(await put({proof: 'nothing'})), ['x-amz-checksum-sha256']);
    });
    test('a small body never meets the relay', () =>
        untouched(edge(WITH_RELAY, RELAY_ON), {...vector, size: 4194304}, false));
    test('a layer that suits S3 goes there, relay or not', async () => {
        const at = edge(WITH_RELAY, RELAY_ON);
        await at.handle(event('viewer-request', request(vector)));
        assert.equal(at.chosen, 'bucket');
    });
});

describe('a key value store', () => {
    const download = vectors.downloads.find((one) => one.key);
    const upload = vectors.requests.find((one) => one.way === 'edge');

    const poor = {'that is empty': {}, 'without a list': {upload: 'x'}, 'of no keys': {upload: '[]'}};
    for (const [what, store] of Object.entries(poor)) {
        for (const vector of [upload, download]) {
            test(`${what} lets nobody in: ${vector.name}`, async () => {
                const at = load('viewer_request.js', {store, origins: BUCKET_ONLY, now: vectors.now});
                const message = refused(await at.handle(event('viewer-request', request(vector))), 503, 'UNAVAILABLE');
                assert.match(message, /write `upload` to its key value store/);
                assert.equal(at.chosen, null);
            });
        }
    }
    test('whose only key is the one before the current lets its tokens in', async () => {
        const old = vectors.requests.find((one) => one.name === 'a token under the key before the current one');
        const at = edge(BUCKET_ONLY, undefined, [vectors.keys[1]]);
        await at.handle(event('viewer-request', request(old)));
        assert.equal(at.chosen, 'bucket');
        refused(await at.handle(event('viewer-request', request(upload))), 404, 'BLOB_UPLOAD_UNKNOWN');
    });
});

describe('the secret that proves the edge to the API', () => {
    const small = {method: 'GET', uri: '/v2/', headers: {'origin-secret': 'guessed', 'viewer-address': '6.6.6.6'}};

    test('replaces whatever a client said, with who asks beside it', async () => {
        const store = {upload: JSON.stringify(vectors.keys), origin: '["new", "old"]'};
        const at = load('viewer_request.js', {store, origins: BUCKET_ONLY, now: vectors.now});
        const asked = event('viewer-request', request(small));
        const {headers} = await at.handle(asked);
        assert.equal(headers['origin-secret'].value, 'new');
        assert.equal(headers['viewer-address'].value, asked.viewer.ip);
    });
    test('is claimed by nobody where the edge has none', async () => {
        const {headers} = await edge().handle(event('viewer-request', request(small)));
        assert.equal(headers['origin-secret'], undefined);
        assert.equal(headers['viewer-address'], undefined);
    });
    test('never reaches the bucket', async () => {
        const store = {upload: JSON.stringify(vectors.keys), origin: '["new"]'};
        const at = load('viewer_request.js', {store, origins: BUCKET_ONLY, now: vectors.now});
        const upload = vectors.requests.find((one) => one.way === 'edge');
        const {headers} = await at.handle(event('viewer-request', request(upload)));
        assert.equal(at.chosen, 'bucket');
        assert.equal(headers['origin-secret'], undefined);
    });
});
