//! Reading toncenter's answers. They come from outside: everything is checked, nothing is quoted.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cocoon_contracts::boc;
use cocoon_types::Nanoton;
use serde_json::Value;
use tycho_types::{boc::Boc, cell::Cell};

use crate::chain::{Account, ChainError, Head, Status, Transaction, TxId};

/// Characters of an error that are repeated; it is the server's text.
const MAX_REASON: usize = 300;
/// Characters of a transaction. Larger and deeper than a bag of cells that a peer may send: the transaction holds a
/// stranger's message of up to 256 KiB and the account's answers, and must not stop whoever follows the account.
const MAX_TRANSACTION_TEXT: usize = 8 * 1024 * 1024;

/// Takes the result out of its envelope.
pub(crate) fn result(status: u16, mut answer: Value) -> Result<Value, ChainError> {
    if answer["ok"] == true && status == 200 {
        return Ok(answer["result"].take());
    }
    let reason = answer["error"].as_str().unwrap_or("no reason given");
    let reason: String = reason
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_REASON)
        .collect();
    Err(match (status, answer.get("refused")) {
        (_, Some(refused)) => {
            let exit_code = refused["exit_code"].as_i64();
            ChainError::Refused {
                exit_code: exit_code.and_then(|code| i32::try_from(code).ok()),
                reason,
            }
        }
        (404, _) => ChainError::NotFound(reason),
        (429 | 500..=599, _) => ChainError::Unreachable(reason),
        _ => ChainError::Invalid(reason),
    })
}

pub(crate) fn head(answer: &Value) -> Result<Head, ChainError> {
    Ok(Head {
        seqno: seqno(&answer["last"])?,
        id: root_hash(&answer["last"])?,
        time: answer["last_utime"]
            .as_u64()
            .ok_or_else(|| unreadable("last_utime"))?,
    })
}

/// The header of a block.
pub(crate) fn block(answer: &Value) -> Result<Head, ChainError> {
    Ok(Head {
        seqno: seqno(&answer["id"])?,
        id: root_hash(&answer["id"])?,
        time: answer["gen_utime"]
            .as_u64()
            .ok_or_else(|| unreadable("gen_utime"))?,
    })
}

pub(crate) fn account(answer: &Value) -> Result<Account, ChainError> {
    let mut account = Account::missing(seqno(&answer["block_id"])?);
    account.balance = Nanoton::new(number(&answer["balance"]).ok_or_else(|| unreadable("balance"))?);
    account.status = match answer["state"].as_str() {
        Some("active") => Status::Active,
        Some("frozen") => Status::Frozen,
        Some("uninitialized") if account.balance == Nanoton::ZERO => Status::Missing,
        Some("uninitialized") => Status::Uninit,
        _ => return Err(unreadable("state")),
    };
    account.code = optional_cell(&answer["code"], "code")?;
    account.data = optional_cell(&answer["data"], "data")?;
    account.last = transaction_id(&answer["last_transaction_id"])?;
    Ok(account)
}

/// Reads a list of transactions and checks that it is the chain that ends in `newest`.
pub(crate) fn transactions(
    answer: &Value,
    newest: TxId,
    until_lt: u64,
    limit: usize,
) -> Result<Vec<Transaction>, ChainError> {
    let answers = answer.as_array().ok_or_else(|| unreadable("transactions"))?;
    if answers.len() > limit {
        return Err(ChainError::Invalid(
            "more transactions than were asked for".into(),
        ));
    }
    let read = |answer: &Value| -> Result<Transaction, ChainError> {
        let boc = answer["data"]
            .as_str()
            .filter(|text| text.len() <= MAX_TRANSACTION_TEXT);
        let boc = boc.and_then(|text| STANDARD.decode(text).ok());
        let cell = boc.and_then(|boc| Boc::decode(boc).ok());
        Ok(Transaction::from_cell(
            &cell.ok_or_else(|| unreadable("transaction"))?,
        )?)
    };
    let mut expected = Some(newest).filter(|newest| newest.lt > until_lt);
    let mut transactions = Vec::with_capacity(answers.len());
    for answer in answers {
        let transaction = read(answer)?;
        // Without a falling time a made-up chain would never end.
        let falls = transaction.prev.is_none_or(|prev| prev.lt < transaction.id.lt);
        if Some(transaction.id) != expected || !falls {
            return Err(ChainError::Invalid("the transactions are not a chain".into()));
        }
        expected = transaction.prev.filter(|prev| prev.lt > until_lt);
        transactions.push(transaction);
    }
    if transactions.is_empty() && expected.is_some() && limit > 0 {
        return Err(ChainError::NotFound(
            "the transaction is not in the answer".into(),
        ));
    }
    Ok(transactions)
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn transaction_id(answer: &Value) -> Result<Option<TxId>, ChainError> {
    let lt = number(&answer["lt"]).ok_or_else(|| unreadable("lt"))?;
    let hash = hash(&answer["hash"]).ok_or_else(|| unreadable("hash"))?;
    Ok((lt != 0).then_some(TxId { lt, hash }))
}

fn optional_cell(answer: &Value, name: &str) -> Result<Option<Cell>, ChainError> {
    if answer == "" {
        return Ok(None);
    }
    cell(answer, name).map(Some)
}

fn cell(answer: &Value, name: &str) -> Result<Cell, ChainError> {
    let bytes = answer.as_str().and_then(|text| STANDARD.decode(text).ok());
    boc::decode(&bytes.ok_or_else(|| unreadable(name))?)
        .map_err(|error| ChainError::Invalid(format!("{name}: {error}")))
}

fn seqno(block: &Value) -> Result<u32, ChainError> {
    let seqno = block["seqno"]
        .as_u64()
        .and_then(|seqno| u32::try_from(seqno).ok());
    seqno.ok_or_else(|| unreadable("seqno"))
}

fn root_hash(block: &Value) -> Result<[u8; 32], ChainError> {
    hash(&block["root_hash"]).ok_or_else(|| unreadable("root_hash"))
}

fn hash(answer: &Value) -> Option<[u8; 32]> {
    let hash = STANDARD.decode(answer.as_str()?).ok()?;
    hash.try_into().ok()
}

/// Numbers of 64 bits come as text.
fn number(answer: &Value) -> Option<u64> {
    match answer {
        Value::String(text) => text.parse().ok(),
        _ => answer.as_u64(),
    }
}

fn unreadable(name: &str) -> ChainError {
    ChainError::Invalid(format!("{name} is missing or unreadable"))
}
