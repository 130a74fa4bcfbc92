//! `GET /earnings` and `POST /payout`: what the worker's owner has earned, and how to get it now.
//!
//! Amounts are decimal strings of nanoTON, which JSON's numbers would round.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::IntoResponse,
    routing::{get, post},
};
use cocoon_chain::At;
use serde_json::{Value, json};

use crate::shop::Shop;

/// The routes, for the admin listener.
pub(crate) fn routes(shop: Arc<Shop>) -> Router {
    Router::new()
        .route(
            "/earnings",
            get(|State(shop): State<Arc<Shop>>| async move {
                match earnings(&shop).await {
                    Some(earnings) => Json(earnings).into_response(),
                    None => unpaid().into_response(),
                }
            }),
        )
        .route(
            "/payout",
            post(|State(shop): State<Arc<Shop>>| async move {
                if shop.till.is_none() {
                    return unpaid().into_response();
                }
                for (_, pay) in shop.pays() {
                    pay.wish_payout();
                }
                shop.payday.notify_one();
                (StatusCode::ACCEPTED, Json(json!({"accepted": true}))).into_response()
            }),
        )
        .with_state(shop)
}

fn unpaid() -> (StatusCode, Json<Value>) {
    let message = "nothing is paid in this network (hint: `chain` and `root` in the worker's configuration)";
    (
        StatusCode::NOT_FOUND,
        Json(json!({"error": {"message": message}})),
    )
}

async fn earnings(shop: &Shop) -> Option<Value> {
    let till = shop.till.as_ref()?;
    let balance = till.purse.chain().account(till.purse.address(), At::Latest).await;
    let proxies: Vec<Value> = shop
        .pays()
        .into_iter()
        .map(|(proxy, pay)| {
            let look = pay.snapshot();
            let [earned, signed, paid] = look.earnings.unwrap_or_default();
            json!({
                "proxy": proxy,
                "proxy_contract": pay.proxy_contract.to_string(),
                "contract": pay.contract.to_string(),
                "earned_tokens": look.levels.memory,
                "signed_tokens": look.levels.chain,
                "paid_tokens": look.paid_tokens,
                "earned": earned.nano().to_string(),
                "signed": signed.nano().to_string(),
                "paid": paid.nano().to_string(),
                "unpaid": earned.saturating_sub(paid).nano().to_string(),
                "trouble": look.trouble,
            })
        })
        .collect();
    Some(json!({
        "owner": till.owner.to_string(),
        "wallet": {
            "address": till.purse.address().non_bounceable(),
            "balance": balance.ok().map(|account| account.balance.nano().to_string()),
        },
        "proxies": proxies,
    }))
}
