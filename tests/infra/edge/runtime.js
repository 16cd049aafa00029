'use strict';

// CloudFront's runtime for its functions (cloudfront-js-2.0), as far as its documentation says what it has, on node:
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-javascript-runtime-20.html

const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');

const FUNCTIONS = path.join(__dirname, '..', '..', '..', 'infra', 'terraform', 'edge');
const MODULES = ['buffer', 'crypto', 'querystring'];
const READ_ONLY = ['cdn-loop', 'content-length', 'host', 'transfer-encoding', 'via'];
const FORBIDDEN = /^(connection|expect|keep-alive|trailer|upgrade|x-cache|x-real-ip|(proxy|x-(accel|amz-cf|edge))-.*)$/;

// What node knows and the documentation does not name: used by mistake, it would fail only at the edge.
const STRIP = `
const keep = {
    String: 'constructor length charAt concat indexOf lastIndexOf match replace search slice split substr substring ' +
        'toLowerCase trim toUpperCase codePointAt endsWith includes repeat startsWith padStart padEnd trimStart ' +
        'trimEnd replaceAll toString valueOf',
    Array: 'constructor length concat every filter forEach indexOf join lastIndexOf map pop push reduce reduceRight ' +
        'reverse shift slice some sort splice unshift copyWithin fill find findIndex includes toString',
    RegExp: 'constructor exec test toString flags global ignoreCase multiline source sticky',
};
for (const kind of Object.keys(keep)) {
    const known = keep[kind].split(' ');
    for (const name of Object.getOwnPropertyNames(globalThis[kind].prototype)) {
        if (!known.includes(name)) delete globalThis[kind].prototype[name];
    }
}
for (const name of ['Atomics', 'BigInt', 'FinalizationRegistry', 'Function', 'Intl', 'Map', 'Proxy', 'Reflect', 'Set',
    'SharedArrayBuffer', 'WeakMap', 'WeakRef', 'WeakSet', 'WebAssembly', 'escape', 'eval', 'unescape']) {
    delete globalThis[name];
}
`;

function source(name) {
    return fs.readFileSync(path.join(FUNCTIONS, name), 'utf8');
}

// The handler of a function, over a key value store (its entries as text), a distribution's origins, and a clock in
// seconds. `chosen` is the origin that the last request was given.
function load(name, {store = {}, origins = [], now = 0} = {}) {
    const edge = {chosen: null, log: []};
    const cloudfront = {
        kvs: () => ({
            get: async (key) => {
                if (!(key in store)) throw new Error('KeyNotFound');
                return store[key];
            },
        }),
        selectRequestOriginById: (id) => {
            if (!origins.includes(id)) throw new Error(`no origin ${id} in this distribution`);
            edge.chosen = id;
        },
    };
    const context = vm.createContext({
        Buffer,
        cf: cloudfront,
        console: {log: (text) => edge.log.push(text)},
        require: (module) => {
            if (!MODULES.includes(module)) throw new Error(`no module ${module} at the edge`);
            return require(module);
        },
    }, {codeGeneration: {strings: false, wasm: false}});
    vm.runInContext(`${STRIP} Date.now = () => ${now * 1000};`, context);
    const code = source(name).replace("import cf from 'cloudfront';", '');
    const handler = vm.runInContext(`(() => { 'use strict'; ${code}\nreturn handler; })()`, context, {filename: name});
    edge.handle = async (event) => {
        edge.chosen = null;
        const before = structuredClone(event.request);
        const answer = await handler(event);
        check(event, before, answer);
        return answer;
    };
    return edge;
}

// What CloudFront checks of an answer; it makes a 502 of a mistake.
function check(event, before, answer) {
    const fail = (what) => { throw new Error(`CloudFront would answer 502: ${what}`); };
    for (const [name, header] of Object.entries(answer.headers)) {
        if (name !== name.toLowerCase() || FORBIDDEN.test(name)) fail(`header ${name}`);
        if (typeof header.value !== 'string' || /[^\x20-\x7e]/.test(header.value)) fail(`the value of ${name}`);
    }
    if ('statusCode' in answer) {
        if (!Number.isInteger(answer.statusCode)) fail('statusCode');
        return;
    }
    for (const name of READ_ONLY) {
        if (answer.headers[name]?.value !== before.headers[name]?.value) fail(`${name} is read-only`);
    }
    if (answer.method !== before.method || !answer.uri.startsWith('/')) fail('method or uri');
}

// A query as CloudFront parses it: the first value stands twice. Nobody says whether it decodes the values.
function parsed(query, decode) {
    const found = {};
    for (const pair of query.split('&').filter(Boolean)) {
        const [name, value = ''] = pair.split('=', 2);
        (found[name] ??= []).push({value: decode ? unescaped(value) : value});
    }
    return Object.fromEntries(Object.entries(found).map(([name, values]) => [name, collapsed(values)]));
}

function unescaped(text) {
    return require('node:querystring').unescape(text);
}

function collapsed(values) {
    return values.length === 1 ? values[0] : {value: values[0].value, multiValue: values};
}

function event(kind, request) {
    return {version: '1.0', context: {eventType: kind, requestId: 'x'}, viewer: {ip: '192.0.2.1'}, request};
}

module.exports = {event, load, parsed, source};
