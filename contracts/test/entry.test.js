// 0.1 TON starts an account, and gas may become dearer.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Cell, Dictionary, beginCell } from '@ton/core';
import * as c from '../scripts/cocoon.js';
import { config } from '../scripts/net.js';
import { forwardFee } from '../scripts/gas.js';
import { balanced, done, paid, refused } from '../scripts/scenario.js';
import { CLIENT_OWNER, World } from '../scripts/world.js';

const { OP, TON } = c;
const LOW = { minClientStake: TON / 50n, minProxyStake: 0n, clientDelay: 60, proxyDelay: 3600 };

test('0.1 TON: deploy, secret hash and first top-up in one message, use, take everything back', async () => {
    const w = await World.create(LOW);
    await w.deployProxy();
    const init = w.clientInit(CLIENT_OWNER);
    const coins = TON * 3n / 100n;
    const value = TON * 3n / 100n + TON / 100n + coins;
    const body = c.body(OP.secretHashAndTopUp, 1, (b) => b.storeCoins(coins).storeUint(78n, 256).storeAddress(CLIENT_OWNER));
    const sending = forwardFee({ init, body });
    assert.ok(value + 2n * sending + TON / 200n < TON / 10n, `needs ${value} and twice ${sending}`);
    done(await w.send(CLIENT_OWNER, w.client, value, body, { init }));
    assert.equal(w.readClient().secured, coins);
    const left = w.balance(CLIENT_OWNER);
    assert.ok(left > TON / 100n, `${left} of the value come back`);
    balanced(w);
    done(await w.charge(100_000n, { value: TON * 4n / 100n }));
    const steps = done(await w.grantRefund(200_000n, { value: TON * 5n / 100n }));
    assert.ok(paid(steps, CLIENT_OWNER) >= coins - 200_000n * 20n + TON * 7n / 1000n, 'all unused coins and the float');
    balanced(w);
});

test('without the proxy node: back after the client delay', async () => {
    const w = await World.create(LOW);
    await w.deployProxy();
    await w.deployClient(TON / 100n);
    done(await w.topUp(TON * 3n / 100n, { value: TON * 7n / 100n }));
    done(await w.requestRefund({ value: TON * 4n / 100n }));
    w.net.now += 61;
    done(await w.requestRefund({ value: TON * 4n / 100n }));
    assert.deepEqual([w.readClient().state, w.readProxy().prepaid], [2, 0n]);
    balanced(w);
});

test('gas eight times as dear: too little is refused, nothing is lost', async () => {
    const w = await World.create();
    const all = Dictionary.loadDirect(Dictionary.Keys.Int(32), Dictionary.Values.Cell(), config());
    const s = all.get(21).beginParse();
    const head = s.loadBits(8 + 64 + 64 + 8);
    const price = s.loadUintBig(64);
    all.set(21, beginCell().storeBits(head).storeUint(price * 8n, 64).storeSlice(s).endCell());
    w.net.config = beginCell().storeDictDirect(all).endCell().toBoc().toString('base64');
    await w.deployAll();
    done(await w.increaseStake(TON, { value: 2n * TON }));
    const least = 241n * TON / 1000n;
    refused(await w.topUp(15n * TON, { value: 15n * TON + TON / 5n }), 1003);
    done(await w.topUp(15n * TON, { value: 15n * TON + least }));
    done(await w.charge(1_000_000n, { value: least }));
    done(await w.payout(1_000_000n, { value: least }));
    done(await w.grantRefund(2_000_000n, { value: least * 3n / 2n }));
    balanced(w);
});
