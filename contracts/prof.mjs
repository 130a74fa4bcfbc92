import {World,CLIENT_OWNER} from './scripts/world.js';
import * as c from './scripts/cocoon.js';
import {Cell,beginCell,storeMessage} from '@ton/core';
const w=await World.create(); await w.deployAll(); await w.increaseStake(c.TON);
if(process.argv[2]==='accepted'){ }
const n=w.net;
n.inject({from:CLIENT_OWNER,to:w.client,value:16n*c.TON,body:c.askCoins(c.OP.topUp,1,15n*c.TON,CLIENT_OWNER)});
const m=n.queue[0];
const r=await n.executor.runTransaction({config:n.config,libs:null,verbosity:'full_location_gas',shardAccount:n.shardAccount(w.client),message:m.cell,now:n.now,lt:n.lt+1000000n,randomSeed:Buffer.alloc(32),ignoreChksig:false,debugEnabled:false});
const lines=r.result.vmLog.split('\n');
let last=1e9; const ops={}; let cur=null,cnt=0; 
for(const l of lines){ let e=l.match(/execute (\S+)/); if(e){cur=e[1];cnt++} let g=l.match(/gas remaining: (\d+)/); if(g){const v=+g[1]; if(cur){(ops[cur]??=[0,0])[0]++; ops[cur][1]+=last-v;} last=v;} }
console.log(cnt, Object.entries(ops).sort((a,b)=>b[1][1]-a[1][1]).slice(0,30).map(x=>x[0]+' '+x[1]).join('\n'));
if(process.argv[3]) console.log(lines.filter(l=>/execute|gas/.test(l)).slice(0,400).join('\n'));
