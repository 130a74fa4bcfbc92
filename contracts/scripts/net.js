// A network of accounts on the official emulator: one queue in order of sending, a clock, and a book of every coin.
//
// People and node wallets are addresses without code: what is sent to them stays there. Messages from them are injected.
import {
    Address, Cell, Dictionary, beginCell, contractAddress, getMethodId, loadShardAccount, loadTransaction, parseTuple, storeMessage, storeShardAccount,
} from '@ton/core';
import { Executor, defaultConfig } from '@ton/sandbox';

/// Global version 12, basechain prices of the main network, and nothing that contracts do not read. The workchain's
/// entry has the first form (a6), which every executor parses.
export function config() {
    const all = Dictionary.loadDirect(Dictionary.Keys.Int(32), Dictionary.Values.Cell(), Cell.fromBase64(defaultConfig));
    const mine = Dictionary.empty(Dictionary.Keys.Int(32), Dictionary.Values.Cell());
    for (const key of [0, 1, 2, 4, 8, 17, 18, 19, 20, 21, 22, 23, 24, 25, 31]) if (all.has(key)) mine.set(key, all.get(key));
    const workchain = beginCell()
        .storeUint(0xa6, 8).storeUint(0, 32).storeUint(0, 8).storeUint(0, 8).storeUint(4, 8)
        .storeBit(1).storeBit(1).storeBit(1).storeUint(0, 13)
        .storeUint(0, 256).storeUint(0, 256).storeUint(0, 32)
        .storeUint(1, 4).storeInt(-1, 32).storeUint(0, 64);
    const chains = Dictionary.empty(Dictionary.Keys.Int(32), { serialize: (src, b) => b.storeBuilder(src), parse: () => null });
    chains.set(0, workchain);
    mine.set(12, beginCell().storeDict(chains).endCell());
    return beginCell().storeDictDirect(mine).endCell();
}

export const GENESIS = 1_765_000_000;
export const SEED = Buffer.alloc(32, 7);
const NO_ACCOUNT = (() => {
    // shard account: account_none, last transaction 0
    return beginCell().storeRef(beginCell().storeBit(0).endCell()).storeUint(0, 256).storeUint(0, 64).endCell().toBoc().toString('base64');
})();

export class Net {
    static async create() {
        return new Net(await Executor.create(), config());
    }

    constructor(executor, config) {
        Object.assign(this, {
            executor, config: config.toBoc().toString('base64'), configCell: config, now: GENESIS, lt: 1_000_000n,
            accounts: new Map(), queue: [], injected: 0n, fees: 0n, steps: [], hooks: [],
        });
    }

    /// The emulator's own state is one pointer; a copy of a net is its accounts and books.
    fork() {
        const copy = new Net(this.executor, this.configCell);
        Object.assign(copy, { now: this.now, lt: this.lt, accounts: new Map(this.accounts), injected: this.injected, fees: this.fees });
        return copy;
    }

    shardAccount(address) {
        return this.accounts.get(address.toRawString()) ?? NO_ACCOUNT;
    }

    account(address) {
        return parsed(this.shardAccount(address));
    }

    balance(address) {
        return this.account(address)?.storage.balance.coins ?? 0n;
    }

    data(address) {
        return this.account(address).storage.state.state.data;
    }

    total() {
        let sum = this.fees;
        for (const address of this.accounts.keys()) sum += this.balance(Address.parseRaw(address));
        for (const { value } of this.queue) sum += value;
        return sum;
    }

    /// Puts a message from outside into the queue.
    inject({ from, to, value, body = Cell.EMPTY, init, bounce = true }) {
        this.injected += value;
        this.lt += 1_000_000n;
        const cell = beginCell().store(storeMessage({
            info: {
                type: 'internal', ihrDisabled: true, bounce, bounced: false, src: from, dest: to, value: { coins: value },
                ihrFee: 0n, forwardFee: 0n, createdLt: this.lt, createdAt: this.now,
            },
            init, body,
        })).endCell();
        this.queue.push({ cell, to, value });
    }

    /// Runs what is queued, at most `limit` transactions; returns them.
    async run(limit = 1000) {
        const done = [];
        while (this.queue.length > 0 && done.length < limit) done.push(await this.#next());
        if (this.queue.length > 0 && limit === 1000) throw new Error('the queue does not drain');
        return done;
    }

    async send(message) {
        this.inject(message);
        return this.run();
    }

    async deploy(init, value, from) {
        return this.send({ from, to: contractAddress(0, init), value, init, bounce: false });
    }

    /// Puts other code into an account: a contract that fails.
    replaceCode(address, code) {
        const account = loadShardAccount(Cell.fromBase64(this.shardAccount(address)).beginParse());
        const old = account.account.storage.state.state.code;
        account.account.storage.state.state.code = code;
        this.accounts.set(address.toRawString(), beginCell().store(storeShardAccount(account)).endCell().toBoc().toString('base64'));
        return old;
    }

    async #next() {
        const { cell, to } = this.queue.shift();
        this.lt += 1_000_000n;
        const before = this.shardAccount(to);
        const { result } = await this.executor.runTransaction({
            config: this.config, libs: null, verbosity: 'short', shardAccount: before, message: cell, now: this.now, lt: this.lt,
            randomSeed: SEED, ignoreChksig: false, debugEnabled: false,
        });
        if (!result.success) throw new Error(`the emulator refuses a message to ${to}: ${result.error}`);
        this.accounts.set(to.toRawString(), result.shardAccount);
        const tx = loadTransaction(Cell.fromBase64(result.transaction).beginParse());
        const step = { label: this.label, ...summary(tx, to, cell) };
        for (const out of step.outs) {
            this.queue.push({ cell: out.cell, to: out.to, value: out.value });
            this.fees += out.forwardFee;
        }
        this.fees += tx.totalFees.coins;
        this.steps.push({ ...step, now: this.now, lt: this.lt, before, after: result.shardAccount, transaction: result.transaction });
        for (const hook of this.hooks) hook(step);
        return step;
    }

    /// Runs a get method; numbers come back as bigint, addresses as slices.
    async get(address, name, ...args) {
        const { code, data } = this.account(address).storage.state.state;
        const { output } = await this.executor.runGetMethod({
            code, data, address, methodId: getMethodId(name), stack: args.map((value) => ({ type: 'int', value })), config: this.config,
            verbosity: 'short', libs: undefined, unixTime: this.now, balance: this.balance(address), randomSeed: SEED, gasLimit: 1_000_000n,
            debugEnabled: false,
        });
        if (!output.success || output.vm_exit_code !== 0) throw new Error(`${name}: ${JSON.stringify(output)}`);
        return parseTuple(Cell.fromBase64(output.stack)).map((item) => item.value ?? item.cell);
    }
}

/// Hashing cells is most of the time that tests take: what was read is kept. Nobody writes into it.
const seen = new Map();

function parsed(boc) {
    if (!seen.has(boc)) {
        if (seen.size > 1000) seen.clear();
        seen.set(boc, loadShardAccount(Cell.fromBase64(boc).beginParse()).account);
    }
    return seen.get(boc);
}

function summary(tx, to, cell) {
    const phases = tx.description;
    const compute = phases.computePhase;
    const outs = tx.outMessages.values().filter((m) => m.info.type === 'internal').map((message) => ({
        cell: beginCell().store(storeMessage(message)).endCell(),
        to: message.info.dest,
        value: message.info.value.coins,
        forwardFee: message.info.forwardFee,
        bounced: message.info.bounced,
        body: message.body,
        op: message.body.bits.length >= 32 ? message.body.beginParse().preloadUint(32) : null,
    }));
    const info = tx.inMessage.info;
    return {
        to, cell, hash: tx.hash(),
        from: info.src, value: info.value.coins, bounced: info.bounced, body: tx.inMessage.body,
        op: tx.inMessage.body.bits.length >= 32 ? tx.inMessage.body.beginParse().preloadUint(32) : null,
        exit: compute.type === 'vm' ? compute.exitCode : null,
        skip: compute.type === 'vm' ? null : compute.reason,
        action: phases.actionPhase?.resultCode ?? null,
        aborted: phases.aborted,
        gas: compute.type === 'vm' ? compute.gasUsed : 0n,
        fees: tx.totalFees.coins,
        storageFees: phases.storagePhase?.storageFeesCollected ?? 0n,
        outs,
    };
}
