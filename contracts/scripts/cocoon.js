// Cells of the four contracts: parameters, initial data, messages, signed payments; and their data read back.
import { readFileSync } from 'node:fs';
import { Address, Cell, Dictionary, beginCell, contractAddress } from '@ton/core';
import { keyPairFromSeed, sign } from '@ton/crypto';

export const TON = 1_000_000_000n;
export const code = (name) => Cell.fromBoc(readFileSync(new URL(`../build/${name}.boc`, import.meta.url)))[0];
/// An address made of 32 equal bytes.
export const person = (byte, workchain = 0) => new Address(workchain, Buffer.alloc(32, byte));
export const key = (byte) => keyPairFromSeed(Buffer.alloc(32, byte));

export const OP = {
    excesses: 0x2565934c, payout: 0xc59a7cd3, ignored: 0x9a1247c0, saveState: 0x53109c0f,
    clientRequest: 0x65448ff4, workerRequest: 0x4d725d2c, clientSettled: 0x7a102974,
    topUpAccepted: 0x255054b0, topUpRefused: 0x0ee2708e, refundRefused: 0x650bab33, payoutRefused: 0x0587d3a4,
    increaseProxyStake: 0x9713f187, payoutRequest: 0x7610e6eb, ownerClose: 0xb51d5a01, closeRequest: 0x636a4391, closeComplete: 0xe511abc7,
    workerPayout: 0xa040ad28, workerLastPayout: 0xf5f26a36, workerRegister: 0x26ed7f65, workerClaim: 0x4cc1f8fb,
    topUp: 0xf172e6c2, charge: 0xbb63ff93, grantRefund: 0xefd711e1, grantRefundReopened: 0x9bae43bf, reopen: 0x29111ceb,
    register: 0xc45f9f3b, changeSecretHash: 0xa9357034, secretHashAndTopUp: 0x8473b408, increaseStake: 0x6a1f6a60,
    withdraw: 0xda068e78, requestRefund: 0xfafa6cc1, claim: 0xf30bc098,
};
export const OP_NAME = Object.fromEntries(Object.entries(OP).map(([name, op]) => [op, name]));
export const PAYLOAD = { topUp: 0x5cfc6b87, register: 0xa35cb580, refundGranted: 0xc68ebc7b, refundForce: 0xf4c354c9, workerPayout: 0x08e7d036 };

/// The parameters of the specification's vectors.
export const VECTOR_PARAMS = {
    struct: 3, version: 5, uniqueId: 17, isTest: false, price: 20n, fee: 19n, multipliers: [10000, 1000, 80000, 80000],
    proxyDelay: 86400, clientDelay: 3600, minProxyStake: TON, minClientStake: 15n * TON,
};

const CODES = () => ({ proxy: code('proxy'), worker: code('worker'), client: code('client') });
/// The root contract does not look into codes: short ones keep recordings short.
export const STANDINS = Object.fromEntries(['proxy', 'worker', 'client'].map((name) => [name, beginCell().storeStringTail(name).endCell()]));

/// mask: bit 0 proxy, bit 1 worker, bit 2 client code.
export function params(p, mask, codes = CODES()) {
    const b = beginCell().storeUint(p.struct, 8).storeUint(p.version, 32).storeUint(p.uniqueId, 32).storeBit(p.isTest).storeCoins(p.price).storeCoins(p.fee);
    const [prompt, cached, completion, reasoning] = p.multipliers;
    if (p.struct >= 3) b.storeUint(prompt, 32);
    if (p.struct >= 2) b.storeUint(cached, 32);
    if (p.struct >= 3) b.storeUint(completion, 32);
    if (p.struct >= 2) b.storeUint(reasoning, 32);
    b.storeUint(p.proxyDelay, 32).storeUint(p.clientDelay, 32);
    if (p.struct >= 1) b.storeCoins(p.minProxyStake).storeCoins(p.minClientStake);
    return b.storeMaybeRef(mask & 1 ? codes.proxy : null).storeMaybeRef(mask & 2 ? codes.worker : null).storeMaybeRef(mask & 4 ? codes.client : null).endCell();
}

const minClientStake = (p) => (p.struct >= 1 ? p.minClientStake : TON);
export const address = (init) => contractAddress(0, init);

export function proxyInit(p, root, owner, publicKey) {
    const data = beginCell().storeAddress(owner).storeBuffer(publicKey).storeAddress(root).storeUint(0, 2).storeCoins(0).storeCoins(0).storeUint(0, 32).storeRef(params(p, 6)).endCell();
    return { code: code('proxy'), data };
}

export function workerInit(p, owner, proxy, publicKey) {
    const data = beginCell().storeAddress(owner).storeAddress(proxy).storeBuffer(publicKey).storeUint(0, 2).storeUint(0, 64).storeRef(params(p, 0)).endCell();
    return { code: code('worker'), data };
}

export function clientInit(p, owner, proxy, publicKey) {
    const constants = beginCell().storeAddress(owner).storeAddress(proxy).storeBuffer(publicKey).endCell();
    const data = beginCell().storeUint(0, 2).storeCoins(0).storeCoins(minClientStake(p)).storeUint(0, 64).storeUint(0, 32).storeUint(0, 256).storeRef(constants).storeRef(params(p, 0)).endCell();
    return { code: code('client'), data };
}

const SET = { serialize: () => {}, parse: () => true };
const TEXT = {
    serialize: (text, b) => b.storeBit(0).storeUint(text.length, 7).storeBuffer(Buffer.from(text)),
    parse: (s) => { s.skip(1); return s.loadBuffer(s.loadUint(7)).toString(); },
};
export const entry = (text) => { const b = beginCell(); TEXT.serialize(text, b); return b.endCell(); };

export function lists({ proxies = {}, lastSeqno = 0, proxyHashes = [], workerHashes = [], modelHashes = [] } = {}) {
    const set = (hashes) => {
        const d = Dictionary.empty(Dictionary.Keys.BigUint(256), SET);
        for (const hash of hashes) d.set(BigInt('0x' + hash), true);
        return d;
    };
    const registered = Dictionary.empty(Dictionary.Keys.Uint(32), TEXT);
    for (const [seqno, text] of Object.entries(proxies)) registered.set(Number(seqno), text);
    return beginCell().storeDict(set(proxyHashes)).storeDict(registered).storeUint(lastSeqno, 32).storeDict(set(workerHashes)).storeDict(set(modelHashes)).endCell();
}

export function rootInit(p, owner, { version = 0, content = lists(), codes = CODES() } = {}) {
    return { code: code('root'), data: beginCell().storeAddress(owner).storeUint(version, 32).storeRef(content).storeRef(params(p, 7, codes)).endCell() };
}

// === messages ===

/// op, query id, then what `more` stores.
export function body(op, queryId, more = () => {}) {
    const b = beginCell().storeUint(op, 32).storeUint(queryId, 64);
    more(b);
    return b.endCell();
}
/// What an owner types in any wallet.
export const text = (letters) => beginCell().storeUint(0, 32).storeBuffer(Buffer.from(letters)).endCell();
export const ask = (op, queryId, excesses) => body(op, queryId, (b) => b.storeAddress(excesses));
export const askCoins = (op, queryId, coins, excesses) => body(op, queryId, (b) => b.storeCoins(coins).storeAddress(excesses));
export const askNumber = (op, queryId, value, bits, excesses) => body(op, queryId, (b) => b.storeUint(value, bits).storeAddress(excesses));

export function envelope(op, queryId, excesses, payload, secretKey) {
    return body(op, queryId, (b) => b.storeAddress(excesses).storeBuffer(sign(payload.hash(), secretKey)).storeRef(payload));
}
export function signedTokens(op, queryId, tokens, to, excesses, secretKey, generation) {
    const payload = body(op, queryId, (b) => {
        b.storeUint(tokens, 64);
        if (op === OP.grantRefundReopened) b.storeUint(generation, 32);
        b.storeAddress(to);
    });
    return envelope(op, queryId, excesses, payload, secretKey);
}
export const signedClose = (op, queryId, to, excesses, secretKey) => envelope(op, queryId, excesses, body(op, queryId, (b) => b.storeAddress(to)), secretKey);
export const commit = (queryId, seqno, session) => body(OP.ignored, queryId, (b) => b.storeUint(OP.saveState, 32).storeInt(seqno, 32).storeBuffer(session));

// === data ===

export function readProxy(cell) {
    const s = cell.beginParse();
    const out = {
        owner: s.loadAddress(), publicKey: s.loadBuffer(32), root: s.loadAddress(), state: s.loadUint(2), balance: s.loadCoins(),
        stake: s.loadCoins(), unlockTs: s.loadUint(32), params: s.loadRef(), prepaid: 0n, payable: 0n, advance: 0n,
    };
    if (s.remainingRefs > 0) {
        const pool = s.loadRef().beginParse();
        Object.assign(out, { prepaid: pool.loadCoins(), payable: pool.loadCoins(), advance: pool.loadCoins() });
        pool.endParse();
    }
    s.endParse();
    return out;
}

export function readClient(cell) {
    const s = cell.beginParse();
    const out = {
        state: s.loadUint(2), balance: s.loadCoins(), stake: s.loadCoins(), tokensUsed: s.loadUintBig(64), unlockTs: s.loadUint(32),
        secretHash: s.loadBuffer(32), secured: 0n, unreported: 0n, generation: 0, constants: s.loadRef(), params: s.loadRef(),
    };
    if (s.remainingBits > 0) Object.assign(out, { secured: s.loadCoins(), unreported: s.loadCoins(), generation: s.loadUint(32) });
    s.endParse();
    return out;
}

export function readWorker(cell) {
    const s = cell.beginParse();
    const out = {
        owner: s.loadAddress(), proxy: s.loadAddress(), publicKey: s.loadBuffer(32), state: s.loadUint(2), tokens: s.loadUintBig(64),
        owed: 0n, params: s.loadRef(),
    };
    if (s.remainingBits > 0) out.owed = s.loadUintBig(64);
    s.endParse();
    return out;
}

export function readRoot(cell) {
    const s = cell.beginParse();
    const owner = s.loadAddress();
    const version = s.loadUint(32);
    const l = s.loadRef().beginParse();
    const set = () => [...l.loadDict(Dictionary.Keys.BigUint(256), SET).keys()].map((hash) => hash.toString(16).padStart(64, '0'));
    const proxyHashes = set();
    const proxies = Object.fromEntries(l.loadDict(Dictionary.Keys.Uint(32), TEXT));
    const lastSeqno = l.loadUint(32);
    const workerHashes = set();
    const modelHashes = set();
    l.endParse();
    const paramsCell = s.loadRef();
    s.endParse();
    return { owner, version, proxyHashes, proxies, lastSeqno, workerHashes, modelHashes, params: paramsCell };
}

/// A body in words, for traces and recordings.
export const opName = (op) => (op === null ? 'empty' : OP_NAME[op] ?? (op === 0xfffffffe || op === 0xffffffff ? 'bounce' : '0x' + op.toString(16).padStart(8, '0')));
