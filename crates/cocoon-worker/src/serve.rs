//! One request: admit, read and edit the body, ask the engine, stream its answer.

use std::sync::Arc;

use bytes::Bytes;
use cocoon_engine::EngineAnswer;
use cocoon_link::{
    AnswerEnd, AnswerHead, AnswerSender, BodyReceiver, RequestHead, Serving, StreamGone, Unfinished,
};
use cocoon_openai::{Metered, RequestBody, UsageMeter};
use cocoon_types::{Fault, MAX_BODY_BYTES, Refusal, Tier, Usage};
use tokio::time::{Instant, timeout_at};

use crate::{
    engine::Served,
    pay::Pay,
    shop::{Permit, Shop},
    stating::Standing,
};

/// Serves one request of a proxy, to its end.
pub(crate) async fn serve(shop: &Shop, standing: &Standing, pay: Option<&Arc<Pay>>, serving: Serving) {
    let _working = pay.map(Pay::working);
    // A drain waits until the last message is on its way, not only until the engine is done.
    let _awaited = shop.awaited();
    let Serving {
        head,
        body,
        mut answer,
    } = serving;
    let started = Instant::now();
    let outcome = tokio::select! {
        outcome = run(shop, standing, &head, body, &mut answer) => outcome,
        () = shop.stopped.cancelled() => {
            let message = "the worker stopped before the answer was complete";
            Err(Refusal::new(Fault::Draining, message).into())
        }
    };
    let fault = outcome.as_ref().err().map(Unfinished::fault);
    shop.metrics.ended(fault, started.elapsed());
    tracing::debug!(request = %head.request_id, ok = outcome.is_ok(), seconds = started.elapsed().as_secs_f64(), "a request has ended");
    if let (Ok(end), Some(pay)) = (&outcome, pay) {
        pay.served(&end.usage, shop.coefficient);
    }
    answer.finish(outcome).await;
}

/// Everything up to the last message. The place is free again when this returns, so that the proxy, which counts too,
/// never hears of the end before.
async fn run(
    shop: &Shop,
    standing: &Standing,
    head: &RequestHead,
    body: BodyReceiver,
    answer: &mut AnswerSender,
) -> Result<AnswerEnd, Unfinished> {
    if head.sealed.is_some() {
        let message = "this worker has no sealing key";
        return Err(Refusal::new(Fault::TierUnavailable, message).into());
    }
    let deadline = Instant::now() + head.timeout.min(shop.max_timeout);
    let (_permit, served) = admit(shop, standing, head).await?;
    let tier = standing.serving_tier(shop, served.place);
    let body = answer
        .unless_cancelled(timeout_at(deadline, body.collect(MAX_BODY_BYTES)))
        .await?;
    let body = body.map_err(|_| timeout("the body did not come in time"))??;
    let request = prepare(head, &served, &body)?;
    drop(body);
    let asked = Instant::now();
    let engine_answer = answer
        .unless_cancelled(served.engine.call(&request, deadline))
        .await?;
    let engine_answer = engine_answer.inspect_err(|refusal| {
        if refusal.fault == Fault::EngineFailed {
            shop.suspicion.notify_one();
        }
    })?;
    let wants_usage_chunk = request.wants_usage_chunk();
    drop(request);
    let relayed = timeout_at(
        deadline,
        relay(shop, engine_answer, wants_usage_chunk, tier, answer),
    )
    .await;
    let usage = relayed.map_err(|_| timeout("the answer was not complete in time"))??;
    shop.metrics.used(usage);
    Ok(AnswerEnd {
        usage,
        engine_time: asked.elapsed(),
        receipt: None,
    })
}

/// Whether this worker takes the request now. What the proxy has checked is checked again: it may be wrong, or late.
async fn admit(
    shop: &Shop,
    standing: &Standing,
    head: &RequestHead,
) -> Result<(Permit, Arc<Served>), Refusal> {
    let served = shop.open_for_requests()?;
    if head.model.base() != served.model.base() || !served.endpoints.contains(&head.endpoint) {
        let message = format!(
            "this worker serves {} elsewhere than at {}",
            served.model.base(),
            head.endpoint
        );
        return Err(Refusal::new(Fault::UnknownModel, message));
    }
    let tier = standing.serving_tier(shop, served.place);
    if !head.tier.accepts(tier) {
        let message = format!(
            "this worker serves at tier {tier}, the request accepts {}",
            head.tier
        );
        return Err(Refusal::new(Fault::TierUnavailable, message));
    }
    if shop.coefficient > head.max_coefficient {
        let message = format!(
            "this worker asks {}, the request pays {}",
            shop.coefficient, head.max_coefficient
        );
        return Err(Refusal::new(Fault::PriceTooLow, message));
    }
    let permit = shop.admit(served.capacity).await?;
    Ok((permit, served))
}

/// The body as the engine gets it: with what was agreed, without what it must not see.
fn prepare(head: &RequestHead, served: &Served, body: &Bytes) -> Result<RequestBody, Refusal> {
    let mut request = RequestBody::parse(head.endpoint, body)?;
    // The gateway has read and removed it; an engine must not meet it in any case.
    request.take_cocoon()?;
    request.agree(&served.own_model, head.max_tokens)?;
    Ok(request)
}

/// Streams the engine's answer. Leaving this early drops it, which closes the engine's connection and ends its work.
async fn relay(
    shop: &Shop,
    engine_answer: EngineAnswer,
    wants_usage_chunk: bool,
    tier: Tier,
    answer: &mut AnswerSender,
) -> Result<Usage, Unfinished> {
    let is_success = engine_answer.status < 300;
    let mut head = Some(AnswerHead {
        status: engine_answer.status,
        content_type: engine_answer.content_type.to_owned(),
        tier,
        coefficient: shop.coefficient,
        sealed: None,
    });
    let mut body = engine_answer.body;
    if !is_success {
        // The engine's own refusal of the request; it used nothing.
        let text = answer.unless_cancelled(body.collect(MAX_REFUSAL_BYTES)).await??;
        send(answer, &mut head, text).await?;
        return Ok(Usage::default());
    }
    let mut meter = UsageMeter::for_content_type(engine_answer.content_type, wants_usage_chunk);
    while let Some(piece) = answer.unless_cancelled(body.next()).await? {
        let piece = piece.inspect_err(|_| shop.suspicion.notify_one())?;
        // The head goes out with the first byte: until then a failure can still be told with a status of its own.
        let out = meter.push(piece).map_err(Refusal::from)?;
        send(answer, &mut head, out).await?;
    }
    let Metered {
        rest,
        usage,
        complete,
        engine_error,
        ..
    } = meter.finish().map_err(Refusal::from)?;
    if !complete {
        shop.suspicion.notify_one();
        let message = "the engine broke off its answer";
        return Err(Refusal::new(Fault::EngineFailed, message).into());
    }
    if engine_error {
        // The engine's own error event has gone out; an end would make the answer look served, and be kept as such.
        let message = "the engine reported an error within its answer";
        return Err(Refusal::new(Fault::EngineFailed, message).into());
    }
    send(answer, &mut head, rest).await?;
    if let Some(head) = head.take() {
        answer.head(head).await?;
    }
    Ok(usage.unwrap_or_else(|| {
        shop.metrics.without_usage();
        Usage::default()
    }))
}

/// Longest refusal of an engine that goes on to the caller; the engine's client has cut it already.
const MAX_REFUSAL_BYTES: usize = 1024 * 1024;

async fn send(
    answer: &mut AnswerSender,
    head: &mut Option<AnswerHead>,
    bytes: Bytes,
) -> Result<(), StreamGone> {
    if bytes.is_empty() {
        return Ok(());
    }
    if let Some(head) = head.take() {
        answer.head(head).await?;
    }
    answer.part(bytes).await
}

fn timeout(message: &str) -> Refusal {
    Refusal::new(Fault::Timeout, message)
}
