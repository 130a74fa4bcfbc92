// A root, one proxy, a client and a worker on a `Net`, and short names for what is done to them in tests and recordings.
import { Net } from './net.js';
import * as c from './cocoon.js';

export const ROOT_OWNER = c.person(0xee);
export const PROXY_OWNER = c.person(0xbb);
export const WORKER_OWNER = c.person(0xcc);
export const CLIENT_OWNER = c.person(0xdd);
export const STRANGER = c.person(0x99);
export const NODE = c.person(0x77);

export class World {
    static async create(params = {}, proxyOwner = PROXY_OWNER) {
        return new World(await Net.create(), { ...c.VECTOR_PARAMS, ...params }, proxyOwner);
    }

    constructor(net, p, proxyOwner) {
        Object.assign(this, { net, p, proxyOwner });
        this.proxyKey = c.key(1);
        this.query = 0;
        const pub = this.proxyKey.publicKey;
        this.rootInit = c.rootInit(p, ROOT_OWNER, { codes: c.STANDINS });
        this.root = c.address(this.rootInit);
        this.proxyInit = c.proxyInit(p, this.root, proxyOwner, pub);
        this.proxy = c.address(this.proxyInit);
        this.client = this.clientOf(CLIENT_OWNER);
        this.worker = this.workerOf(WORKER_OWNER);
    }

    fork() {
        const copy = new World(this.net.fork(), this.p, this.proxyOwner);
        copy.query = this.query;
        return copy;
    }

    clientInit(owner) { return c.clientInit(this.p, owner, this.proxy, this.proxyKey.publicKey); }
    workerInit(owner) { return c.workerInit(this.p, owner, this.proxy, this.proxyKey.publicKey); }
    clientOf(owner) { return c.address(this.clientInit(owner)); }
    workerOf(owner) { return c.address(this.workerInit(owner)); }
    next() { return ++this.query; }

    deployProxy(value = c.TON * 3n / 10n) { return this.net.deploy(this.proxyInit, value, NODE); }
    deployClient(value = c.TON * 8n / 10n, owner = CLIENT_OWNER) { return this.net.deploy(this.clientInit(owner), value, owner); }
    deployWorker(value = c.TON * 3n / 10n, owner = WORKER_OWNER) { return this.net.deploy(this.workerInit(owner), value, owner); }
    async deployAll() {
        await this.net.deploy(this.rootInit, c.TON, ROOT_OWNER);
        await this.deployProxy();
        await this.deployClient();
        await this.deployWorker();
    }

    send(from, to, value, body, more = {}) { return this.net.send({ from, to, value, body, ...more }); }

    increaseStake(coins, { from = PROXY_OWNER, value = coins + c.TON / 5n } = {}) {
        return this.send(from, this.proxy, value, c.askCoins(c.OP.increaseProxyStake, this.next(), coins, from));
    }
    topUp(coins, { from = CLIENT_OWNER, owner = CLIENT_OWNER, value = coins + c.TON * 7n / 10n, excesses = from } = {}) {
        return this.send(from, this.clientOf(owner), value, c.askCoins(c.OP.topUp, this.next(), coins, excesses));
    }
    reopen(coins, { from = CLIENT_OWNER, owner = CLIENT_OWNER, value = coins + c.TON * 7n / 10n } = {}) {
        return this.send(from, this.clientOf(owner), value, c.askCoins(c.OP.reopen, this.next(), coins, from));
    }
    signed(op, tokens, to, { excesses = NODE, generation, secretKey = this.proxyKey.secretKey, queryId = this.next() } = {}) {
        return c.signedTokens(op, queryId, tokens, to, excesses, secretKey, generation);
    }
    charge(tokens, { from = NODE, owner = CLIENT_OWNER, value = c.TON * 7n / 10n } = {}) {
        return this.send(from, this.clientOf(owner), value, this.signed(c.OP.charge, tokens, this.clientOf(owner)));
    }
    grantRefund(tokens, { from = NODE, owner = CLIENT_OWNER, value = c.TON * 7n / 10n, generation } = {}) {
        const op = generation === undefined ? c.OP.grantRefund : c.OP.grantRefundReopened;
        return this.send(from, this.clientOf(owner), value, this.signed(op, tokens, this.clientOf(owner), { generation }));
    }
    payout(tokens, { from = NODE, owner = WORKER_OWNER, value = c.TON / 2n, last = false } = {}) {
        return this.send(from, this.workerOf(owner), value, this.signed(last ? c.OP.workerLastPayout : c.OP.workerPayout, tokens, this.workerOf(owner)));
    }
    ask(op, to, { from = CLIENT_OWNER, value = c.TON * 7n / 10n } = {}) {
        return this.send(from, to, value, c.ask(op, this.next(), from));
    }
    withdraw(more = {}) { return this.ask(c.OP.withdraw, this.clientOf(more.from ?? CLIENT_OWNER), more); }
    requestRefund(more = {}) { return this.ask(c.OP.requestRefund, this.clientOf(more.from ?? CLIENT_OWNER), more); }
    claim({ owner = CLIENT_OWNER, ...more } = {}) { return this.ask(c.OP.claim, this.clientOf(owner), more); }
    workerClaim({ owner = WORKER_OWNER, ...more } = {}) { return this.ask(c.OP.workerClaim, this.workerOf(owner), more); }
    payoutRequest(more = {}) { return this.ask(c.OP.payoutRequest, this.proxy, { from: NODE, value: c.TON / 5n, ...more }); }
    ownerClose(more = {}) { return this.ask(c.OP.ownerClose, this.proxy, { from: this.proxyOwner, ...more }); }
    signedClose(op, { from = NODE, value = c.TON } = {}) {
        return this.send(from, this.proxy, value, c.signedClose(op, this.next(), this.proxy, from, this.proxyKey.secretKey));
    }

    readProxy() { return c.readProxy(this.net.data(this.proxy)); }
    readClient(owner = CLIENT_OWNER) { return c.readClient(this.net.data(this.clientOf(owner))); }
    readWorker(owner = WORKER_OWNER) { return c.readWorker(this.net.data(this.workerOf(owner))); }
    readRoot() { return c.readRoot(this.net.data(this.root)); }
    balance(address) { return this.net.balance(address); }
}

/// One line per transaction, for reading.
export function trace(steps) {
    return steps.map((s) => `${s.bounced ? 'bounce ' : ''}${c.opName(s.op)} value ${s.value} exit ${s.exit ?? s.skip} action ${s.action} gas ${s.gas} fees ${s.fees} -> ${s.outs.map((o) => `${o.bounced ? 'bounce' : c.opName(o.op)} ${o.value}`).join(', ')}`).join('\n');
}
