'use strict';

// The vectors, their {words} filled in.

const vectors = require('./vectors.json');

function filled(value) {
    if (typeof value === 'string') {
        return value.replace(/\{([^{}]+)\}/g, (whole, word) => vectors.words[word] ?? whole);
    }
    if (Array.isArray(value)) return value.map(filled);
    if (value && typeof value === 'object') {
        return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, filled(one)]));
    }
    return value;
}

module.exports = {
    ...vectors,
    requests: filled(vectors.requests),
    downloads: filled(vectors.downloads),
    keys: [vectors.keys.current, vectors.keys.previous],
};
