// Whatever is attached, from the least upwards: a chain of messages that runs out of value on its way takes nothing with it.
// STEP=n looks every n nanoTON, at every operation in every state; without it a few values, in a few seconds.
import assert from 'node:assert/strict';
import test from 'node:test';
import { beginCell } from '@ton/core';
import * as c from '../scripts/cocoon.js';
import { balanced } from '../scripts/scenario.js';
import { CLIENT_OWNER, STRANGER, World } from '../scripts/world.js';

const { OP, TON } = c;
/// The owner of the proxy; clients and workers of such owners are refused (attacks).
const FAR = c.person(0xb5, -1);
const STEP = process.env.STEP && BigInt(process.env.STEP);
const [LOW, HIGH] = [TON * 3n / 100n + 1n, TON * 45n / 1000n];
/// The least that is taken; the values that used to be lost (0.031 to 0.042).
const FEW = [0n, 2n, 12n].map((more) => LOW + more * TON / 1000n);
const VALUES = STEP ? Array.from({ length: Number((HIGH - LOW) / STEP) + 1 }, (_, i) => LOW + BigInt(i) * STEP) : FEW;

const proxies = {
    'a healthy proxy': async () => {},
    'a closing proxy': (w) => w.ownerClose(),
    'a closed proxy whose coins rent has eaten into': async (w) => {
        await w.signedClose(OP.closeRequest);
        w.net.now += 86400;
        await w.signedClose(OP.closeComplete);
        w.net.now += 20 * 365 * 86400;
        for (const address of [w.client, w.worker]) await w.send(STRANGER, address, TON, beginCell().endCell());
    },
};

const ask = (op) => (w, value) => w.ask(op, w.client, { value });
const ops = {
    charge: (w, value) => w.charge(60_000_000n, { value }),
    'grant refund': (w, value) => w.grantRefund(60_000_000n, { value }),
    'top up': (w, value) => w.topUp(TON, { value: value + TON }),
    withdraw: ask(OP.withdraw),
    'request refund': ask(OP.requestRefund),
    'forced refund': async (w, value) => {
        await w.requestRefund();
        w.net.now += 3601;
        return w.requestRefund({ value });
    },
    payout: (w, value) => w.payout(100_000_000n, { value }),
    'last payout': (w, value) => w.payout(100_000_000n, { value, last: true }),
    'payout request': (w, value) => w.payoutRequest({ value }),
};

async function open(prepare, owner) {
    const w = await World.create({ minClientStake: TON }, owner);
    await w.deployAll();
    await w.increaseStake(TON);
    await w.topUp(15n * TON);
    await w.charge(50_000_000n);
    await w.payout(10_000_000n);
    await prepare(w);
    return w;
}

/// Tokens that are counted are paid or owed; what was paid stands in the proxy contract's books.
function conserved(w, name, isShort) {
    const { tokens, owed } = w.readWorker();
    const { payable, advance } = w.readProxy();
    const settled = w.readClient().tokensUsed * 20n - w.readClient().unreported;
    assert.equal(settled + advance - payable, (tokens - owed) * 20n, `${name}: neither paid nor owed`);
    const { balance, unreported, secured } = w.readClient();
    assert.equal(balance + unreported, secured, name);
    assert.equal(secured, w.readProxy().prepaid, name);
    if (!isShort) balanced(w);
}

for (const [state, prepare] of Object.entries(proxies)) {
    test(state, async () => {
        const first = await open(prepare, FAR);
        for (const [name, run] of Object.entries(ops)) {
            for (const value of VALUES) {
                const w = first.fork();
                await run(w, value);
                conserved(w, `${name} of ${value}`, state.includes('rent'));
            }
        }
    });
}
