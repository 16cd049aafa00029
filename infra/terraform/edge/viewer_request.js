import cf from 'cloudfront';

// Which way a body takes, and which blob a signed path stands for: before CloudFront looks into its cache (ADR 0008).
// The same rules in Python: infra/local/upload_routes.py, chalicelib/domain/uploads.py and downloads.py; one file of vectors
// drives both. The runtime (cloudfront-js-2.0) has no spread, destructuring, for-of, ?. and ??, and no async closures.
//
// The key value store holds `upload`, the list of upload keys in hex with the current one first, and `switches`,
// {"proof": "checksum" | "payload" | "staging", "relay": true | false}; without it: checksum, false; `origin`, the list of
// secrets that prove to the API that a request came through here.

const crypto = require('crypto');

// Ids of origins in the distribution. Only this function leads to them: every behavior's own origin is the API.
const BUCKET = 'bucket';
const RELAY = 'relay';

// Bytes that fit one invocation of the API, and bytes that S3 takes in one PUT.
const LARGEST_BODY = 4194304;
const LARGEST_PUT = 5368709120;

const BEGIN = /^\/v2\/.+\/blobs\/uploads\/?$/;
const UPLOAD = /^\/v2\/(.+)\/blobs\/uploads\/([^\/]+)\/?$/;
const CONTENT = /^\/content\/([0-9]{1,15})\.([^\/]+)\/(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})\/(.+)(?![\s\S])/;
const OURS = /^\/(?:in|staging)\//;
// The engine is said to be Perl's: there `$` would also match before a line's end.
const SHA256 = /^sha256:([0-9a-f]{64})(?![\s\S])/;
const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;

// What of a request's headers S3 may see. Of the others `x-amz-copy-source` alone would hand out anybody's blob.
const KEPT = [
    'accept-encoding', 'cdn-loop', 'content-length', 'host', 'transfer-encoding', 'via',
    'if-modified-since', 'if-none-match', 'if-range', 'range',
];

const ADVICE = 'push through the relay, or with a client that sends a layer in one PUT ' +
    '(docker with the containerd image store, buildx, oras, helm, regctl)';

async function handler(event) {
    const request = event.request;
    if (request.uri.startsWith('/content/') && (request.method === 'GET' || request.method === 'HEAD')) {
        const answer = await download(request);
        return answer;
    }
    if (OURS.test(decoded(request.uri))) {
        // Such a path is a key of the cache, where the signed way in may have left the blob.
        return refusal(request, 404, 'UNSUPPORTED', 'nothing is here');
    }
    const size = bodySize(request);
    if (size !== null && size <= LARGEST_BODY) {
        const passed = await onward(event);
        return passed;
    }
    const answer = await past(event, size);
    return answer;
}

// To the API or the relay, with the secret that only the edge knows and with who asks, whatever the client said of both.
async function onward(event) {
    const headers = event.request.headers;
    const secrets = await stored('origin', []);
    delete headers['origin-secret'];
    delete headers['viewer-address'];
    if (secrets.length) {
        headers['origin-secret'] = {value: secrets[0]};
        headers['viewer-address'] = {value: event.viewer.ip};
    }
    return event.request;
}

// A body that the API may not be able to take: past it to S3 or to the relay. `size` is null where it comes chunked.
async function past(event, size) {
    const request = event.request;
    const upload = UPLOAD.exec(request.uri);
    const digest = SHA256.exec(digestOf(request));
    if (size !== null && request.method === 'PUT' && upload && !unfit(size, upload[2], digest, request)) {
        const answer = await put(request, upload, size, digest[1]);
        return answer;
    }
    const relayed = upload ? request.method === 'PATCH' || request.method === 'PUT'
        : request.method === 'POST' && BEGIN.test(request.uri) && digestOf(request) !== '';
    if (relayed) {
        const switches = await stored('switches', {});
        if (switches.relay) {
            cf.selectRequestOriginById(RELAY);
            const answer = await onward(event);
            return answer;
        }
    }
    if (size === null) {
        const answer = await onward(event);
        return answer;
    }
    const limit = 'a body has at most ' + LARGEST_BODY + ' bytes here';
    if (!relayed) {
        return refusal(request, 413, 'SIZE_INVALID', limit);
    }
    const why = request.method === 'PUT' ? unfit(size, upload[2], digest, request) : limit;
    return refusal(request, 413, 'SIZE_INVALID', why + ': ' + ADVICE);
}

// Why a large PUT cannot go to S3, empty when it can: S3 takes it at once and whole, and checks sha256 only.
function unfit(size, token, digest, request) {
    if (size > LARGEST_PUT) {
        return 'one PUT has at most ' + LARGEST_PUT + ' bytes';
    }
    if (!digest) {
        return 'a PUT above ' + LARGEST_BODY + ' bytes needs ?digest=sha256: and 64 lower-case hexadecimal digits';
    }
    const range = last(request.headers['content-range']);
    if (!/^one(-|$)/.test(token.split('.').slice(-2, -1)[0]) || (range !== '' && range !== '0-' + (size - 1))) {
        return 'an upload in chunks takes at most ' + LARGEST_BODY + ' bytes at once';
    }
    return '';
}

// One PUT straight into the bucket, if its token is genuine.
async function put(request, upload, size, hex) {
    const token = upload[2];
    const keys = await stored('upload', []);
    if (!keys.length) {
        return keyless(request);
    }
    const cut = token.lastIndexOf('.');
    const words = token.slice(0, cut).split('.');
    const genuine = verified(keys, 'upload.' + token.slice(0, cut), token.slice(cut + 1));
    if (!genuine || words.length !== 5 || !ULID.test(words[0]) || !ULID.test(words[1]) || over(words[2])) {
        return refusal(request, 404, 'BLOB_UPLOAD_UNKNOWN', 'this upload is not known, or over: begin a new one');
    }
    const most = words[4].split('-')[1];
    if (most && size > Number(most)) {
        return refusal(request, 403, 'DENIED', "the namespace's quota has " + most + ' bytes left');
    }
    const switches = await stored('switches', {});
    const digest = 'sha256:' + hex;
    // As chalicelib/storage/bucket_keys.py has it.
    const place = '/' + words[1] + '/sha256/' + hex + '/' + words[0];
    if (switches.proof === 'staging') {
        return toBucket(request, '/staging' + place, digest, upload[1]);
    }
    const changed = toBucket(request, '/in' + place, digest, upload[1]);
    if (switches.proof === 'payload') {
        changed.headers['x-amz-content-sha256'] = {value: hex};
    } else {
        changed.headers['x-amz-checksum-sha256'] = {value: Buffer.from(hex, 'hex').toString('base64')};
    }
    return changed;
}

// A blob by its signed path. Its key in S3 becomes its key in the cache, whoever signed it and until when.
async function download(request) {
    const keys = await stored('upload', []);
    if (!keys.length) {
        return keyless(request);
    }
    const found = CONTENT.exec(decoded(request.uri));
    const signed = found ? 'download.' + found[1] + '.' + found[3] + '.' + found[4] : '';
    if (!found || over(found[1]) || !verified(keys, signed, found[2])) {
        return refusal(request, 404, 'BLOB_UNKNOWN', 'nothing is here, or no longer: ask the registry for it again');
    }
    return toBucket(request, '/' + found[4], found[3], '');
}

// Turns a request to the bucket, without anything of the client's that S3 might heed.
function toBucket(request, uri, digest, name) {
    cf.selectRequestOriginById(BUCKET);
    request.uri = uri;
    request.querystring = {};
    request.cookies = {};
    Object.keys(request.headers).forEach((header) => {
        if (!KEPT.includes(header)) {
            delete request.headers[header];
        }
    });
    // For viewer_response.js, should it be shown this request and not the client's.
    request.headers['cloudberth-digest'] = {value: digest};
    if (name) {
        request.headers['cloudberth-name'] = {value: name};
    }
    return request;
}

// The body's length in bytes, null where it comes chunked.
function bodySize(request) {
    const told = last(request.headers['content-length']);
    if (/^[0-9]+$/.test(told)) {
        return Number(told);
    }
    return request.headers['transfer-encoding'] || request.method === 'PATCH' ? null : 0;
}

function digestOf(request) {
    return decoded(last(request.querystring.digest));
}

// The last value of a header or parameter that is not empty.
function last(entry) {
    const values = entry ? entry.multiValue || [entry] : [];
    const told = values.filter((one) => one.value !== '');
    return told.length ? told[told.length - 1].value : '';
}

function decoded(text) {
    try {
        return decodeURIComponent(text);
    } catch (error) {
        return '';
    }
}

function over(seconds) {
    return !(Number(seconds) * 1000 > Date.now());
}

// Whether one of the keys has signed the text; takes as long for a wrong signature as for a right one of its length.
function verified(keys, text, signature) {
    const told = Buffer.from(signature);
    return keys.some((key) => {
        const hmac = crypto.createHmac('sha256', Buffer.from(key, 'hex')).update(text).digest('base64url');
        const right = Buffer.from(hmac);
        let difference = right.length ^ told.length;
        for (let i = 0; i < right.length; i++) {
            difference |= right[i] ^ told[i % told.length];
        }
        return difference === 0;
    });
}

// An entry of the key value store.
async function stored(name, otherwise) {
    try {
        const text = await cf.kvs().get(name);
        return JSON.parse(text);
    } catch (error) {
        console.log('the key value store has no usable entry ' + name + ': ' + error);
        return otherwise;
    }
}

function keyless(request) {
    return refusal(request, 503, 'UNAVAILABLE', 'the edge has no upload keys: write `upload` to its key value store');
}

function refusal(request, status, code, message) {
    const answer = {statusCode: status, headers: {'content-type': {value: 'application/json'}}};
    if (request.method !== 'HEAD') {
        answer.body = {encoding: 'text', data: JSON.stringify({errors: [{code: code, message: message}]})};
    }
    return answer;
}
