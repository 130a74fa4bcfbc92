import test from 'node:test';
import { attacks } from '../scripts/attacks.js';

for (const [name, attack] of Object.entries(attacks)) test(name, () => attack((_world, _name, run) => run()));
