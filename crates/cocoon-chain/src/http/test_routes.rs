//! Faucet, warp, faults and blocks by hand. Mounted only on the loopback of a test network.

use axum::{
    Router,
    extract::{Request, State},
    response::IntoResponse,
    response::Response,
    routing::{get, post},
};
use cocoon_types::Nanoton;
use serde_json::{Value, json};

use super::{CallError, error::envelope, params::Params, read};
use crate::ledger::{Faults, LedgerChain};

pub(super) fn router() -> Router<LedgerChain> {
    Router::new()
        .route("/test/faucet", post(faucet))
        .route("/test/warp", post(warp))
        .route("/test/block", post(block))
        .route("/test/faults", get(faults).post(set_faults))
}

/// `{"address": .., "amount": nanoTON}`
async fn faucet(State(chain): State<LedgerChain>, request: Request) -> Response {
    answer(async {
        let params = params(request).await?;
        let (to, amount) = (params.address("address")?, params.needed("amount")?);
        chain.faucet(to, Nanoton::new(amount)).await?;
        Ok(json!({ "@type": "ok" }))
    })
    .await
}

/// `{"seconds": ..}`
async fn warp(State(chain): State<LedgerChain>, request: Request) -> Response {
    answer(async {
        let seconds = params(request).await?.needed("seconds")?;
        chain.warp(seconds).await?;
        Ok(json!({ "@type": "ok" }))
    })
    .await
}

async fn block(State(chain): State<LedgerChain>) -> Response {
    answer(async {
        let block = chain.block().await?;
        Ok(json!({ "seqno": block.seqno, "transactions": block.transactions }))
    })
    .await
}

async fn faults(State(chain): State<LedgerChain>) -> Response {
    answer(async { Ok(json!(chain.with(|ledger, _| ledger.faults()).await)) }).await
}

async fn set_faults(State(chain): State<LedgerChain>, request: Request) -> Response {
    answer(async {
        let faults: Faults = serde_json::from_value(Value::Object(read(request.into_body()).await?))
            .map_err(|error| CallError::invalid(error.to_string()))?;
        chain.set_faults(faults).await?;
        Ok(json!(faults))
    })
    .await
}

async fn params(request: Request) -> Result<Params, CallError> {
    Ok(Params::new(read(request.into_body()).await?))
}

async fn answer(work: impl Future<Output = Result<Value, CallError>>) -> Response {
    envelope(work.await).into_response()
}
