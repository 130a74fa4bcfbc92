//! `GET /accounts` and `POST /settle`: the proxy's accounts, for its owner.
//!
//! Amounts are decimal strings of nanoTON, which JSON's numbers would round. Peers appear by their owner's address, which
//! is on the chain anyway.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use cocoon_accounting::Status;
use cocoon_types::{Nanoton, Refusal};
use serde_json::{Value, json};

use crate::{accounting::Books, node::Node};

/// Accounts that are listed one by one.
const MAX_LISTED: usize = 1000;

/// The routes, for the admin listener.
pub(crate) fn routes(node: Arc<Node>) -> Router {
    Router::new()
        .route("/accounts", get(|State(node): State<Arc<Node>>| show(node)))
        .route("/settle", post(|State(node): State<Arc<Node>>| settle(node)))
        .with_state(node)
}

async fn show(node: Arc<Node>) -> Response {
    let Some(books) = node.ledger.books() else {
        return unpaid();
    };
    match accounts(books).await {
        Ok(accounts) => Json(accounts).into_response(),
        Err(refusal) => fault(&refusal.message),
    }
}

async fn settle(node: Arc<Node>) -> Response {
    let Some(books) = node.ledger.books() else {
        return unpaid();
    };
    match books.settle_all().await {
        Ok(()) => (StatusCode::ACCEPTED, Json(json!({"accepted": true}))).into_response(),
        Err(reason) => fault(&reason),
    }
}

fn unpaid() -> Response {
    let message = "nothing is paid in this network (hint: `chain` and `root` in the proxy's configuration)";
    (
        StatusCode::NOT_FOUND,
        Json(json!({"error": {"message": message}})),
    )
        .into_response()
}

fn fault(message: &str) -> Response {
    let body = Json(json!({"error": {"message": message}}));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

async fn accounts(books: &Books) -> Result<Value, Refusal> {
    let look = books.overview().await?;
    let prices = look.terms.map(|terms| terms.prices);
    let contract = look.contract.unwrap_or_default();
    let text = |amount: Option<Nanoton>| amount.map(|amount| amount.nano().to_string());
    let cost = |tokens| text(prices.and_then(|prices| prices.cost(tokens).ok()));
    let earnings = |tokens| text(prices.and_then(|prices| prices.earnings(tokens).ok()));
    let clients: Vec<Value> = look
        .clients
        .iter()
        .take(MAX_LISTED)
        .map(|(owner, account)| {
            let charged = account.state.tokens;
            json!({
                "owner": owner.to_string(),
                "state": state(account.state.status),
                "balance": account.state.balance.nano().to_string(),
                "stake": account.state.stake.nano().to_string(),
                "used_tokens": account.levels.memory,
                "signed_tokens": account.levels.chain,
                "charged_tokens": charged,
                "owed": cost(account.levels.memory.saturating_sub(charged)),
                "reserved_tokens": account.reserved,
                "available_tokens": account.available,
                "open_requests": account.open,
                "quarantine": account.quarantine.map(|cause| format!("{cause:?}")),
            })
        })
        .collect();
    let workers: Vec<Value> = look
        .workers
        .iter()
        .take(MAX_LISTED)
        .map(|(owner, account)| {
            json!({
                "owner": owner.to_string(),
                "state": state(account.status),
                "earned_tokens": account.levels.memory,
                "signed_tokens": account.levels.chain,
                "paid_tokens": account.paid,
                "owed": earnings(account.levels.memory.saturating_sub(account.paid)),
                "quarantine": account.quarantine.map(|cause| format!("{cause:?}")),
            })
        })
        .collect();
    Ok(json!({
        "contract": books.contract().to_string(),
        "owner": books.owner().to_string(),
        "ready": look.ready,
        "halted": look.halted,
        "state": state(contract.status),
        "balance": contract.balance.nano().to_string(),
        "stake": contract.stake.nano().to_string(),
        "unsecured": text(look.unsecured),
        "records": look.applied,
        "clients": clients,
        "workers": workers,
        "old_contracts": look.old.len(),
    }))
}

fn state(status: Status) -> &'static str {
    match status {
        Status::Open => "open",
        Status::Closing => "closing",
        Status::Closed => "closed",
    }
}
