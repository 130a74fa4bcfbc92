//! One inference request: read, understand, forward, answer.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue},
    response::Response,
};
use bytes::{Bytes, BytesMut};
use cocoon_link::AnswerEvent;
use cocoon_openai::{RequestBody, noted, usage_in};
use cocoon_types::{Endpoint, Fault, ModelName, Private, Refusal};
use cocoon_web::keys::Holder;
use tokio::time::Instant;

use super::{
    Gateway,
    bill::{Bill, Told},
    body::{Bounds, Taken, Unread},
    budget::Hold,
    held::Held,
    own::Own,
    reply,
    scope::Scope,
    stream::{self, Flow, Form, Head, Record},
};
use crate::{
    forward::{Answer, Order, forward},
    idempotency::{Begin, Running, Stored},
    sealed::SealOptions,
};

/// Largest answer that is waited for whole, in bytes, so that a failure on the way is still a proper error. A larger one
/// (bulk embeddings) is passed on as it comes, and its connection is cut if it fails.
const COLLECT_BYTES: usize = 4 * 1024 * 1024;

/// What is known of a request beside its body.
pub(super) struct Asked<'a> {
    pub(super) endpoint: Endpoint,
    pub(super) headers: &'a HeaderMap,
    /// Whose key opened the door.
    pub(super) key: Option<&'a Holder>,
    /// The id that the caller is told.
    pub(super) id: &'a str,
}

/// What to do with a request that was understood.
enum Plan {
    Forward(Box<Order>, Option<Running>, Told),
    Replay(Stored),
}

/// An answer that is not a stream: here, or too large to be waited for.
enum Collected {
    Whole(Bytes, Hold),
    Begun(Bytes),
}

/// Serves the request to its answer, or to the beginning of one that is streamed.
pub(super) async fn serve(gateway: &Gateway, asked: Asked<'_>, unread: Unread, scope: Scope) -> Response {
    let bounds = Bounds {
        bytes: gateway.limits.max_body_bytes,
        time: gateway.limits.body_deadline,
        budget: &gateway.budget,
    };
    let taken = match unread.take(bounds).await {
        Ok(taken) => taken,
        Err((refusal, rest)) => return rest.refuse(scope, &refusal, asked.id).await,
    };
    gateway.metrics.request_bytes.inc_by(taken.bytes.len() as u64);
    let (order, running, told) = match plan(gateway, &asked, &taken).await {
        Ok(Plan::Forward(order, running, told)) => (order, running, told),
        Ok(Plan::Replay(stored)) => {
            gateway.metrics.replays.inc();
            scope.sent(stored.body.expose().len());
            return scope.finish(replay(stored));
        }
        Err(refusal) => return scope.refuse(&refusal, asked.id),
    };
    let answer = match forward(&gateway.links, &order, &gateway.metrics).await {
        Ok(answer) => answer,
        Err(refusal) => return scope.refuse(&refusal, asked.id),
    };
    scope.first_byte();
    // From here on nothing is tried again, and the body is not needed any more.
    drop((order, taken));
    respond(gateway, asked.id, answer, running, told, scope).await
}

async fn plan(gateway: &Gateway, asked: &Asked<'_>, taken: &Taken) -> Result<Plan, Refusal> {
    if let Some(fault) = gateway.trust.clock_fault() {
        // Dates decide what evidence holds, so that nothing is known of anybody while the clock is wrong.
        return Err(Refusal::new(
            Fault::Draining,
            format!("the gateway takes nothing new: {fault}"),
        ));
    }
    let started = Instant::now();
    let mut body = RequestBody::parse(asked.endpoint, &taken.bytes)?;
    let own = {
        let min_tier = asked.key.and_then(|holder| holder.limits.min_tier);
        Own::new(asked.headers, &body.take_cocoon()?, min_tier, &gateway.limits)?
    };
    let model = ModelName::new(body.model())
        .map_err(|error| Refusal::new(Fault::UnknownModel, error.to_string()).about("model"))?;
    let order = Order {
        endpoint: asked.endpoint,
        model,
        max_tokens: body.worst_case_tokens()?,
        tier: own.tier,
        max_coefficient: own.max_coefficient,
        max_price: own.max_price,
        allowance: asked
            .key
            .and_then(|holder| Some(gateway.allowances.as_ref()?.of(holder))),
        deadline: started + own.timeout,
        body: body.to_bytes(),
        seal: SealOptions {
            candidates: own.candidates,
            ..gateway.limits.seal
        },
        holder: asked.key.map(|holder| holder.id.clone()),
    };
    let running = match idempotency_key(asked.headers)? {
        None => None,
        Some(key) => {
            let scope = asked.key.map_or(&b""[..], |key| key.id.as_str().as_bytes());
            let [tier, timeout, coefficient, price, candidates] = Own::raw(asked.headers);
            let path = asked.endpoint.path().as_bytes();
            let request = [path, &taken.bytes, tier, timeout, coefficient, price, candidates];
            match gateway.answers.begin(scope, key, &request).await? {
                Begin::Replay(done) => return Ok(Plan::Replay(done.answer.clone())),
                Begin::Serve(running) => Some(running),
            }
        }
    };
    let told = Told { balance: own.balance };
    Ok(Plan::Forward(Box::new(order), running, told))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<&[u8]>, Refusal> {
    let mut keys = headers.get_all("idempotency-key").iter();
    match (keys.next(), keys.next()) {
        (key, None) => Ok(key.map(HeaderValue::as_bytes)),
        _ => Err(Refusal::new(
            Fault::InvalidRequest,
            "Idempotency-Key stands twice",
        )),
    }
}

fn replay(stored: Stored) -> Response {
    let head = Head {
        status: stored.status,
        content_type: stored.content_type,
        tier: stored.tier,
        receipt: stored.receipt,
    };
    let mut answer = reply::answer(&head, Body::from(stored.body.into_exposed()));
    answer
        .headers_mut()
        .insert("idempotent-replayed", HeaderValue::from_static("true"));
    answer
}

async fn respond(
    gateway: &Gateway,
    id: &str,
    mut answer: Answer,
    running: Option<Running>,
    told: Told,
    scope: Scope,
) -> Response {
    let bill = Bill::of(&answer, told);
    let head = Head {
        status: answer.status,
        content_type: std::mem::take(&mut answer.content_type),
        tier: answer.tier,
        receipt: answer.sealed().map(|(receipt, _)| receipt),
    };
    let record = |running: Option<Running>| Some(Record::new(running?, head.clone(), gateway.budget.hold()));
    if reply::is_event_stream(&head.content_type) {
        let record = record(running);
        let form = Form::Events { id: id.to_owned() };
        let flow = Flow {
            answer,
            scope,
            receipts: Arc::clone(&gateway.receipts),
        };
        return stream::respond(&head, form, Bytes::new(), flow, record, Some(bill));
    }
    match collect(gateway, &mut answer).await {
        Ok(Collected::Whole(body, hold)) => {
            let completion = usage_in(&body).map(|usage| usage.completion());
            let concluded = answer.conclude(&gateway.receipts, completion);
            let body = noted(&body, |usage| bill.note(usage, concluded.as_ref())).unwrap_or(body);
            if let Some(running) = running.filter(|_| head.may_be_kept()) {
                running.keep(head.clone().with(body.clone())).await;
            }
            scope.sent(body.len());
            scope.finish(reply::answer(&head, Body::new(Held::new(body, hold))))
        }
        Ok(Collected::Begun(begun)) => {
            let record = record(running);
            // Too large to be held, so that there is no place for a bill in it.
            let flow = Flow {
                answer,
                scope,
                receipts: Arc::clone(&gateway.receipts),
            };
            stream::respond(&head, Form::Whole, begun, flow, record, None)
        }
        Err(refusal) => scope.refuse(&refusal, id),
    }
}

/// Waits for the whole answer, as far as limit and budget allow.
async fn collect(gateway: &Gateway, answer: &mut Answer) -> Result<Collected, Refusal> {
    let mut hold = gateway.budget.hold();
    let mut body = BytesMut::new();
    loop {
        match answer.next().await? {
            AnswerEvent::Part(part) => {
                let fits = body.len() + part.len() <= COLLECT_BYTES && hold.cover(body.len() + part.len());
                body.extend_from_slice(&part);
                if !fits {
                    return Ok(Collected::Begun(body.freeze()));
                }
            }
            AnswerEvent::End(end) => {
                gateway.metrics.used(&end.usage);
                return Ok(Collected::Whole(body.freeze(), hold));
            }
        }
    }
}

// === impl Head ===

impl Head {
    /// Complete answers, and an engine's errors about the request; what may go well another time is not kept.
    pub(super) fn may_be_kept(&self) -> bool {
        matches!(self.status, 200..=299 | 400..=499) && !matches!(self.status, 408 | 409 | 429)
    }

    /// With its body.
    pub(super) fn with(self, body: Bytes) -> Stored {
        Stored {
            status: self.status,
            content_type: self.content_type,
            tier: self.tier,
            receipt: self.receipt,
            body: Private::new(body),
        }
    }
}
