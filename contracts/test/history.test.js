// Random histories: messages of everybody at any moment, some while others are under way, some while the proxy contract fails.
// Whatever happens, coins are conserved, nobody's coins are touched by others, and counters never fall.
// HISTORIES=n runs more of them, SEED=n others.
import assert from 'node:assert/strict';
import test from 'node:test';
import * as c from '../scripts/cocoon.js';
import { balanced, paid } from '../scripts/scenario.js';
import { CLIENT_OWNER, PROXY_OWNER, STRANGER, World } from '../scripts/world.js';

const { OP, TON } = c;
const CLIENTS = [CLIENT_OWNER, c.person(0xd2)];
const WORKERS = [c.person(0xc1), c.person(0xc2)];
const STEPS = 40;
/// Short, so that many histories end with a closed proxy.
const DELAY = 4200;

function random(seed) {
    let state = BigInt(seed) * 6364136223846793005n + 1442695040888963407n;
    return (below) => {
        state = (state * 6364136223846793005n + 1442695040888963407n) & ((1n << 64n) - 1n);
        return Number((state >> 33n) % BigInt(below));
    };
}

async function history(seed) {
    const pick = random(seed);
    const one = (list) => list[pick(list.length)];
    const w = await World.create({ minClientStake: TON, minProxyStake: pick(2) ? TON : 0n, proxyDelay: DELAY });
    await w.deployProxy();
    for (const owner of CLIENTS) await w.deployClient(TON / 50n, owner);
    for (const owner of WORKERS) await w.deployWorker(TON / 50n, owner);
    await w.increaseStake(TON);
    const seen = new Map();
    let settled = 0n;
    let paidOut = 0n;
    w.net.hooks.push((s) => {
        if (s.exit === 0 && s.action === 0 && s.op === OP.clientSettled) {
            const body = s.body.beginParse().skip(96);
            body.loadAddress();
            settled += body.loadCoins();
        }
        if (s.op === OP.payout && WORKERS.some((owner) => owner.equals(s.to))) paidOut += s.value;
    });
    const tokens = () => BigInt(pick(200_000_000));
    const at = (owner) => (w.net.account(w.clientOf(owner)) ? w.readClient(owner) : null);
    const ops = {
        topUp: (o) => [one([o, STRANGER]), w.clientOf(o), (n) => [n + TON / 10n, c.askCoins(OP.topUp, w.next(), n, STRANGER)], BigInt(pick(10)) * TON],
        withdraw: (o) => [o, w.clientOf(o), () => [TON / 10n, c.ask(OP.withdraw, w.next(), o)]],
        requestRefund: (o) => [o, w.clientOf(o), () => [TON / 10n, c.ask(OP.requestRefund, w.next(), o)]],
        reopen: (o) => [o, w.clientOf(o), (n) => [n + TON / 10n, c.askCoins(OP.reopen, w.next(), n, o)], BigInt(pick(5)) * TON],
        claim: (o) => [STRANGER, w.clientOf(o), () => [TON / 10n, c.ask(OP.claim, w.next(), STRANGER)]],
        charge: (o) => [STRANGER, w.clientOf(o), () => [TON / 10n, w.signed(OP.charge, at(o).tokensUsed + tokens(), w.clientOf(o))]],
        grant: (o) => [STRANGER, w.clientOf(o), () => [TON / 10n, w.signed(OP.grantRefundReopened, at(o).tokensUsed + tokens(), w.clientOf(o), { generation: pick(9) === 0 ? 0 : at(o).generation })]],
    };
    const weights = ['topUp', 'topUp', 'topUp', 'charge', 'charge', 'charge', 'withdraw', 'requestRefund', 'reopen', 'claim', 'grant'];
    for (let i = 0; i < STEPS; i++) {
        const what = pick(20);
        if (what < 14) {
            const [from, to, make, n] = ops[one(weights)](one(CLIENTS));
            const [value, body] = make(n);
            w.net.inject({ from, to, value, body });
        } else if (what < 18) {
            const owner = one(WORKERS);
            const worker = w.readWorker(owner);
            const op = pick(12) === 0 ? OP.workerLastPayout : pick(4) === 0 ? OP.workerClaim : OP.workerPayout;
            const to = w.workerOf(owner);
            const body = op === OP.workerClaim ? c.ask(op, w.next(), STRANGER) : w.signed(op, worker.tokens + tokens(), to);
            w.net.inject({ from: STRANGER, to, value: TON / 10n, body });
        } else if (what === 18) {
            w.net.inject({ from: STRANGER, to: w.proxy, value: TON / 10n, body: c.ask(OP.payoutRequest, w.next(), STRANGER) });
        } else if (pick(4) === 0) {
            const isOpen = w.readProxy().state === 0;
            const body = isOpen ? c.ask(OP.ownerClose, w.next(), STRANGER) : c.signedClose(OP.closeComplete, w.next(), w.proxy, STRANGER, w.proxyKey.secretKey);
            w.net.inject({ from: PROXY_OWNER, to: w.proxy, value: TON / 10n, body });
        } else {
            w.net.now += pick(5000);
        }
        // Most messages wait for others; now and then the proxy contract fails what it gets.
        const failing = pick(8) === 0;
        const code = failing ? w.net.replaceCode(w.proxy, c.code('root')) : null;
        await w.net.run(pick(6));
        if (failing) w.net.replaceCode(w.proxy, code);
        for (const owner of CLIENTS) rises(seen, `client ${owner}`, w.readClient(owner).tokensUsed);
        for (const owner of WORKERS) rises(seen, `worker ${owner}`, w.readWorker(owner).tokens);
        const proxy = w.readProxy();
        assert.ok(proxy.advance <= 2n * TON);
    }
    await w.net.run();
    balanced(w, CLIENTS);
    assert.ok(paidOut <= settled + TON, 'payouts beyond settled charges and stake');

    // Everybody leaves: everything that is owed is paid.
    for (const owner of CLIENTS) {
        await w.requestRefund({ from: owner });
        w.net.now += 3601;
        await w.requestRefund({ from: owner });
        await w.claim({ owner });
        const { balance, secured, unreported, state } = w.readClient(owner);
        assert.deepEqual([balance, secured, unreported, state], [0n, 0n, 0n, 2]);
    }
    balanced(w, CLIENTS);
    assert.equal(w.readProxy().prepaid, 0n);
    await nothingStays(w);
    return w.net.steps.length;
}

/// The proxy closes, workers and owner take what is theirs: nothing is left but the float, and charges without a worker to claim them.
async function nothingStays(w) {
    if (w.readProxy().state === 0) await w.ownerClose();
    if (w.readProxy().state === 1) {
        w.net.now += DELAY;
        await w.signedClose(OP.closeComplete);
    }
    for (const owner of WORKERS) if (w.readWorker(owner).owed > 0n) await w.workerClaim({ owner });
    const unpaid = WORKERS.reduce((sum, owner) => sum + w.readWorker(owner).owed, 0n);
    if (w.readProxy().balance > 0n) await w.payoutRequest();
    const { state, balance, payable } = w.readProxy();
    assert.deepEqual([state, balance], [2, 0n]);
    assert.ok(unpaid === 0n || payable < 20n, 'a worker is owed what was charged');
    const left = w.balance(w.proxy) - payable;
    // Logs of 1 nanoTON that came after the close, and rent.
    assert.ok(left >= TON / 100n - 100_000n && left < TON / 100n + 100n, `${left} besides what workers can still earn`);
    balanced(w, CLIENTS);
}

function rises(seen, name, value) {
    assert.ok(value >= (seen.get(name) ?? 0n), `${name} fell`);
    seen.set(name, value);
}

const first = Number(process.env.SEED ?? 1);
for (let seed = first; seed < first + Number(process.env.HISTORIES ?? 4); seed++) {
    test(`history ${seed}`, () => history(seed));
}
