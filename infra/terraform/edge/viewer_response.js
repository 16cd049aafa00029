// S3's answers in the words of the distribution specification (ADR 0008). CloudFront calls this below status 400 only:
// when S3 refuses bytes that are not those of the digest, the client gets S3's own 400.
//
// Nobody says whether `event.request` is the client's request or what viewer_request.js made of it: both are read.

const UPLOAD = /^\/v2\/(.+)\/blobs\/uploads\/[^\/]+\/?$/;
const CONTENT = /^\/content\/[^\/]+\/(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})\/.+(?![\s\S])/;
const OURS = /^\/(?:in|staging)\//;
// The engine is said to be Perl's: there `$` would also match before a line's end.
const SHA256 = /^sha256:[0-9a-f]{64}(?![\s\S])/;

function handler(event) {
    const request = event.request;
    const response = event.response;
    const uri = decoded(request.uri);
    if (request.method === 'PUT' && response.statusCode === 200) {
        return created(request, uri, response);
    }
    if (request.method === 'GET' || request.method === 'HEAD') {
        return served(request, uri, response);
    }
    return response;
}

// S3's 200 becomes the registry's 201. The API answers no upload with 200, so what is shown here came from S3.
function created(request, uri, response) {
    const upload = UPLOAD.exec(request.uri);
    let digest = upload ? decoded(last(request.querystring.digest)) : '';
    let name = upload ? upload[1] : '';
    if (OURS.test(uri)) {
        digest = told(request, uri);
        name = last(request.headers['cloudberth-name']);
    }
    if (!SHA256.test(digest)) {
        return response;
    }
    response.statusCode = 201;
    response.statusDescription = 'Created';
    strip(response.headers);
    delete response.headers.etag;
    response.headers['docker-content-digest'] = {value: digest};
    if (name) {
        response.headers.location = {value: '/v2/' + name + '/blobs/' + digest};
    }
    return response;
}

// A blob never changes, and is never a page: no browser shall run what somebody pushed.
function served(request, uri, response) {
    const content = CONTENT.exec(uri);
    if (!content && !OURS.test(uri)) {
        return response;
    }
    const digest = content ? content[1] : told(request, uri);
    strip(response.headers);
    if (digest) {
        response.headers['docker-content-digest'] = {value: digest};
    }
    response.headers['cache-control'] = {value: 'private, max-age=31536000, immutable'};
    if (!last(response.headers['content-type']).startsWith('multipart/byteranges')) {
        response.headers['content-type'] = {value: 'application/octet-stream'};
    }
    response.headers['x-content-type-options'] = {value: 'nosniff'};
    return response;
}

// The digest of a request to the bucket: as viewer_request.js noted it, or as the key has it.
function told(request, uri) {
    const noted = last(request.headers['cloudberth-digest']);
    const parts = uri.split('/');
    const digest = parts[3] + ':' + parts[4];
    return noted || (SHA256.test(digest) ? digest : '');
}

function strip(headers) {
    Object.keys(headers).forEach((header) => {
        if (header === 'server' || header.startsWith('x-amz-')) {
            delete headers[header];
        }
    });
}

function last(entry) {
    const values = entry ? entry.multiValue || [entry] : [];
    const said = values.filter((one) => one.value !== '');
    return said.length ? said[said.length - 1].value : '';
}

function decoded(text) {
    try {
        return decodeURIComponent(text);
    } catch (error) {
        return '';
    }
}
