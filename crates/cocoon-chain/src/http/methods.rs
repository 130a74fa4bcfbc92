//! toncenter's methods on the ledger.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    CallError,
    params::Params,
    render::{self, SHARD},
    stack,
};
use crate::{
    chain::{At, ChainError, Status, Transaction, TxId},
    ledger::{GetMethodError, Ledger, Logged},
};

/// Transactions without a `limit`, as toncenter.
const DEFAULT_LIMIT: usize = 10;
/// Transactions of a block that are listed at most; more are `incomplete`.
const MAX_IN_BLOCK: usize = 256;
/// Exit code of a get method on an account without code, as toncenter.
const NO_CODE: i32 = -13;

/// Does one call.
pub(super) fn call(ledger: &mut Ledger, now: u64, method: &str, params: Params) -> Result<Value, CallError> {
    if ledger.faults().unreachable {
        return Err(ChainError::Unreachable("by a fault that was set".into()).into());
    }
    match method {
        "getMasterchainInfo" => masterchain(ledger, now),
        "lookupBlock" => lookup_block(ledger, &params),
        "getBlockHeader" => block_header(ledger, &params),
        "shards" => shards(ledger, &params),
        "getBlockTransactions" => block_transactions(ledger, &params),
        "getAddressInformation" => address(ledger, &params),
        "getTransactions" => transactions(ledger, &params),
        "tryLocateResultTx" | "tryLocateTx" => locate_result(ledger, &params),
        "tryLocateSourceTx" => locate_source(ledger, &params),
        "runGetMethod" => get_method(ledger, &params),
        "sendBoc" => send(ledger, now, &params).map(|_| json!({ "@type": "ok" })),
        "sendBocReturnHash" => send(ledger, now, &params)
            .map(|hash| json!({ "@type": "raw.extMessageInfo", "hash": STANDARD.encode(hash) })),
        "estimateFee" => estimate(ledger, now, &params),
        _ => Err(CallError::unknown("this ledger has no such method")),
    }
}

fn masterchain(ledger: &mut Ledger, now: u64) -> Result<Value, CallError> {
    let head = ledger.fresh_head(now).map_err(ChainError::from)?;
    let last = render::block_id(ledger, -1, head.seqno)?;
    Ok(json!({
        "@type": "blocks.masterchainInfo", "state_root_hash": last["root_hash"],
        "init": render::block_id(ledger, -1, 0)?, "last": last,
        // Not toncenter's: our own client reads the time of the head here.
        "last_utime": head.time,
    }))
}

/// By its number only; toncenter also finds one by logical time or Unix time.
fn lookup_block(ledger: &Ledger, params: &Params) -> Result<Value, CallError> {
    let workchain = workchain(params)?;
    let seqno = ledger.resolve(At::Block(params.needed("seqno")?))?;
    Ok(render::block_id(ledger, workchain, seqno)?)
}

/// Of a block of the last two hours: older ones' times are not kept.
fn block_header(ledger: &Ledger, params: &Params) -> Result<Value, CallError> {
    let workchain = workchain(params)?;
    let block = ledger.block_at(params.needed("seqno")?)?;
    let before: Option<u32> = block.seqno.checked_sub(1);
    let before = before.map(|seqno| render::block_id(ledger, workchain, seqno));
    Ok(json!({
        "@type": "blocks.header", "id": render::block_id(ledger, workchain, block.seqno)?, "gen_utime": block.time,
        "prev_blocks": before.into_iter().collect::<Result<Vec<_>, _>>()?,
    }))
}

fn shards(ledger: &Ledger, params: &Params) -> Result<Value, CallError> {
    let seqno = ledger.resolve(At::Block(params.needed("seqno")?))?;
    Ok(json!({ "@type": "blocks.shards", "shards": [render::block_id(ledger, 0, seqno)?] }))
}

fn block_transactions(ledger: &Ledger, params: &Params) -> Result<Value, CallError> {
    let workchain = workchain(params)?;
    let seqno = ledger.resolve(At::Block(params.needed("seqno")?))?;
    let count = params.number("count")?.unwrap_or(MAX_IN_BLOCK).min(MAX_IN_BLOCK);
    let mut listed = ledger.logged_in_block(seqno, count + 1)?;
    let incomplete = listed.len() > count;
    listed.truncate(count);
    let listed = listed
        .iter()
        .filter(|logged| logged.account[0].cast_signed() == workchain);
    let listed = listed.map(|logged| {
        json!({
            "@type": "blocks.shortTxId", "mode": 135,
            "account": format!("{workchain}:{}", hex::encode(&logged.account[1..])),
            "lt": logged.lt.to_string(), "hash": STANDARD.encode(logged.cell.repr_hash().0),
        })
    });
    Ok(json!({
        "@type": "blocks.transactions", "id": render::block_id(ledger, workchain, seqno)?, "req_count": count,
        "incomplete": incomplete, "transactions": listed.collect::<Vec<_>>(),
    }))
}

fn workchain(params: &Params) -> Result<i8, CallError> {
    let workchain: i8 = params.needed("workchain")?;
    if ![0, -1].contains(&workchain) || params.value("shard").is_some_and(|shard| shard != SHARD) {
        return Err(CallError::unknown(
            "there is one shard in each of the workchains 0 and -1",
        ));
    }
    Ok(workchain)
}

fn address(ledger: &mut Ledger, params: &Params) -> Result<Value, CallError> {
    let at = params.number("seqno")?.map_or(At::Latest, At::Block);
    let account = ledger.account(params.address("address")?, at)?;
    let time = ledger.head().time;
    render::account(ledger, &account, time)
}

fn transactions(ledger: &mut Ledger, params: &Params) -> Result<Value, CallError> {
    let address = params.address("address")?;
    let limit = params.number("limit")?.unwrap_or(DEFAULT_LIMIT);
    let until = params.number("to_lt")?.unwrap_or(0);
    let (lt, hash) = (params.number::<u64>("lt")?, params.hash("hash")?);
    let newest = match (lt, hash) {
        (Some(lt), Some(hash)) => Some(TxId { lt, hash }),
        (None, None) => ledger.account(address, At::Latest)?.last,
        _ => return Err(CallError::invalid("lt and hash belong together")),
    };
    let Some(newest) = newest else {
        return Ok(json!([]));
    };
    let logged = ledger.logged(address, newest.lt, until, limit)?;
    // A transaction that is not there is refused, one that `to_lt` excludes is not.
    let is_first = |first: &Logged| (first.lt, first.cell.repr_hash().0) == (newest.lt, newest.hash);
    if newest.lt > until && limit > 0 && !logged.first().is_some_and(is_first) {
        return Err(CallError::unknown("the account has no such transaction"));
    }
    logged
        .iter()
        .map(|logged| render::transaction(address, &logged.cell))
        .collect()
}

/// The transaction that a message caused. The message is named by who sent it, to whom, and when.
fn locate_result(ledger: &Ledger, params: &Params) -> Result<Value, CallError> {
    let (source, destination) = (params.address("source")?, params.address("destination")?);
    let created_lt: u64 = params.needed("created_lt")?;
    let after = ledger.logged_after(destination, created_lt)?;
    let caused = after.iter().find(|logged| {
        let read = Transaction::from_cell(&logged.cell).ok();
        let inbound = read.and_then(|transaction| transaction.inbound);
        inbound.is_some_and(|message| message.source == Some(source) && message.created_lt == created_lt)
    });
    let caused = caused.ok_or_else(|| CallError::unknown("no transaction was caused by such a message"))?;
    render::transaction(destination, &caused.cell)
}

/// The transaction that a message came out of.
fn locate_source(ledger: &Ledger, params: &Params) -> Result<Value, CallError> {
    let (source, destination) = (params.address("source")?, params.address("destination")?);
    let created_lt: u64 = params.needed("created_lt")?;
    let before = ledger.logged(source, created_lt, 0, 1)?;
    let cause = before.first().filter(|logged| {
        let sent = Transaction::from_cell(&logged.cell).map(|transaction| transaction.outbound);
        sent.unwrap_or_default()
            .iter()
            .any(|message| message.destination == Some(destination) && message.created_lt == created_lt)
    });
    let cause = cause.ok_or_else(|| CallError::unknown("no transaction sent such a message"))?;
    render::transaction(source, &cause.cell)
}

fn get_method(ledger: &mut Ledger, params: &Params) -> Result<Value, CallError> {
    let address = params.address("address")?;
    let method = match params.value("method") {
        Some(Value::String(name)) => Ledger::method_id(name),
        _ => params.needed("method")?,
    };
    let arguments = stack::read(params.value("stack"))?;
    let account = ledger.account(address, At::Latest)?;
    let (exit_code, gas_used, stack) = match ledger.get_method(address, method, &arguments) {
        Ok(output) => (output.exit_code, output.gas_used, output.stack),
        Err(GetMethodError::NoCode) if account.status != Status::Active => (NO_CODE, 0, Vec::new()),
        Err(error) => return Err(error.into()),
    };
    Ok(json!({
        "@type": "smc.runResult", "gas_used": gas_used, "exit_code": exit_code,
        "stack": stack.iter().map(render::stack_item).collect::<Vec<_>>(),
        "block_id": render::block_id(ledger, -1, account.block)?,
        "last_transaction_id": render::transaction_id(account.last),
    }))
}

fn send(ledger: &mut Ledger, now: u64, params: &Params) -> Result<[u8; 32], CallError> {
    let external = params.cell("boc")?;
    ledger.take(&external, now)?;
    Ok(external.repr_hash().0)
}

fn estimate(ledger: &mut Ledger, now: u64, params: &Params) -> Result<Value, CallError> {
    let optional = |name: &str| match params.value(name) {
        None => Ok(None),
        Some(text) if text == "" => Ok(None),
        Some(_) => params.cell(name).map(Some),
    };
    let init = optional("init_code")?.zip(optional("init_data")?);
    let ignore_signature = params
        .value("ignore_chksig")
        .is_some_and(|value| value == true || value == "true");
    let fees = ledger.estimate(
        params.address("address")?,
        params.cell("body")?,
        init,
        ignore_signature,
        now,
    )?;
    Ok(json!({
        "@type": "query.fees", "destination_fees": [],
        "source_fees": {
            "@type": "fees", "in_fwd_fee": fees.import, "storage_fee": fees.storage, "gas_fee": fees.gas,
            "fwd_fee": fees.forward,
        },
    }))
}
