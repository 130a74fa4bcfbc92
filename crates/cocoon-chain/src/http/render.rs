//! What toncenter's answers look like.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cocoon_contracts::{Cell, boc};
use cocoon_types::Address;
use serde_json::{Value, json};
use tycho_types::models::{Transaction as Stored, TxInfo};

use super::CallError;
use crate::{
    chain::{Account, ChainError, Malformed, Message, Status, Transaction, TxId},
    ledger::{Ledger, StackItem},
};

/// The only shard, in toncenter's signed form.
pub(crate) const SHARD: &str = "-9223372036854775808";

pub(super) fn boc64(cell: &Cell) -> String {
    STANDARD.encode(boc::encode(cell))
}

pub(super) fn transaction_id(id: Option<TxId>) -> Value {
    let (lt, hash) = id.map_or((0, [0; 32]), |id| (id.lt, id.hash));
    json!({ "@type": "internal.transactionId", "lt": lt.to_string(), "hash": STANDARD.encode(hash) })
}

/// A block of the masterchain (-1) or of the workchain (0); here they are the same.
pub(super) fn block_id(ledger: &Ledger, workchain: i8, seqno: u32) -> Result<Value, ChainError> {
    let hash = STANDARD.encode(ledger.block_hash(seqno)?);
    Ok(json!({
        "@type": "ton.blockIdExt", "workchain": workchain, "shard": SHARD, "seqno": seqno,
        "root_hash": hash, "file_hash": hash,
    }))
}

pub(super) fn account(ledger: &Ledger, account: &Account, time: u64) -> Result<Value, CallError> {
    let state = match account.status {
        Status::Active => "active",
        Status::Frozen => "frozen",
        // An account without coins does not exist, so that its balance tells which of the two it is.
        Status::Missing | Status::Uninit => "uninitialized",
    };
    let cell = |cell: &Option<Cell>| cell.as_ref().map(boc64).unwrap_or_default();
    Ok(json!({
        "@type": "raw.fullAccountState", "balance": account.balance.nano().to_string(), "extra_currencies": [],
        "state": state, "code": cell(&account.code), "data": cell(&account.data), "frozen_hash": "",
        "last_transaction_id": transaction_id(account.last), "block_id": block_id(ledger, -1, account.block)?,
        "sync_utime": time,
    }))
}

pub(super) fn transaction(address: Address, cell: &Cell) -> Result<Value, CallError> {
    let read = |error: Malformed| CallError::from(ChainError::from(error));
    let transaction = Transaction::from_cell(cell).map_err(read)?;
    let storage_fee = storage_fee(cell).map_err(read)?;
    let fee = u128::from(transaction.fees.nano());
    let inbound = transaction.inbound.as_ref().map(message).unwrap_or(Value::Null);
    let outbound: Vec<_> = transaction.outbound.iter().map(message).collect();
    Ok(json!({
        "@type": "raw.transaction",
        "address": { "@type": "accountAddress", "account_address": address.to_string() },
        "account": raw(address), "utime": transaction.time, "data": boc64(cell),
        "transaction_id": transaction_id(Some(transaction.id)), "fee": fee.to_string(),
        "storage_fee": storage_fee.to_string(), "other_fee": fee.saturating_sub(storage_fee).to_string(),
        "in_msg": inbound, "out_msgs": outbound,
    }))
}

fn storage_fee(cell: &Cell) -> Result<u128, Malformed> {
    let TxInfo::Ordinary(info) = cell.parse::<Stored>()?.load_info()? else {
        return Err(Malformed::Kind);
    };
    let phase = info.storage_phase;
    Ok(phase.map_or(0, |phase| phase.storage_fees_collected.into_inner()))
}

fn message(message: &Message) -> Value {
    let address = |address: Option<Address>| address.map_or_else(String::new, |address| address.to_string());
    json!({
        "@type": "raw.message", "source": address(message.source), "destination": address(message.destination),
        "value": message.value.nano().to_string(), "fwd_fee": message.forward_fee.nano().to_string(),
        "ihr_fee": "0", "created_lt": message.created_lt.to_string(), "extra_currencies": [],
        "body_hash": STANDARD.encode(message.body_hash),
        "msg_data": { "@type": "msg.dataRaw", "body": boc64(&message.body), "init_state": "" },
    })
}

pub(super) fn raw(address: Address) -> String {
    format!("0:{}", hex::encode(address.as_bytes()))
}

/// A value on the stack, as toncenter writes the outermost ones.
pub(super) fn stack_item(item: &StackItem) -> Value {
    match item {
        StackItem::Null => json!(["list", { "@type": "tvm.list", "elements": [] }]),
        StackItem::Int(int) => json!(["num", hexadecimal(int)]),
        StackItem::Cell(cell) => json!(["cell", { "bytes": boc64(cell) }]),
        StackItem::Slice(cell) => json!(["slice", { "bytes": boc64(cell) }]),
        StackItem::Builder(cell) => json!(["builder", { "bytes": boc64(cell) }]),
        StackItem::Tuple(items) => json!(["tuple", tuple(items)]),
    }
}

fn tuple(items: &[StackItem]) -> Value {
    json!({ "@type": "tvm.tuple", "elements": items.iter().map(element).collect::<Vec<_>>() })
}

/// A value within a tuple.
fn element(item: &StackItem) -> Value {
    match item {
        StackItem::Null => {
            json!({ "@type": "tvm.stackEntryList", "list": { "@type": "tvm.list", "elements": [] } })
        }
        StackItem::Int(int) => json!({
            "@type": "tvm.stackEntryNumber", "number": { "@type": "tvm.numberDecimal", "number": int.to_string() },
        }),
        StackItem::Cell(cell) | StackItem::Builder(cell) => json!({
            "@type": "tvm.stackEntryCell", "cell": { "@type": "tvm.cell", "bytes": boc64(cell) },
        }),
        StackItem::Slice(cell) => json!({
            "@type": "tvm.stackEntrySlice", "slice": { "@type": "tvm.slice", "bytes": boc64(cell) },
        }),
        StackItem::Tuple(items) => json!({ "@type": "tvm.stackEntryTuple", "tuple": tuple(items) }),
    }
}

fn hexadecimal(int: &num_bigint::BigInt) -> String {
    let digits = int.magnitude().to_str_radix(16);
    if int.sign() == num_bigint::Sign::Minus {
        format!("-0x{digits}")
    } else {
        format!("0x{digits}")
    }
}
