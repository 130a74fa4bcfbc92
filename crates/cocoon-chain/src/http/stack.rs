//! Arguments of a get method, as `@ton/ton` and toncenter's other clients write them.

use num_bigint::BigInt;
use serde_json::Value;

use super::{CallError, params};
use crate::ledger::StackItem;

/// Arguments of one call; no contract takes more.
const MAX_ARGUMENTS: usize = 64;
/// Characters of a number of 257 bits in decimal, and a sign.
const MAX_NUMBER: usize = 79;

pub(crate) fn read(stack: Option<&Value>) -> Result<Vec<StackItem>, CallError> {
    let items = match stack {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) if items.len() <= MAX_ARGUMENTS => items,
        Some(_) => return Err(CallError::invalid("stack must be a list of at most 64 values")),
    };
    items.iter().map(item).collect()
}

fn item(item: &Value) -> Result<StackItem, CallError> {
    let unreadable = || CallError::invalid("a value of the stack must be [kind, text]");
    let (kind, value) = match item.as_array().map(Vec::as_slice) {
        Some([Value::String(kind)]) if kind == "null" => return Ok(StackItem::Null),
        Some([Value::String(kind), value]) => (kind.as_str(), value),
        _ => return Err(unreadable()),
    };
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null if kind == "null" => return Ok(StackItem::Null),
        _ => return Err(unreadable()),
    };
    let cell =
        || params::cell(&text).map_err(|error| CallError::invalid(format!("a cell of the stack: {error}")));
    match kind {
        "num" | "int" => number(&text)
            .map(StackItem::Int)
            .ok_or_else(|| CallError::invalid("a number of the stack is none")),
        "cell" | "tvm.Cell" => cell().map(StackItem::Cell),
        "slice" | "tvm.Slice" => cell().map(StackItem::Slice),
        "builder" | "tvm.Builder" => cell().map(StackItem::Builder),
        _ => Err(CallError::invalid("a value of the stack has an unknown kind")),
    }
}

/// Decimal, or hexadecimal after `0x`.
fn number(text: &str) -> Option<BigInt> {
    if text.len() > MAX_NUMBER {
        return None;
    }
    let (digits, negative) = text.strip_prefix('-').map_or((text, false), |rest| (rest, true));
    let (digits, radix) = digits.strip_prefix("0x").map_or((digits, 10), |rest| (rest, 16));
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let number = BigInt::parse_bytes(digits.as_bytes(), radix)?;
    Some(if negative { -number } else { number })
}
