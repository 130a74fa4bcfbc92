// Measures every operation at the prices of the main network: gas of each contract, and what it costs its sender in the end.
// `node scripts/gas.js` prints the tables of docs/contracts.md.
import { beginCell, storeStateInit } from '@ton/core';
import * as c from './cocoon.js';
import { CLIENT_OWNER, NODE, PROXY_OWNER, ROOT_OWNER, WORKER_OWNER, World } from './world.js';

const { OP, TON } = c;

/// What sending a message costs besides its value: lump 400 000, 400 per bit and 40 000 per cell below the root.
export function forwardFee({ init, body }) {
    const seen = new Map();
    const visit = (cell) => {
        const key = cell.hash().toString('hex');
        if (seen.has(key)) return;
        seen.set(key, cell.bits.length);
        cell.refs.forEach(visit);
    };
    if (init) visit(beginCell().store(storeStateInit(init)).endCell());
    if (body) visit(body);
    const bits = [...seen.values()].reduce((sum, n) => sum + n, 0);
    return 400_000n + (BigInt(bits) * 26214400n + BigInt(seen.size) * 2621440000n + 65535n) / 65536n;
}

async function measure() {
    const w = await World.create({ minClientStake: TON });
    const rows = [];
    const run = async (name, from, to, value, body) => {
        const before = w.net.fees;
        const steps = await w.net.send({ from, to, value, body });
        const gas = steps.filter((s) => s.exit !== null).map((s) => `${s.to.equals(w.client) ? 'client' : s.to.equals(w.proxy) ? 'proxy' : s.to.equals(w.worker) ? 'worker' : 'root'} ${s.gas}`);
        rows.push([name, gas.join(', '), ((Number(w.net.fees - before) / 1e9)).toFixed(4)]);
        if (steps.some((s) => s.exit !== null && s.exit !== 0)) throw new Error(name);
    };
    const signed = (op, tokens, to, more) => w.signed(op, tokens, to, more);
    const rootInit = c.rootInit(w.p, ROOT_OWNER);
    const root = c.address(rootInit);
    for (const [name, init, value] of [['deploy root', rootInit, TON], ['deploy proxy', w.proxyInit, TON / 10n], ['deploy client', w.clientInit(CLIENT_OWNER), TON / 50n], ['deploy worker', w.workerInit(WORKER_OWNER), TON / 50n]]) {
        const [step] = await w.net.deploy(init, value, NODE);
        rows.push([name, `${step.gas}`, (Number(step.fees + forwardFee({ init })) / 1e9).toFixed(4)]);
    }
    const v = TON / 5n;
    const me = CLIENT_OWNER;
    await run('increase proxy stake', PROXY_OWNER, w.proxy, v + TON, c.askCoins(OP.increaseProxyStake, 1, TON, PROXY_OWNER));
    await run('top up', me, w.client, v + 15n * TON, c.askCoins(OP.topUp, 2, 15n * TON, me));
    await run('secret hash and top up', me, w.client, v + TON, c.body(OP.secretHashAndTopUp, 3, (b) => b.storeCoins(TON).storeUint(7n, 256).storeAddress(me)));
    await run('register', me, w.client, v, c.askNumber(OP.register, 4, 5n, 64, me));
    await run('change secret hash', me, w.client, v, c.askNumber(OP.changeSecretHash, 5, 5n, 256, me));
    await run('increase stake', me, w.client, v, c.askCoins(OP.increaseStake, 6, 2n * TON, me));
    await run('withdraw', me, w.client, v, c.ask(OP.withdraw, 7, me));
    await run('charge', NODE, w.client, v, signed(OP.charge, 10_000_000n, w.client));
    await run('worker payout', NODE, w.worker, v, signed(OP.workerPayout, 10_000_000n, w.worker));
    await run('worker payout, refused', NODE, w.worker, v, signed(OP.workerPayout, 20_000_000n, w.worker));
    await run('worker register', WORKER_OWNER, w.worker, v, c.ask(OP.workerRegister, 8, WORKER_OWNER));
    await run('payout request', NODE, w.proxy, v, c.ask(OP.payoutRequest, 9, NODE));
    await run('charge', NODE, w.client, v, signed(OP.charge, 20_000_000n, w.client));
    await run('worker claim', NODE, w.worker, v, c.ask(OP.workerClaim, 10, NODE));
    await run('request refund, first', me, w.client, v, c.ask(OP.requestRefund, 11, me));
    w.net.now += 3601;
    await run('request refund, second', me, w.client, v, c.ask(OP.requestRefund, 12, me));
    await run('reopen', me, w.client, v + 5n * TON, c.askCoins(OP.reopen, 13, 5n * TON, me));
    await run('grant refund', NODE, w.client, v, signed(OP.grantRefundReopened, 30_000_000n, w.client, { generation: 1 }));
    await run('worker last payout', NODE, w.worker, v, signed(OP.workerLastPayout, 30_000_000n, w.worker));
    await run('proxy close request', NODE, w.proxy, v, c.signedClose(OP.closeRequest, 14, w.proxy, NODE, w.proxyKey.secretKey));
    await run('reopen, refused', me, w.client, v + 5n * TON, c.askCoins(OP.reopen, 15, 5n * TON, me));
    w.net.now += 86401;
    await run('proxy close complete', NODE, w.proxy, v, c.signedClose(OP.closeComplete, 16, w.proxy, NODE, w.proxyKey.secretKey));
    await run('root: add a hash', ROOT_OWNER, root, v, c.body(0xe34b1c60, 17, (b) => b.storeUint(5n, 256)));
    await run('root: register proxy', ROOT_OWNER, root, v, c.body(0x927c7cb5, 18, (b) => b.storeSlice(c.entry('10.0.0.1:9001').beginParse())));
    await run('root: change params', ROOT_OWNER, root, v, c.body(0x022fa189, 19, (b) => b.storeCoins(20n).storeCoins(19n).storeUint(8000, 32).storeUint(60, 32).storeCoins(1n).storeCoins(2n)));
    return rows;
}

if (process.argv[1]?.endsWith('gas.js')) for (const row of await measure()) console.log(`| ${row.join(' | ')} |`);
