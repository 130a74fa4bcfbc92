// What is recorded: each runs with a labelling function and returns its networks.
import { scenario as whole } from './scenario.js';

export const scenario = async (label) => [(await whole(label)).net];
