//! One request: admit, read and edit the body, ask the engine, stream its answer.

use std::sync::Arc;

use bytes::Bytes;
use cocoon_engine::EngineAnswer;
use cocoon_link::{AnswerEnd, BodyReceiver, RequestHead, Serving, Unfinished};
use cocoon_openai::{Metered, RequestBody, UsageMeter};
use cocoon_types::{Fault, Refusal, Tier, Usage};
use tokio::time::{Instant, timeout_at};

use crate::{
    engine::Served,
    pay::Pay,
    sealing::{
        Batches,
        reply::{Done, Reply, Spec},
    },
    shop::{Permit, Shop},
    stating::Standing,
};

/// Serves one request of a proxy, to its end.
pub(crate) async fn serve(
    shop: &Shop,
    standing: &Standing,
    batches: &Batches,
    pay: Option<&Arc<Pay>>,
    serving: Serving,
) {
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
        outcome = async {
            let mut reply = Reply::new(&shop.sealing, batches, &head, &mut answer);
            let (permit, outcome) = run(shop, standing, &head, body, &mut reply).await;
            let closed = reply.close(outcome).await;
            drop(permit);
            closed
        } => outcome,
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

/// Everything up to the end of the answer. The place is free again before the last message leaves, so that the proxy, which
/// counts too, never hears of the end before.
async fn run(
    shop: &Shop,
    standing: &Standing,
    head: &RequestHead,
    body: BodyReceiver,
    reply: &mut Reply<'_>,
) -> (Option<Permit>, Result<Done, Unfinished>) {
    let deadline = Instant::now() + head.timeout.min(shop.max_timeout);
    match admit(shop, standing, head).await {
        Ok((permit, served)) => {
            let tier = standing.serving_tier(shop, served.place);
            let done = admitted(shop, tier, &served, head, body, deadline, reply).await;
            (Some(permit), done)
        }
        Err(refusal) => (None, Err(refusal.into())),
    }
}

async fn admitted(
    shop: &Shop,
    tier: Tier,
    served: &Served,
    head: &RequestHead,
    body: BodyReceiver,
    deadline: Instant,
    reply: &mut Reply<'_>,
) -> Result<Done, Unfinished> {
    let body = timeout_at(deadline, reply.read(body)).await;
    let body = body.map_err(|_| timeout("the body did not come in time"))??;
    let prepared = prepare(head, served, &body);
    drop(body);
    let asked = Instant::now();
    let request = match prepared {
        Ok(request) => request,
        Err(refusal) => {
            let spec = spec(shop, tier, 400, "application/json");
            reply.reject(refusal, head.request_id, spec).await?;
            return Ok(done(Usage::default(), None, asked));
        }
    };
    let engine_answer = reply
        .answer()
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
        relay(shop, engine_answer, wants_usage_chunk, tier, reply),
    )
    .await;
    let (usage, finish) = relayed.map_err(|_| timeout("the answer was not complete in time"))??;
    shop.metrics.used(usage);
    Ok(done(usage, finish, asked))
}

fn done(usage: Usage, finish: Option<String>, asked: Instant) -> Done {
    Done {
        end: AnswerEnd {
            usage,
            engine_time: asked.elapsed(),
            receipt: None,
        },
        finish,
    }
}

fn spec(shop: &Shop, tier: Tier, status: u16, content_type: &str) -> Spec {
    Spec {
        status,
        content_type: content_type.to_owned(),
        tier,
        coefficient: shop.coefficient,
    }
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

/// Streams the engine's answer; what was used, and why the engine stopped. Leaving this early drops it, which closes the
/// engine's connection and ends its work.
async fn relay(
    shop: &Shop,
    engine_answer: EngineAnswer,
    wants_usage_chunk: bool,
    tier: Tier,
    reply: &mut Reply<'_>,
) -> Result<(Usage, Option<String>), Unfinished> {
    let is_success = engine_answer.status < 300;
    let mut head = Some(spec(shop, tier, engine_answer.status, engine_answer.content_type));
    let mut body = engine_answer.body;
    if !is_success {
        // The engine's own refusal of the request; it used nothing.
        let text = reply
            .answer()
            .unless_cancelled(body.collect(MAX_REFUSAL_BYTES))
            .await??;
        send(reply, &mut head, text).await?;
        begin(reply, &mut head).await?;
        return Ok((Usage::default(), None));
    }
    let mut meter = UsageMeter::for_content_type(engine_answer.content_type, wants_usage_chunk);
    while let Some(piece) = reply.answer().unless_cancelled(body.next()).await? {
        let piece = piece.inspect_err(|_| shop.suspicion.notify_one())?;
        // The head goes out with the first byte: until then a failure can still be told with a status of its own.
        let out = meter.push(piece).map_err(Refusal::from)?;
        send(reply, &mut head, out).await?;
    }
    let Metered {
        rest,
        usage,
        complete,
        engine_error,
        finish,
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
    send(reply, &mut head, rest).await?;
    begin(reply, &mut head).await?;
    let usage = usage.unwrap_or_else(|| {
        shop.metrics.without_usage();
        Usage::default()
    });
    Ok((usage, finish))
}

/// Longest refusal of an engine that goes on to the caller; the engine's client has cut it already.
const MAX_REFUSAL_BYTES: usize = 1024 * 1024;

async fn send(reply: &mut Reply<'_>, head: &mut Option<Spec>, bytes: Bytes) -> Result<(), Unfinished> {
    if bytes.is_empty() {
        return Ok(());
    }
    begin(reply, head).await?;
    reply.part(bytes).await
}

async fn begin(reply: &mut Reply<'_>, head: &mut Option<Spec>) -> Result<(), Unfinished> {
    match head.take() {
        Some(head) => reply.begin(head).await,
        None => Ok(()),
    }
}

fn timeout(message: &str) -> Refusal {
    Refusal::new(Fault::Timeout, message)
}
