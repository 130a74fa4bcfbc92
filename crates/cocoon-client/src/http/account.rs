//! `/cocoon/v1/account`: the gateway's money, for the person who runs it.
//!
//! Amounts are decimal strings of nanoTON, which JSON's numbers would round.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use cocoon_chain::{At, Purse};
use cocoon_contracts::client::State;
use cocoon_types::{Fault, Nanoton, Refusal};
use cocoon_web::keys::Holder;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Gateway,
    body::{Bounds, Unread},
};
use crate::account::Account;

/// What is asked about the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Show,
    TopUp,
    Withdraw,
    Close,
}

/// What a person wants done.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    /// At which proxy, `host:port`; may be left out where there is one.
    proxy: Option<String>,
    /// NanoTON, for a top-up.
    amount: Option<String>,
}

/// Larger than any wish.
const MAX_WISH_BYTES: usize = 4096;
const WISH_DEADLINE: Duration = Duration::from_secs(10);

/// Answers a question about the account, or notes a wish. A refusal comes with the body that was not read.
pub(super) async fn serve(
    gateway: &Gateway,
    asked: Asked,
    holder: Option<&Holder>,
    unread: Unread,
) -> Result<Response, (Refusal, Option<Unread>)> {
    let Some(purse) = &gateway.purse else {
        let message =
            "nothing is paid in this network (hint: `chain` and `root` in the gateway's configuration)";
        return Err((Refusal::new(Fault::NotFound, message), Some(unread)));
    };
    if holder.is_some_and(|holder| !holder.limits.is_none()) {
        let message = "an API key with limits may not look at the account or change it";
        return Err((Refusal::new(Fault::Forbidden, message), Some(unread)));
    }
    if asked == Asked::Show {
        return Ok(Json(show(gateway, purse).await).into_response());
    }
    let bounds = Bounds {
        bytes: MAX_WISH_BYTES,
        time: WISH_DEADLINE,
        budget: &gateway.budget,
    };
    let taken = unread
        .take(bounds)
        .await
        .map_err(|(refusal, rest)| (refusal, Some(rest)))?;
    let wished = wish(gateway, asked, &taken.bytes);
    wished.map_err(|refusal| (refusal, None))?;
    Ok((StatusCode::ACCEPTED, Json(json!({"accepted": true}))).into_response())
}

async fn show(gateway: &Gateway, purse: &Purse) -> Value {
    let balance = purse.chain().account(purse.address(), At::Latest).await;
    let proxies: Vec<Value> = gateway
        .links
        .accounts()
        .map(|(proxy, account)| one(proxy, &account))
        .collect();
    json!({
        "wallet": {
            "address": purse.address().non_bounceable(),
            "balance": balance.ok().map(|account| account.balance.nano().to_string()),
        },
        "proxies": proxies,
    })
}

fn one(proxy: &str, account: &Account) -> Value {
    let look = account.snapshot();
    let state = match look.state {
        None => "none",
        Some(State::Open) => "open",
        Some(State::Closing) => "closing",
        Some(State::Closed) => "closed",
    };
    let owed = look.levels.memory.saturating_sub(look.charged);
    let text = |amount: Option<Nanoton>| amount.map(|amount| amount.nano().to_string());
    json!({
        "proxy": proxy,
        "proxy_contract": account.proxy_contract.to_string(),
        "contract": account.contract.to_string(),
        "state": state,
        "balance": look.balance.nano().to_string(),
        "stake": look.stake.nano().to_string(),
        "price_per_token": look.price.nano().to_string(),
        "charged_tokens": look.charged,
        "signed_tokens": look.levels.chain,
        "used_tokens": look.levels.memory,
        "owed": text(look.price.checked_mul(owed)),
        "available_tokens": look.available,
        "available": text(look.available.and_then(|tokens| look.price.checked_mul(tokens))),
        "withdrawable": look.balance.saturating_sub(look.stake).nano().to_string(),
        "trouble": look.trouble,
    })
}

fn wish(gateway: &Gateway, asked: Asked, body: &[u8]) -> Result<(), Refusal> {
    let wrong = |message: &str| Refusal::new(Fault::InvalidRequest, message);
    let wish: Wish = serde_json::from_slice(body)
        .map_err(|_| wrong("the body must be an object with `proxy` and, for a top-up, `amount`"))?;
    let account = chosen(gateway, wish.proxy.as_deref())?;
    match (asked, wish.amount) {
        (Asked::TopUp, Some(amount)) => {
            let amount = amount.parse().ok().filter(|amount: &u64| *amount > 0);
            let amount = amount
                .ok_or_else(|| wrong("`amount` must be nanoTON above 0, in a string").about("amount"))?;
            account.wish_top_up(Nanoton::new(amount));
        }
        (Asked::TopUp, None) => return Err(wrong("a top-up needs an `amount`").about("amount")),
        (_, Some(_)) => return Err(wrong("only a top-up has an `amount`").about("amount")),
        (Asked::Close, None) => account.wish_close(),
        (Asked::Withdraw | Asked::Show, None) => account.wish_withdraw(),
    }
    Ok(())
}

/// The account that is meant.
fn chosen(gateway: &Gateway, proxy: Option<&str>) -> Result<Arc<Account>, Refusal> {
    let mut accounts = gateway
        .links
        .accounts()
        .filter(|(name, _)| proxy.is_none_or(|wanted| wanted == *name));
    match (accounts.next(), accounts.next()) {
        (Some((_, account)), None) => Ok(account),
        (None, _) => Err(Refusal::new(
            Fault::NoWorker,
            "there is no account at a proxy of this name just now (hint: GET /cocoon/v1/account)",
        )),
        (Some(_), Some(_)) => Err(Refusal::new(
            Fault::InvalidRequest,
            "`proxy` must say at which proxy (hint: GET /cocoon/v1/account)",
        )
        .about("proxy")),
    }
}
