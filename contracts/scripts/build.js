// Compiles src/*.tolk into build/*.boc and build/hashes.json; with --check compares with what is there instead.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Cell } from '@ton/core';
import { compile } from './compile.js';

const here = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const NAMES = ['root', 'proxy', 'client', 'worker'];
const isCheck = process.argv.includes('--check');

let isSame = true;
const emit = (path, bytes) => {
    if (!isCheck) return writeFileSync(here(path), bytes);
    let committed;
    try {
        committed = readFileSync(here(path));
    } catch {
        committed = Buffer.alloc(0);
    }
    if (!committed.equals(Buffer.from(bytes))) {
        console.error(`${path} differs from what its source compiles to: run npm run build`);
        isSame = false;
    }
};

const hashes = {};
for (const name of NAMES) {
    const boc = await compile(name);
    const code = Cell.fromBoc(boc)[0];
    hashes[name] = { hash: code.hash().toString('hex'), depth: code.depth(), bytes: boc.length };
    emit(`build/${name}.boc`, boc);
}
emit('build/hashes.json', JSON.stringify(hashes, null, 2) + '\n');
if (!isCheck) console.log(JSON.stringify(hashes, null, 2));
process.exit(isSame ? 0 : 1);
