// What is recorded: each runs with a labelling function and returns its networks.
import { attacks as all } from './attacks.js';
import { scenario as whole } from './scenario.js';

export const scenario = async (label) => [(await whole(label)).net];

export async function attacks(label) {
    const nets = [];
    for (const [attack, run] of Object.entries(all)) {
        const worlds = await run(async (world, name, go) => {
            label(world.net, `${attack}: ${name}`);
            const steps = await go();
            // What only prepares an attack is not recorded.
            label(world.net, undefined);
            return steps;
        });
        nets.push(...worlds.map((world) => world.net));
    }
    return nets;
}
