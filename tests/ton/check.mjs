// The npm package @ton/ton against a running test ledger: connects, reads, runs get methods, sends, follows.
//
//   cargo run -p cocoon-chain --example ledger-serve      (or: cocoon ledger --instant)
//   cd tests/ton && npm ci && node check.mjs http://127.0.0.1:PORT
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Address, comment, internal, SendMode, toNano } from '@ton/core';
import { keyPairFromSeed } from '@ton/crypto';
import { TonClient, WalletContractV4, WalletContractV5R1 } from '@ton/ton';

const base = process.argv[2];
assert.ok(base, 'usage: node check.mjs http://127.0.0.1:PORT');
const client = new TonClient({ endpoint: `${base}/api/v2/jsonRPC` });

async function test(path, body) {
    const answer = await fetch(`${base}/test/${path}`, { method: 'POST', body: JSON.stringify(body) });
    assert.equal(answer.status, 200, await answer.text());
}

async function until(what, check) {
    for (let i = 0; i < 50; i++) {
        const found = await check();
        if (found) return found;
        await sleep(200);
    }
    assert.fail(`${what} did not happen`);
}

const head = await client.getMasterchainInfo();
assert.equal(head.workchain, -1);
console.log('connected, block', head.latestSeqno);

const seed = Buffer.alloc(32, Math.floor(Math.random() * 256));
crypto.getRandomValues(seed);
const keys = keyPairFromSeed(seed);
const receiver = Address.parse('0:' + Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex'));

for (const Wallet of [WalletContractV4, WalletContractV5R1]) {
    const wallet = client.open(Wallet.create({ workchain: 0, publicKey: keys.publicKey }));
    assert.equal(await client.isContractDeployed(wallet.address), false);
    await test('faucet', { address: wallet.address.toString(), amount: toNano('5').toString() });
    await until('the faucet', async () => (await wallet.getBalance()) === toNano('5'));
    assert.equal((await client.getContractState(wallet.address)).state, 'uninitialized');

    for (let seqno = 0; seqno < 3; seqno++) {
        assert.equal(await wallet.getSeqno(), seqno);
        const messages = [internal({ to: receiver, value: '0.5', bounce: false, body: comment(`payment ${seqno}`) })];
        const sendMode = SendMode.PAY_GAS_SEPARATELY | SendMode.IGNORE_ERRORS;
        await wallet.sendTransfer({ seqno, secretKey: keys.secretKey, sendMode, messages });
        await until('the transfer', async () => (await wallet.getSeqno()) === seqno + 1);
    }
    const log = await client.getTransactions(wallet.address, { limit: 10 });
    assert.equal(log.length, 4, 'a faucet and three transfers');
    for (let i = 0; i + 1 < log.length; i++) {
        assert.equal(log[i].prevTransactionLt, log[i + 1].lt);
        assert.equal(log[i].prevTransactionHash, BigInt('0x' + log[i + 1].hash().toString('hex')));
    }
    assert.equal(log[0].description.computePhase.exitCode, 0);
    const one = await client.getTransaction(wallet.address, log[1].lt.toString(), log[1].hash().toString('base64'));
    assert.deepEqual(one.hash(), log[1].hash());
    const older = await client.getTransactions(wallet.address, {
        limit: 2, lt: log[0].lt.toString(), hash: log[0].hash().toString('base64'),
    });
    assert.deepEqual(older.map((t) => t.lt), [log[1].lt, log[2].lt]);

    const out = log[0].outMessages.get(0).info;
    const caused = await client.tryLocateResultTx(wallet.address, receiver, out.createdLt.toString());
    assert.equal(caused.inMessage.info.value.coins, toNano('0.5'));
    const cause = await client.tryLocateSourceTx(wallet.address, receiver, out.createdLt.toString());
    assert.deepEqual(cause.hash(), log[0].hash());

    const key = await client.runMethod(wallet.address, 'get_public_key');
    assert.equal(key.stack.readBigNumber(), BigInt('0x' + keys.publicKey.toString('hex')));
    await assert.rejects(wallet.sendTransfer({ seqno: 0, secretKey: keys.secretKey, sendMode: 3, messages: [] }), /not accepted|500/);
    console.log(Wallet.name, 'deployed, sent, read, get methods');
}
assert.ok((await client.getBalance(receiver)) > toNano('2.99'));

const state = await client.getContractState(receiver);
const shards = await client.getWorkchainShards(state.blockId.seqno);
assert.equal(shards[0].workchain, 0);
const latest = (await client.getTransactions(receiver, { limit: 1 }))[0];
let listed = [];
for (let seqno = state.blockId.seqno; seqno > 0 && listed.length === 0; seqno--) {
    const all = await client.getShardTransactions(0, seqno, shards[0].shard);
    listed = all.filter((t) => t.lt === latest.lt.toString());
}
assert.ok(listed[0].account.equals(receiver));

const fresh = WalletContractV4.create({ workchain: 0, publicKey: keys.publicKey });
const body = fresh.createTransfer({ seqno: 3, secretKey: keys.secretKey, sendMode: 3, messages: [internal({ to: receiver, value: '0.1', bounce: false })] });
const fees = await client.estimateExternalMessageFee(fresh.address, { body, initCode: null, initData: null, ignoreSignature: true });
assert.ok(fees.source_fees.gas_fee > 0 && fees.source_fees.in_fwd_fee > 0);
const missing = await client.runMethodWithError(receiver, 'seqno');
assert.notEqual(missing.exit_code, 0);
console.log('all as expected');
