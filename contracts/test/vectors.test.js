// The specification's vectors that do not depend on the code, and what is derived from the code.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import * as c from '../scripts/cocoon.js';
import { CLIENT_OWNER, ROOT_OWNER, World } from '../scripts/world.js';

const hash = (cell) => cell.hash().toString('hex');
const P = c.VECTOR_PARAMS;

test('parameters without codes, every struct version', () => {
    assert.equal(hash(c.params(P, 0)), '6e40bb9e2f088c3bda10fc7387726c3b89400ac6d730433db2f1d40f6ea0dba2');
    assert.equal(hash(c.params({ ...P, struct: 0 }, 0)), 'aa8c3a1a359b00eedfe5555703e0c590dcb9b020a1c4a9a586ca7a6f4aeeebc5');
    assert.equal(hash(c.params({ ...P, struct: 1 }, 0)), 'a31e43afd5910ba1f9c00733a538c8261b86f851d3d2bd02a3ce79331f3b942c');
    assert.equal(hash(c.params({ ...P, struct: 2 }, 0)), 'b1c6a8b90b182031ea9427e83e5b4c94591f773a6d4cfcd7db5771f116f8d1b5');
});

test('root lists and state commit', () => {
    const lists = c.lists({
        proxies: { 1: '10.0.0.1:9001 10.0.0.1:9002' }, lastSeqno: 1, proxyHashes: ['11'.repeat(32)], workerHashes: ['22'.repeat(32)],
        modelHashes: [createHash('sha256').update('test-model@0:0').digest('hex')],
    });
    assert.equal(hash(lists), '20cabe97a2867bcde9a59534fc38fdb5a3b682b34b62e3a7a00d253123b0ccfd');
    assert.equal(hash(c.commit(9n, 42, Buffer.alloc(32, 0x5a))), '21f0899a7180ad97761382fca6987f21778f54e4b94617be82b0b213291d4057');
    assert.equal(c.key(1).publicKey.toString('hex'), '8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c');
});

test('the root contract reads and changes every struct version', async () => {
    for (const struct of [0, 1, 2, 3, 4]) {
        const w = await World.create({ struct });
        await w.net.deploy(w.rootInit, c.TON, ROOT_OWNER);
        const steps = await w.send(ROOT_OWNER, w.root, c.TON, c.body(0x022fa189, 1, (b) => b.storeCoins(20n).storeCoins(19n).storeUint(8000, 32).storeUint(60, 32).storeCoins(1n).storeCoins(2n)));
        assert.equal(steps[0].exit, 0);
        const p = { ...w.p, struct: Math.max(struct, 1), version: 6, proxyDelay: 8000, clientDelay: 60, minProxyStake: 1n, minClientStake: 2n };
        assert.equal(hash(w.readRoot().params), hash(c.params(p, 7, c.STANDINS)));
        const [version, uniqueId, , price, fee, cached, reasoning, proxyDelay, clientDelay] = await w.net.get(w.root, 'get_cur_params');
        assert.deepEqual([version, uniqueId, price, fee, proxyDelay, clientDelay], [6n, 17n, 20n, 19n, 8000n, 60n]);
        assert.deepEqual([cached, reasoning], struct >= 2 ? [1000n, 80000n] : [10000n, 10000n]);
    }
});

test('every struct version derives and settles', async () => {
    for (const struct of [0, 1, 2, 4]) {
        const w = await World.create({ struct });
        await w.deployAll();
        await w.increaseStake(c.TON);
        await w.topUp(15n * c.TON);
        await w.charge(1_000_000n);
        assert.equal((await w.payout(1_000_000n))[1].exit, 0);
        assert.equal(w.readProxy().payable, 0n);
        assert.equal(w.readProxy().balance, 1_000_000n);
    }
});

test('get methods', async () => {
    const w = await World.create();
    await w.deployAll();
    await w.increaseStake(c.TON);
    await w.topUp(15n * c.TON);
    const client = await w.net.get(w.client, 'get_cocoon_client_data');
    assert.deepEqual(client.slice(3), [0n, 15n * c.TON, 15n * c.TON, 0n, 0n, 0n]);
    assert.ok(client[0].beginParse().loadAddress().equals(CLIENT_OWNER));
    assert.deepEqual(await w.net.get(w.client, 'get_cocoon_client_pool'), [15n * c.TON, 0n, 0n]);
    assert.deepEqual(await w.net.get(w.proxy, 'get_cocoon_proxy_pool'), [15n * c.TON, 0n, 0n]);
    assert.deepEqual((await w.net.get(w.proxy, 'get_cocoon_proxy_data')).slice(3), [0n, 0n, c.TON, 0n, 20n, 19n, c.TON, 15n * c.TON, 5n]);
    assert.deepEqual((await w.net.get(w.worker, 'get_cocoon_worker_data')).slice(3), [0n, 0n]);
    assert.deepEqual(await w.net.get(w.worker, 'get_cocoon_worker_owed'), [0n]);
    assert.deepEqual((await w.net.get(w.root, 'get_cocoon_data')).slice(0, 9), [0n, 0n, 5n, 17n, 0n, 20n, 19n, c.TON, 15n * c.TON]);
});
