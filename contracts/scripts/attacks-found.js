// Attacks that a second reader of the contracts found after the hazards of the original were repaired, and their siblings.
// Part of `attacks`; each plays the whole attack, also where its first step is refused by now.
import assert from 'node:assert/strict';
import * as c from './cocoon.js';
import { balanced, done, paid, refused } from './scenario.js';
import { CLIENT_OWNER, NODE, PROXY_OWNER, ROOT_OWNER, STRANGER, WORKER_OWNER, World } from './world.js';

const { OP, TON } = c;
const FAR = c.person(0x42, -1);
const LIMIT = 2n ** 63n;
const YEAR = 365 * 86400;

async function open(stake, more = {}) {
    const w = await World.create(more);
    await w.deployAll();
    if (stake > 0n) await w.increaseStake(stake);
    await w.topUp(15n * TON);
    return w;
}

export const found = {
    'masterchain: a refund runs out on its longer way': async (step) => {
        const w = await open(TON);
        await w.deployClient(undefined, FAR);
        const far = w.clientOf(FAR);
        const all = [CLIENT_OWNER, FAR];
        const both = (owner) => c.body(OP.secretHashAndTopUp, 7, (b) => b.storeCoins(TON).storeUint(7n, 256).storeAddress(owner));
        const topUps = [
            await step(w, 'top up', () => w.topUp(15n * TON, { from: STRANGER, owner: FAR })),
            await step(w, 'secret hash and top up', () => w.send(FAR, far, 2n * TON, both(NODE))),
        ];
        await step(w, 'grant refund of 0.042 TON', () => w.grantRefund(1000n, { owner: FAR, value: TON * 42n / 1000n }));
        balanced(w, all);
        for (const steps of topUps) refused(steps, 1004);
        const again = c.askCoins(OP.reopen, 8, TON, NODE);
        refused(await step(w, 'reopen', () => w.send(FAR, far, 2n * TON, again)), 1004);
        balanced(w, all);
        // What is nobody's in the basechain is no client either.
        const other = c.person(0x42, 5);
        await w.deployClient(undefined, other);
        refused(await step(w, 'top up in a workchain that is not there', () => w.topUp(TON, { from: STRANGER, owner: other })), 1004);
        return [w];
    },

    'masterchain: a last payout runs out on its longer way': async (step) => {
        const w = await open(TON);
        await w.deployWorker(undefined, FAR);
        await w.charge(50_000_000n);
        const least = TON * 3n / 100n;
        for (const last of [true, false]) {
            const steps = await step(w, last ? 'last payout of 0.032 TON' : 'payout of 0.032 TON', () => w.payout(100_000_000n, { owner: FAR, last, value: least + TON / 500n + 1n }));
            const { tokens, owed } = w.readWorker(FAR);
            const got = (TON - w.readProxy().payable) / 20n;
            assert.equal(owed + got, tokens, 'tokens are counted, neither paid nor owed');
            refused(steps, 1004);
        }
        const steps = done(await step(w, 'a worker of the basechain', () => w.payout(50_000_000n)));
        assert.equal(paid(steps, WORKER_OWNER), 950_000_000n);
        balanced(w);
        return [w];
    },

    'a stake that no node can read': async (step) => {
        const w = await open(TON);
        const raise = (stake) => w.send(CLIENT_OWNER, w.client, TON, c.askCoins(OP.increaseStake, w.next(), stake, CLIENT_OWNER));
        refused(await step(w, 'a stake of 2^100', () => raise(2n ** 100n)), 1004);
        refused(await step(w, 'a stake of 2^63', () => raise(LIMIT)), 1004);
        done(await step(w, 'a stake of 2^63 - 1', () => raise(LIMIT - 1n)));
        assert.equal(w.readClient().stake, LIMIT - 1n);
        balanced(w);
        const change = (proxy, client) => w.send(ROOT_OWNER, w.root, TON / 10n, c.body(0x022fa189, 1, (b) => b.storeCoins(20n).storeCoins(19n).storeUint(7200, 32).storeUint(60, 32).storeCoins(proxy).storeCoins(client)));
        refused(await step(w, 'a least proxy stake of 2^63', () => change(LIMIT, TON)), 1004);
        refused(await step(w, 'a least client stake of 2^63', () => change(TON, LIMIT)), 1004);
        done(await step(w, 'least stakes of 2^63 - 1', () => change(LIMIT - 1n, LIMIT - 1n)));
        return [w];
    },

    'charged after the close, and nobody\'s': async (step) => {
        const w = await open(6n * TON);
        done(await step(w, 'a payout of 5 TON, nothing charged', () => w.payout(250_000_000n)));
        done(await step(w, 'owner close', () => w.ownerClose()));
        w.net.now += 86400;
        done(await step(w, 'close complete', () => w.signedClose(OP.closeComplete)));
        done(await step(w, 'charge what was paid long ago', () => w.charge(200_000_000n)));
        assert.deepEqual([w.readProxy().payable, w.readProxy().balance, w.readProxy().advance], [0n, 4n * TON, TON], 'what repays the advance is the owner\'s');
        balanced(w);
        const share = done(await step(w, 'the stake comes back', () => w.payoutRequest({ from: STRANGER })));
        assert.equal(paid(share, PROXY_OWNER), 4n * TON);
        done(await step(w, 'charge more than is advanced', () => w.charge(300_000_000n)));
        assert.deepEqual([w.readProxy().payable, w.readProxy().balance, w.readProxy().advance], [TON, TON, 0n]);
        const late = done(await step(w, 'a late worker', () => w.payout(300_000_000n)));
        assert.equal(paid(late, WORKER_OWNER), 950_000_000n);
        done(await step(w, 'the client leaves', () => w.grantRefund(300_000_000n)));
        done(await step(w, 'the owner has the rest', () => w.payoutRequest()));
        balanced(w);
        assert.ok(w.balance(w.proxy) < TON / 90n, 'nothing but the float stays behind');
        return [w];
    },

    'rent: the owner takes its share out of clients\' coins': async (step) => {
        const w = await open(0n, { minProxyStake: 0n });
        await w.charge(100_000_000n);
        await w.payout(50_000_000n);
        await w.charge(150_000_000n);
        w.net.now += 20 * YEAR;
        const claims = () => w.readProxy().prepaid + w.readProxy().payable;
        const share = await step(w, 'payout request when rent has eaten the share', () => w.payoutRequest());
        assert.equal(paid(share, PROXY_OWNER), 0n);
        assert.equal(w.readProxy().balance, 50_000_000n, 'it stays the owner\'s');
        const short = claims() + TON / 100n - w.balance(w.proxy);
        assert.ok(short > TON / 2n, `${short} short`);
        await step(w, 'the owner types w', () => w.send(PROXY_OWNER, w.proxy, TON / 5n, c.text('w')));
        assert.equal(w.readProxy().balance, 50_000_000n);
        // A worker takes no client's coins either: what is short stays owed.
        const work = await step(w, 'worker payout', () => w.payout(150_000_000n));
        assert.ok(paid(work, WORKER_OWNER) < 2n * TON - short, `${paid(work, WORKER_OWNER)} paid`);
        assert.ok(w.readWorker().owed > 0n);
        const client = await step(w, 'the client leaves', () => w.grantRefund(150_000_000n, { value: 2n * TON }));
        assert.ok(paid(client, CLIENT_OWNER) >= 12n * TON, 'with all that it has not spent');
        assert.deepEqual([w.readClient().balance, w.readProxy().prepaid], [0n, 0n]);
        await step(w, 'somebody pays the rent', () => w.send(STRANGER, w.proxy, TON, c.body(OP.ignored, 1)));
        const rest = done(await step(w, 'worker claim', () => w.workerClaim()));
        assert.equal(paid([...work, ...rest], WORKER_OWNER), 1_900_000_000n);
        const last = done(await step(w, 'the share of the owner', () => w.payoutRequest()));
        assert.equal(paid(last, PROXY_OWNER), 150_000_000n);
        balanced(w);
        return [w];
    },

    'rent: the owner takes its share out of the stake': async (step) => {
        const w = await open(2n * TON);
        await w.charge(100_000_000n);
        await w.payout(100_000_000n);
        w.net.now += 8 * YEAR;
        const steps = await step(w, 'payout request', () => w.payoutRequest());
        const left = w.readProxy().balance;
        assert.ok(left > 0n && left < 100_000_000n);
        assert.equal(paid(steps, PROXY_OWNER), 100_000_000n - left);
        assert.ok(w.balance(w.proxy) >= w.readProxy().prepaid + w.readProxy().stake, 'clients and stake are whole');
        done(await step(w, 'owner close', () => w.ownerClose()));
        const all = done(await step(w, 'the stake pays workers', () => w.payout(200_000_000n)));
        assert.equal(paid(all, WORKER_OWNER), 1_900_000_000n);
        return [w];
    },
};
