//! Entry functions for `/fuzz` and for the replay of its corpus; no part of the interface.

use serde_json::{Map, Value};
use tycho_types::boc::{Boc, BocRepr};

use crate::{
    chain::{Transaction, TxId, account_from_state},
    http, http_chain,
    ledger::StackItem,
};

/// An entry function.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: &[(&str, Target)] = &[
    ("chain_transaction", transaction),
    ("chain_answer", answer),
    ("chain_question", question),
];

/// A bag of cells as a transaction of the chain, and as an account's state.
pub fn transaction(bytes: &[u8]) {
    if let Ok(cell) = Boc::decode(bytes)
        && let Ok(read) = Transaction::from_cell(&cell)
    {
        assert_eq!(read.id.hash, cell.repr_hash().0);
        assert!(!read.success || (!read.aborted && read.exit_code.is_some()));
        assert!(
            read.outbound
                .iter()
                .all(|message| !message.external || message.value.nano() == 0)
        );
    }
    if let Ok(state) = BocRepr::decode(bytes) {
        let _ = account_from_state(&state, 0);
    }
}

/// JSON as each answer of a ledger.
pub fn answer(bytes: &[u8]) {
    let Ok(answer) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let newest = TxId { lt: 5, hash: [1; 32] };
    if let Ok(list) = http_chain::wire::transactions(&answer, newest, 0, 3) {
        assert!(list.len() <= 3 && list.first().map(|first| first.id) == Some(newest));
    }
    let _ = (http_chain::wire::head(&answer), http_chain::wire::block(&answer));
    let _ = http_chain::wire::account(&answer);
    for status in [200, 404, 500, 503] {
        let _ = http_chain::wire::result(status, answer.clone());
    }
}

/// JSON as the parameters of each call, and as arguments of a get method.
pub fn question(bytes: &[u8]) {
    let Ok(params) = serde_json::from_slice::<Map<String, Value>>(bytes) else {
        return;
    };
    if let Ok(arguments) = http::stack::read(params.get("stack")) {
        assert!(arguments.len() <= 64 && !arguments.iter().any(|item| matches!(item, StackItem::Tuple(_))));
    }
    http::read_all(params);
}

#[cfg(test)]
mod tests;
