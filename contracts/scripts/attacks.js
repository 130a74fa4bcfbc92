// Each known attack, and what comes of it here. Numbers of the hazards are those of docs/adr/0004-contracts-and-hazards.md.
// Run by the tests; the labelled steps are recorded.
import assert from 'node:assert/strict';
import { beginCell } from '@ton/core';
import { found } from './attacks-found.js';
import * as c from './cocoon.js';
import { balanced, done, paid, refused } from './scenario.js';
import { CLIENT_OWNER, NODE, PROXY_OWNER, ROOT_OWNER, STRANGER, WORKER_OWNER, World } from './world.js';

const { OP, TON } = c;
const VICTIM = c.person(0xd7);

/// An open network: stake 1 TON (the minimum), the victim has 15 TON in it, the client 15 TON.
async function open(more = {}) {
    const w = await World.create(more);
    await w.deployAll();
    await w.deployClient(undefined, VICTIM);
    await w.increaseStake(TON);
    await w.topUp(15n * TON, { from: VICTIM, owner: VICTIM });
    await w.topUp(15n * TON);
    return w;
}
const both = [CLIENT_OWNER, VICTIM];

export const attacks = {
    'H2: a proxy without its stake takes clients': async (step) => {
        const w = await World.create();
        await w.deployAll();
        await w.increaseStake(TON - 1n);
        const steps = done(await step(w, 'top up, stake 1 nanoTON short', () => w.topUp(15n * TON)));
        assert.equal(paid(steps, CLIENT_OWNER), 15n * TON - 400_000n);
        assert.equal(w.readClient().balance, 0n);
        await w.increaseStake(1n);
        done(await step(w, 'top up, stake complete', () => w.topUp(15n * TON)));
        assert.equal(w.readClient().secured, 15n * TON);
        balanced(w);
        const free = await World.create({ minProxyStake: 0n });
        await free.deployAll();
        done(await step(free, 'top up where the registry asks for no stake', () => free.topUp(15n * TON)));
        balanced(free);
        return [w, free];
    },

    'H2, H3: a forced refund of 13 TON from a proxy with a stake of 5 TON': async (step) => {
        const w = await World.create({ minClientStake: TON });
        await w.deployAll();
        await w.increaseStake(5n * TON);
        await w.topUp(13n * TON);
        done(await step(w, 'request refund', () => w.requestRefund()));
        w.net.now += 3601;
        done(await step(w, 'forced refund', () => w.requestRefund()));
        assert.ok(w.balance(CLIENT_OWNER) > 13n * TON);
        assert.equal(w.readProxy().stake, 5n * TON, 'the refund is not paid out of the stake');
        balanced(w);
        return [w];
    },

    'H3: the pool is short of coins when a refund is asked for': async (step) => {
        const w = await World.create();
        await w.deployAll();
        await w.increaseStake(TON);
        await w.topUp(15n * TON);
        // The owner's stake leaves, then rent eats the float and a part of the pool.
        await w.signedClose(OP.closeRequest);
        w.net.now += 86400;
        await w.signedClose(OP.closeComplete);
        w.net.now += 20 * 365 * 86400;
        await w.requestRefund({ value: 2n * TON });
        w.net.now += 3601;
        const steps = await step(w, 'forced refund, pool short', () => w.requestRefund());
        const short = w.readClient().balance;
        assert.ok(short > 0n && short < TON, `${short} short`);
        assert.equal(w.readClient().secured, short, 'the rest stays owed');
        assert.equal(paid(steps.slice(2), CLIENT_OWNER), 15n * TON - short);
        await step(w, 'claim while the pool is short', () => w.claim());
        const rest = w.readClient().balance;
        assert.ok(rest >= short - 1n, 'the log of 1 nanoTON went into the pool');
        await step(w, 'somebody fills the pool', () => w.send(STRANGER, w.proxy, TON, beginCell().endCell()));
        const claimed = done(await step(w, 'claim', () => w.claim({ from: STRANGER })));
        assert.equal(paid(claimed, CLIENT_OWNER), rest);
        assert.deepEqual([w.readClient().balance, w.readClient().secured], [0n, 0n]);
        return [w];
    },

    'H4: a payout that the proxy contract cannot run': async (step) => {
        const w = await World.create();
        await w.deployClient();
        await w.deployWorker();
        await step(w, 'payout, no proxy contract', () => w.payout(1_000_000n));
        assert.deepEqual([w.readWorker().tokens, w.readWorker().owed], [1_000_000n, 1_000_000n]);
        refused(await step(w, 'the same payout again', () => w.payout(1_000_000n)), 1000);
        await w.deployProxy();
        await w.increaseStake(TON);
        await w.topUp(15n * TON);
        await w.charge(1_000_000n);
        const steps = done(await step(w, 'claim', () => w.workerClaim({ from: STRANGER })));
        assert.equal(paid(steps, WORKER_OWNER), 19_000_000n);
        assert.equal(w.readWorker().owed, 0n);
        balanced(w);
        return [w];
    },

    'H4: the proxy contract fails whatever it gets': async (step) => {
        const w = await open({ minClientStake: TON });
        const code = w.net.replaceCode(w.proxy, c.code('root'));
        await step(w, 'withdraw', () => w.withdraw());
        assert.deepEqual([w.readClient().balance, w.readClient().secured], [15n * TON, 15n * TON]);
        const back = await step(w, 'top up', () => w.topUp(TON, { from: STRANGER }));
        assert.equal(paid(back, CLIENT_OWNER), TON);
        await step(w, 'charge', () => w.charge(50_000_000n));
        assert.deepEqual([w.readClient().balance, w.readClient().secured, w.readClient().unreported], [14n * TON, 15n * TON, TON]);
        await step(w, 'worker payout', () => w.payout(50_000_000n));
        assert.equal(w.readWorker().owed, 50_000_000n);
        await step(w, 'grant refund', () => w.grantRefund(100_000_000n));
        assert.deepEqual([w.readClient().state, w.readClient().balance, w.readClient().unreported], [2, 13n * TON, 2n * TON]);
        w.net.replaceCode(w.proxy, code);
        const claimed = done(await step(w, 'claim', () => w.claim({ from: STRANGER })));
        assert.equal(paid(claimed, CLIENT_OWNER), 13n * TON);
        const earned = done(await step(w, 'worker claim', () => w.workerClaim({ from: STRANGER })));
        assert.equal(paid(earned, WORKER_OWNER), 950_000_000n);
        balanced(w, both);
        return [w];
    },

    'H5: a top-up to a closing proxy': async (step) => {
        const w = await open();
        await w.ownerClose();
        const steps = done(await step(w, 'top up', () => w.topUp(15n * TON)));
        assert.equal(paid(steps, CLIENT_OWNER), 15n * TON - 400_000n);
        assert.equal(w.readClient().balance, 15n * TON);
        balanced(w, both);
        return [w];
    },

    'H5: a top-up to a proxy that does not exist': async (step) => {
        const w = await World.create();
        await w.deployClient();
        const steps = await step(w, 'top up', () => w.topUp(15n * TON, { from: STRANGER }));
        assert.equal(paid(steps, CLIENT_OWNER), 15n * TON);
        assert.equal(w.readClient().balance, 0n);
        return [w];
    },

    'H5: money is taken out before its refusal arrives': async (step) => {
        const w = await open();
        await w.ownerClose();
        const before = w.readProxy().prepaid;
        w.net.inject({ from: CLIENT_OWNER, to: w.client, value: 101n * TON, body: c.askCoins(OP.topUp, 1, 100n * TON, CLIENT_OWNER) });
        w.net.inject({ from: CLIENT_OWNER, to: w.client, value: TON, body: c.ask(OP.withdraw, 2, CLIENT_OWNER) });
        const steps = await step(w, 'top up and withdraw at once', () => w.net.run());
        assert.equal(steps[1].exit, 1001);
        assert.equal(w.readProxy().prepaid, before);
        balanced(w, both);
        return [w];
    },

    'H5, H6: a stolen key charges money that never came in': async (step) => {
        const w = await open();
        await w.ownerClose();
        w.net.inject({ from: CLIENT_OWNER, to: w.client, value: 101n * TON, body: c.askCoins(OP.topUp, 1, 100n * TON, CLIENT_OWNER) });
        w.net.inject({ from: NODE, to: w.client, value: TON, body: w.signed(OP.charge, 5_000_000_000n, w.client) });
        done(await step(w, 'top up and charge at once', () => w.net.run()));
        // 100 TON were charged of 15 that are there.
        assert.deepEqual([w.readProxy().prepaid, w.readProxy().payable], [15n * TON, 15n * TON]);
        assert.deepEqual([w.readClient().balance, w.readClient().secured, w.readClient().unreported], [0n, 0n, 0n]);
        balanced(w, both);
        return [w];
    },

    'H6, H7: a stolen key signs payouts to a worker of its own': async (step) => {
        const w = await open();
        await w.increaseStake(2n * TON);
        const steps = done(await step(w, 'payout of 30 TON, nothing charged', () => w.payout(1_500_000_000n)));
        assert.equal(paid(steps, WORKER_OWNER), 1_900_000_000n, 'the stake above the minimum, less the owner\'s share');
        assert.deepEqual([w.readProxy().prepaid, w.readProxy().advance], [30n * TON, 2n * TON]);
        assert.equal(w.readWorker().owed, 1_400_000_000n);
        done(await step(w, 'claim', () => w.workerClaim()));
        assert.equal(w.readWorker().owed, 1_400_000_000n);
        done(await step(w, 'another payout', () => w.payout(2_000_000_000n)));
        assert.equal(w.readProxy().prepaid, 30n * TON);
        done(await step(w, 'the victim leaves with everything', () => w.grantRefund(0n, { owner: VICTIM })));
        assert.ok(w.balance(VICTIM) > 15n * TON);
        done(await step(w, 'a charge fills the stake up first', () => w.charge(150_000_000n)));
        assert.deepEqual([w.readProxy().advance, w.readProxy().payable], [0n, TON]);
        const rest = done(await step(w, 'claim what was charged', () => w.workerClaim()));
        assert.ok(paid(rest, WORKER_OWNER) >= 950_000_000n);
        balanced(w, both);
        return [w];
    },

    'H8: a stranger submits what closes, to have the floats': async (step) => {
        const w = await open();
        const value = TON / 10n;
        const owner = w.balance(CLIENT_OWNER);
        const clientFloat = w.balance(w.client);
        const body = w.signed(OP.grantRefund, 0n, w.client, { excesses: STRANGER });
        const steps = done(await step(w, 'grant refund by a stranger', () => w.send(STRANGER, w.client, value, body)));
        assert.ok(w.balance(STRANGER) < value);
        assert.equal(w.balance(CLIENT_OWNER) - owner, 15n * TON + clientFloat - TON / 500n);
        assert.equal(paid(steps, CLIENT_OWNER), w.balance(CLIENT_OWNER) - owner);
        const workerFloat = w.balance(w.worker);
        const had = w.balance(STRANGER);
        const last = w.signed(OP.workerLastPayout, 0n, w.worker, { excesses: STRANGER });
        done(await step(w, 'last payout by a stranger', () => w.send(STRANGER, w.worker, value, last)));
        assert.ok(w.balance(STRANGER) - had < value);
        assert.equal(w.balance(WORKER_OWNER), workerFloat - TON / 500n);
        balanced(w, both);
        return [w];
    },

    'H9: the proxy closes while clients are away': async (step) => {
        const w = await open();
        done(await step(w, 'owner close', () => w.ownerClose()));
        w.net.now += 86400;
        const steps = done(await step(w, 'close complete', () => w.signedClose(OP.closeComplete)));
        const owner = paid(steps, PROXY_OWNER);
        assert.ok(owner < 3n * TON, `the owner gets stake, floats and what was attached: ${owner}`);
        w.net.now += 30 * 86400;
        await w.requestRefund({ from: VICTIM });
        w.net.now += 3601;
        const back = done(await step(w, 'the victim comes back', () => w.requestRefund({ from: VICTIM })));
        assert.ok(paid(back, VICTIM) > 15n * TON);
        balanced(w, both);
        return [w];
    },

    'H9: workers are away while the proxy closes': async (step) => {
        const w = await open();
        await w.charge(100_000_000n);
        await w.ownerClose();
        w.net.now += 86400;
        await w.signedClose(OP.closeComplete);
        assert.equal(w.readProxy().payable, 2n * TON);
        const steps = done(await step(w, 'payout from a closed proxy', () => w.payout(100_000_000n)));
        assert.equal(paid(steps, WORKER_OWNER), 1_900_000_000n);
        const share = done(await step(w, 'the share of the owner', () => w.payoutRequest()));
        assert.equal(paid(share, PROXY_OWNER), 100_000_000n);
        balanced(w, both);
        return [w];
    },

    'H10: delays that let a proxy close before its clients can leave': async (step) => {
        const w = await World.create();
        await w.net.deploy(w.rootInit, TON, ROOT_OWNER);
        const change = (proxy, client) => w.send(ROOT_OWNER, w.root, TON / 10n, c.body(0x022fa189, 1, (b) => b.storeCoins(20n).storeCoins(19n).storeUint(proxy, 32).storeUint(client, 32).storeCoins(TON).storeCoins(TON)));
        refused(await step(w, 'equal delays', () => change(86400, 86400)), 2002);
        refused(await step(w, 'a margin of 599 s', () => change(4199, 3600)), 2002);
        refused(await step(w, 'delays around 2^32', () => change(0, 2 ** 32 - 1)), 2002);
        done(await step(w, 'a margin of 600 s', () => change(4200, 3600)));
        return [w];
    },

    'H15: the price changes under everybody\'s feet': async (step) => {
        const w = await World.create();
        await w.net.deploy(w.rootInit, TON, ROOT_OWNER);
        refused(await step(w, 'change price', () => w.send(ROOT_OWNER, w.root, TON / 10n, c.body(0xc52ed8d4, 1, (b) => b.storeCoins(40n).storeCoins(1n)))), 2001);
        return [w];
    },

    'reopening: an old grant refund takes the money without paying': async (step) => {
        const w = await open();
        await w.charge(100_000_000n);
        const landed = w.signed(OP.grantRefund, 100_000_000n, w.client);
        const kept = w.signed(OP.grantRefund, 150_000_000n, w.client);
        const keptToo = w.signed(OP.grantRefundReopened, 150_000_000n, w.client, { generation: 0 });
        done(await step(w, 'grant refund', () => w.send(NODE, w.client, TON, landed)));
        done(await step(w, 'reopen', () => w.reopen(15n * TON)));
        refused(await step(w, 'the grant that landed, again', () => w.send(CLIENT_OWNER, w.client, TON, landed)), 1017);
        refused(await step(w, 'a grant that never landed', () => w.send(CLIENT_OWNER, w.client, TON, kept)), 1017);
        refused(await step(w, 'the same of the first generation', () => w.send(CLIENT_OWNER, w.client, TON, keptToo)), 1017);
        done(await step(w, 'what was served meanwhile is charged', () => w.charge(400_000_000n)));
        assert.equal(w.readClient().balance, 9n * TON);
        refused(await step(w, 'a grant of another generation', () => w.grantRefund(400_000_000n, { generation: 2 })), 1017);
        done(await step(w, 'a grant of this generation', () => w.grantRefund(400_000_000n, { generation: 1 })));
        balanced(w, both);
        return [w];
    },

    'a fake client contract speaks to the proxy contract': async (step) => {
        const w = await open();
        const state = beginCell().storeUint(0, 2).storeCoins(0).storeCoins(0).storeUint(0, 64).storeUint(0, 256).endCell();
        const request = (payload) => c.body(OP.clientRequest, 1, (b) => b.storeAddress(CLIENT_OWNER).storeRef(state).storeMaybeRef(payload));
        const coins = (kind) => beginCell().storeUint(kind, 32).storeCoins(10n * TON).storeAddress(STRANGER).endCell();
        for (const kind of ['refundGranted', 'refundForce', 'topUp']) {
            refused(await step(w, kind, () => w.send(STRANGER, w.proxy, 11n * TON, request(coins(c.PAYLOAD[kind])))), 1014);
        }
        // A contract of ours, but of another proxy key.
        const other = c.clientInit(w.p, CLIENT_OWNER, w.proxy, c.key(9).publicKey);
        refused(await step(w, 'a client contract of another key', () => w.send(c.address(other), w.proxy, 11n * TON, request(coins(c.PAYLOAD.refundGranted)))), 1014);
        const payout = beginCell().storeUint(c.PAYLOAD.workerPayout, 32).storeCoins(TON).storeCoins(TON).storeAddress(STRANGER).endCell();
        const worker = c.body(OP.workerRequest, 1, (b) => b.storeAddress(WORKER_OWNER).storeUint(0, 2).storeUint(5, 64).storeMaybeRef(payout));
        refused(await step(w, 'a fake worker contract', () => w.send(STRANGER, w.proxy, TON, worker)), 1014);
        refused(await step(w, 'a client contract as a worker', () => w.send(w.client, w.proxy, TON, worker)), 1014);
        refused(await step(w, 'a forged bounce', () => w.send(STRANGER, w.client, TON, beginCell().storeUint(0xfffffffe, 32).storeUint(0, 64).storeAddress(STRANGER).endCell())), 1012);
        balanced(w, both);
        return [w];
    },

    'a charge beyond the balance': async (step) => {
        const w = await open();
        done(await step(w, 'charge of 2^63 tokens', () => w.charge(2n ** 63n)));
        assert.deepEqual([w.readClient().balance, w.readProxy().payable, w.readProxy().prepaid], [0n, 15n * TON, 15n * TON]);
        done(await step(w, 'charge of 2^64 - 1 tokens', () => w.charge(2n ** 64n - 1n)));
        done(await step(w, 'payout of 2^64 - 1 tokens', () => w.payout(2n ** 64n - 1n)));
        assert.equal(w.readProxy().payable, 0n);
        assert.equal(w.readWorker().owed, 2n ** 64n - 1n - 750_000_000n);
        balanced(w, both);
        return [w];
    },

    'excesses to the masterchain': async (step) => {
        const w = await open();
        const far = c.person(0x42, -1);
        refused(await step(w, 'top up', () => w.topUp(TON, { excesses: far })), 1004);
        refused(await step(w, 'charge', () => w.send(NODE, w.client, TON, w.signed(OP.charge, 5n, w.client, { excesses: far }))), 1004);
        refused(await step(w, 'payout', () => w.send(NODE, w.worker, TON, w.signed(OP.workerPayout, 5n, w.worker, { excesses: far }))), 1004);
        balanced(w, both);
        return [w];
    },

    ...found,
};
