import {World,trace,PROXY_OWNER,WORKER_OWNER,CLIENT_OWNER} from './scripts/world.js';
import * as c from './scripts/cocoon.js';
const w=await World.create();
const step=async(n,p)=>{console.log('##',n);console.log(trace(await p));};
await w.net.deploy(w.rootInit,c.TON,c.person(0xee));
await step('deploy proxy',w.deployProxy()); await step('deploy client',w.deployClient()); await step('worker',w.deployWorker());
await step('stake',w.increaseStake(c.TON));
await step('topup',w.topUp(15n*c.TON));
await step('charge',w.charge(123456789n));
await step('payout',w.payout(123456789n));

console.log(w.net.injected, w.net.total(), 'pay', w.balance(WORKER_OWNER));
