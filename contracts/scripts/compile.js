import { readFileSync } from 'node:fs';
import { runTolkCompiler } from '@ton/tolk-js';

/// The code BoC of `src/NAME.tolk`; `edit` may change a source first (tests make contracts that fail).
export async function compile(name, edit = (_path, text) => text) {
    const result = await runTolkCompiler({
        entrypointFileName: `${name}.tolk`,
        fsReadCallback: (path) => edit(path, readFileSync(new URL(`../src/${path}`, import.meta.url), 'utf8')),
        optimizationLevel: 2,
        withStackComments: false,
    });
    if (result.status === 'error') throw new Error(result.message);
    return Buffer.from(result.codeBoc64, 'base64');
}
