import test from 'node:test';
import { scenario } from '../scripts/scenario.js';

test('the whole life of a network', () => scenario());
