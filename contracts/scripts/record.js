// Writes recordings/*.json: every transaction of the scenario and of the attacks as the official emulator ran it.
import { readFileSync, writeFileSync } from 'node:fs';
import { Cell, loadShardAccount, loadTransaction } from '@ton/core';
import * as scenarios from './recorded.js';
import { opName } from './cocoon.js';
import { SEED } from './net.js';

const version = JSON.parse(readFileSync(new URL('../node_modules/@ton/sandbox/package.json', import.meta.url))).version;

function record(step) {
    const tx = loadTransaction(Cell.fromBase64(step.transaction).beginParse());
    const after = loadShardAccount(Cell.fromBase64(step.after).beginParse());
    return {
        name: step.label, op: step.bounced ? 'bounce' : opName(step.op),
        now: step.now, lt: String(step.lt), address: step.to.toRawString(),
        before: step.before, message: step.cell.toBoc().toString('base64'),
        expected: {
            exit: step.exit, skipped: step.skip, action: step.action, aborted: step.aborted,
            gas: String(step.gas), fees: String(step.fees), storage_fees: String(step.storageFees),
            balance: String(after.account?.storage.balance.coins ?? 0n), status: after.account?.storage.state.type ?? 'none',
            data: after.account?.storage.state.type === 'active' ? after.account.storage.state.state.data.hash().toString('hex') : null,
            out: tx.outMessages.values().map((message, i) => ({
                hash: step.outs[i].cell.hash().toString('hex'), to: message.info.dest.toRawString(), value: String(message.info.value.coins),
                forward_fee: String(message.info.forwardFee), body: message.body.hash().toString('hex'), bounced: message.info.bounced,
            })),
            transaction: tx.hash().toString('hex'),
        },
    };
}

for (const [name, run] of Object.entries(scenarios)) {
    const nets = await run((net, label) => { net.label = label; });
    const steps = nets.flatMap((net) => net.steps).filter((step) => step.label !== undefined).map(record);
    const head = { format: 1, emulator: `@ton/sandbox ${version}`, config: nets[0].config, rand_seed: SEED.toString('hex') };
    const lines = steps.map((step) => '  ' + JSON.stringify(step)).join(',\n');
    const text = `{\n${Object.entries(head).map(([key, value]) => ` ${JSON.stringify(key)}: ${JSON.stringify(value)},\n`).join('')} "steps": [\n${lines}\n ]\n}\n`;
    writeFileSync(new URL(`../recordings/${name}.json`, import.meta.url), text);
    console.log(`${name}: ${steps.length} transactions, ${text.length} bytes`);
}
