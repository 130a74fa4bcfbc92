// The proxy contract fails (its code is taken away for a moment), and what it was asked for is undone.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Cell, Dictionary, beginCell } from '@ton/core';
import * as c from '../scripts/cocoon.js';
import { compile } from '../scripts/compile.js';
import { config } from '../scripts/net.js';
import { balanced, done, paid, refused as refusedFor } from '../scripts/scenario.js';
import { CLIENT_OWNER, NODE, STRANGER, WORKER_OWNER, World } from '../scripts/world.js';

const { OP, TON } = c;
const LEAST = TON * 3n / 100n + 1n;
/// More, where a charge is settled and the rest asked back at once.
const SETTLE = TON * 12n / 1000n;

async function open() {
    const w = await World.create({ minClientStake: TON });
    await w.deployAll();
    await w.increaseStake(TON);
    await w.topUp(15n * TON);
    return w;
}

/// A proxy contract that does everything and then fails: the dearest way to fail.
const LATE = Cell.fromBoc(
    await compile('proxy', (path, text) => (path.startsWith('proxy') ? text.replace('else => throw ERR_UNKNOWN_OP,\n    }\n}', 'else => throw ERR_UNKNOWN_OP,\n    }\n    throw 777;\n}') : text)),
)[0];

/// Sends a message while the proxy contract fails everything; `fails` messages of value reach it. Failing early must do the same
/// as failing late.
async function failing(w, message, fails = 1) {
    const early = w.fork();
    await failWith(early, c.code('root'), message, fails);
    const steps = await failWith(w, LATE, message, fails);
    assert.ok(steps.some((s) => s.exit === 777));
    for (const address of [w.client, w.worker]) assert.equal(early.net.data(address).hash().toString('hex'), w.net.data(address).hash().toString('hex'));
    return steps;
}

async function failWith(w, failingCode, message, fails) {
    const code = w.net.replaceCode(w.proxy, failingCode);
    const steps = await w.net.send(message);
    w.net.replaceCode(w.proxy, code);
    const failed = steps.filter((s) => s.aborted && s.outs.some((out) => out.bounced));
    assert.equal(failed.length, fails);
    return steps;
}

test('withdraw', async () => {
    const w = await open();
    const steps = await failing(w, { from: CLIENT_OWNER, to: w.client, value: LEAST, body: c.ask(OP.withdraw, 1, CLIENT_OWNER) });
    assert.equal(w.readClient().balance, 15n * TON);
    assert.ok(steps.some((s) => s.op === OP.excesses && s.to.equals(CLIENT_OWNER)));
    balanced(w);
    done(await w.withdraw({ value: LEAST }));
    balanced(w);
});

test('top up: the coins come back to the owner', async () => {
    const w = await open();
    const message = { from: STRANGER, to: w.client, value: TON + LEAST, body: c.askCoins(OP.topUp, 1, TON, STRANGER) };
    const steps = await failing(w, message);
    assert.equal(paid(steps, CLIENT_OWNER), TON);
    assert.equal(w.readClient().balance, 15n * TON);
    balanced(w);
});

test('charge: what was not reported is reported later, and can be claimed', async () => {
    const w = await open();
    await failing(w, { from: NODE, to: w.client, value: LEAST, body: w.signed(OP.charge, 50_000_000n, w.client) });
    assert.deepEqual([w.readClient().balance, w.readClient().unreported, w.readClient().tokensUsed], [14n * TON, TON, 50_000_000n]);
    balanced(w);
    const withdrawn = done(await w.withdraw());
    assert.equal(paid(withdrawn, CLIENT_OWNER), 13n * TON, 'what is charged cannot be withdrawn');
    balanced(w);
    done(await w.claim({ from: STRANGER, value: LEAST }));
    assert.deepEqual([w.readClient().unreported, w.readProxy().payable], [0n, TON]);
    balanced(w);
});

test('grant refund: both messages fail, both are claimed', async () => {
    const w = await open();
    await failing(w, { from: NODE, to: w.client, value: LEAST + SETTLE, body: w.signed(OP.grantRefund, 50_000_000n, w.client) }, 2);
    assert.deepEqual([w.readClient().state, w.readClient().balance, w.readClient().unreported], [2, 14n * TON, TON]);
    balanced(w);
    const claimed = done(await w.claim({ from: STRANGER, value: LEAST + SETTLE }));
    assert.equal(paid(claimed, CLIENT_OWNER), 14n * TON);
    assert.deepEqual([w.readClient().balance, w.readClient().unreported, w.readProxy().payable], [0n, 0n, TON]);
    balanced(w);
});

test('worker payout and last payout', async () => {
    const w = await open();
    await w.charge(50_000_000n);
    await failing(w, { from: NODE, to: w.worker, value: LEAST, body: w.signed(OP.workerPayout, 40_000_000n, w.worker) });
    assert.deepEqual([w.readWorker().tokens, w.readWorker().owed], [40_000_000n, 40_000_000n]);
    await failing(w, { from: NODE, to: w.worker, value: LEAST, body: w.signed(OP.workerLastPayout, 50_000_000n, w.worker) });
    assert.deepEqual([w.readWorker().state, w.readWorker().owed], [2, 50_000_000n]);
    const steps = done(await w.workerClaim({ from: STRANGER, value: LEAST }));
    assert.equal(paid(steps, WORKER_OWNER), 950_000_000n);
    balanced(w);
});

test('every operation works with the least value that is taken', async () => {
    const w = await open();
    done(await w.topUp(TON, { value: TON + LEAST }));
    done(await w.charge(10_000_000n, { value: LEAST }));
    done(await w.payout(10_000_000n, { value: LEAST }));
    done(await w.payoutRequest({ value: LEAST }));
    done(await w.withdraw({ value: LEAST }));
    done(await w.increaseStake(1n, { value: LEAST + 1n }));
    done(await w.send(CLIENT_OWNER, w.client, LEAST, c.askNumber(OP.register, 1, 2n, 64, CLIENT_OWNER)));
    refusedFor(await w.grantRefund(12_000_000n, { value: LEAST }), 1003);
    done(await w.grantRefund(12_000_000n, { value: LEAST + SETTLE }));
    done(await w.reopen(TON, { value: TON + LEAST + c.TON / 100n }));
    done(await w.requestRefund({ value: LEAST }));
    w.net.now += 3601;
    // A float that rent has eaten into is filled up out of the value.
    refusedFor(await w.requestRefund({ value: LEAST }), 1001);
    done(await w.requestRefund({ value: LEAST + TON / 100_000n }));
    done(await w.payout(12_000_000n, { value: LEAST, last: true }));
    done(await w.ownerClose({ value: LEAST }));
    w.net.now += 86401;
    done(await w.signedClose(OP.closeComplete, { value: LEAST }));
    balanced(w);
});

test('a malformed address', async () => {
    const w = await open();
    const steps = await w.send(CLIENT_OWNER, w.client, TON, c.body(OP.withdraw, 1, (b) => b.storeUint(0, 267)));
    refusedFor(steps, 9);
    balanced(w);
});

test('garbage after a known operation changes nothing', async () => {
    const w = await open();
    const data = () => [w.client, w.worker, w.proxy].map((address) => w.net.data(address).hash().toString('hex')).join();
    const before = data();
    let state = 1;
    const next = (below) => (state = (state * 48271) % 2147483647) % below;
    const ops = [...Object.values(OP), 0].filter((op) => op !== OP.ignored);
    for (let i = 0; i < 200; i++) {
        const body = beginCell().storeUint(ops[i % ops.length], 32);
        for (let bits = next(90); bits > 0; bits--) body.storeUint(next(256), 8);
        for (let refs = next(3); refs > 0; refs--) body.storeRef(beginCell().storeUint(next(2 ** 31), 32).endCell());
        const from = next(2) ? STRANGER : CLIENT_OWNER;
        const [step] = await w.send(from, [w.client, w.worker, w.proxy][next(3)], TON, body.endCell());
        assert.notEqual(step.exit, 0, `${c.opName(step.op)} was taken`);
        assert.equal(data(), before);
    }
    balanced(w);
});

test('a closing client or worker contract in debt for rent', async () => {
    const w = await World.create({ minClientStake: TON });
    await w.deployProxy();
    await w.deployClient(TON / 1000n);
    await w.deployWorker(TON / 1000n);
    await w.increaseStake(TON);
    w.net.now += 3 * 365 * 86400;
    await w.topUp(15n * TON, { value: 15n * TON + TON / 10n });
    w.net.now += 3 * 365 * 86400;
    const had = w.balance(CLIENT_OWNER);
    done(await w.grantRefund(0n));
    assert.ok(w.balance(CLIENT_OWNER) - had <= 15n * TON + TON / 100n, 'the owner gets no more than the float');
    done(await w.payout(0n, { last: true }));
    assert.equal(w.balance(WORKER_OWNER), 0n);
    assert.equal(w.net.total(), w.net.injected);
});
