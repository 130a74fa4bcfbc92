//! Between the words of a session and the messages of protocol 3. Everything from a peer is checked here.

use std::time::Duration;

use bytes::Bytes;
use cocoon_seal::{EncodedHead, MAX_CANDIDATES, MAX_WRAP, Receipt, SignedRefusal};
use cocoon_tl::{TlObject, TlString, v3};
use cocoon_types::{Coefficient, Endpoint, Fault, ModelName, Refusal, RequestId, Tier, TierPolicy, Usage};

use super::{AnswerEnd, AnswerHead, EnginePlace, Hello, RequestHead, SealedAnswer, SealedHead, Violation};
use crate::link::Outgoing;

/// Bytes of a refusal's sentence that are kept, and sent.
const MAX_SENTENCE: usize = 512;
/// Capabilities that are looked at, and bytes of each.
const MAX_CAPABILITIES: usize = 64;
const MAX_CAPABILITY: usize = 64;
/// Bytes of a peer's software name that are kept.
const MAX_SOFTWARE: usize = 128;
/// Bytes of a media type; RFC 6838 allows 127 for each half, nothing in use is near.
const MAX_CONTENT_TYPE: usize = 128;

pub(super) fn hello(hello: Hello) -> Outgoing {
    let strings = |list: Vec<String>| list.into_iter().map(TlString::from).collect();
    let endpoints = hello.endpoints.iter();
    packet(&v3::Hello {
        flags: 0,
        capabilities: strings(hello.capabilities),
        software: TlString::from(hello.software),
        endpoints: endpoints
            .map(|endpoint| TlString::from_static(endpoint.path()))
            .collect(),
        context_length: clamp_i32(hello.context_length),
        engine: match hello.engine {
            EnginePlace::None => v3::Hello::ENGINE_NONE,
            EnginePlace::StartedByWorker => v3::Hello::ENGINE_STARTED_BY_WORKER,
            EnginePlace::Outside => v3::Hello::ENGINE_OUTSIDE,
        },
    })
}

pub(super) fn read_hello(data: Bytes) -> Result<Hello, Violation> {
    let hello = v3::Hello::from_boxed(data).map_err(Violation::Unparsable)?;
    let capabilities = hello.capabilities.iter().take(MAX_CAPABILITIES);
    let endpoints = hello.endpoints.iter().take(MAX_CAPABILITIES);
    Ok(Hello {
        software: hello.software.lossy(MAX_SOFTWARE),
        capabilities: capabilities.map(|text| text.lossy(MAX_CAPABILITY)).collect(),
        endpoints: endpoints
            .filter_map(|path| Endpoint::from_path(path.as_str()?))
            .collect(),
        context_length: number(hello.context_length, "context_length")?,
        engine: match hello.engine {
            v3::Hello::ENGINE_NONE => EnginePlace::None,
            v3::Hello::ENGINE_STARTED_BY_WORKER => EnginePlace::StartedByWorker,
            // A place that we do not know is no reason for trust.
            _ => EnginePlace::Outside,
        },
    })
}

pub(super) fn request(stream: i64, head: &RequestHead) -> Outgoing {
    let timeout_ms = i32::try_from(head.timeout.as_millis()).unwrap_or(i32::MAX);
    if let Some(sealed) = &head.sealed {
        return packet(&v3::SealedRequest {
            stream,
            head: sealed.head.bytes().clone(),
            candidate: i32::from(sealed.candidate),
            wraps: sealed.wraps.clone(),
            timeout_ms,
        });
    }
    packet(&v3::Request {
        stream,
        request_id: head.request_id.0,
        endpoint: TlString::from_static(head.endpoint.path()),
        model: TlString::from(head.model.to_string()),
        max_tokens: clamp_i32(head.max_tokens),
        floor: head.tier.floor().wire_code(),
        flags: if head.tier.accepts_simulated() {
            v3::Request::SIMULATED_ACCEPTED
        } else {
            0
        },
        max_coefficient: clamp_i32(head.max_coefficient.per_mille()),
        timeout_ms,
        body_bytes: i64::try_from(head.body_bytes).unwrap_or(i64::MAX),
    })
}

pub(super) fn read_request(request: &v3::Request) -> Result<RequestHead, Violation> {
    let endpoint = request.endpoint.as_str().and_then(Endpoint::from_path);
    let model = request.model.as_str().map(ModelName::new);
    let tier = match Tier::from_wire_code(request.floor) {
        Some(floor) if floor != Tier::Simulated => TierPolicy::at_least(floor),
        _ => return Err(Violation::UnknownTier),
    };
    Ok(RequestHead {
        request_id: RequestId(request.request_id),
        endpoint: endpoint.ok_or(Violation::UnknownEndpoint)?,
        model: model.and_then(Result::ok).ok_or(Violation::BadModel)?,
        max_tokens: number(request.max_tokens, "max_tokens")?,
        tier: if request.flags & v3::Request::SIMULATED_ACCEPTED == 0 {
            tier
        } else {
            tier.and_simulated()
        },
        max_coefficient: Coefficient::new(number(request.max_coefficient, "max_coefficient")?)
            .ok_or(Violation::OutOfRange("max_coefficient"))?,
        timeout: Duration::from_millis(u64::from(number(request.timeout_ms, "timeout_ms")?)),
        body_bytes: count(request.body_bytes, "body_bytes")?,
        sealed: None,
    })
}

/// The clear fields are those of the head within, which is taken apart here and nowhere else on this side.
pub(super) fn read_sealed_request(request: &v3::SealedRequest) -> Result<RequestHead, Violation> {
    let timeout = u64::from(number(request.timeout_ms, "timeout_ms")?);
    let wraps = &request.wraps;
    if let Some(wrap) = wraps.iter().find(|wrap| wrap.len() > MAX_WRAP) {
        return Err(Violation::WrapTooLong(wrap.len()));
    }
    let head = EncodedHead::decode(own(&request.head))?;
    let candidates = head.head().candidates.len();
    let candidate = u8::try_from(request.candidate).ok();
    let fits = |first: &u8| !wraps.is_empty() && usize::from(*first) + wraps.len() <= candidates;
    let candidate = candidate.filter(fits);
    let candidate = candidate.ok_or(Violation::Wraps(wraps.len(), request.candidate, candidates))?;
    let sealed = SealedHead {
        head,
        candidate,
        wraps: wraps.iter().map(own).collect(),
    };
    Ok(RequestHead::of_sealed(sealed, Duration::from_millis(timeout)))
}

/// Head and media type come from an engine, so what the peer would not accept is replaced here.
pub(super) fn answer(stream: i64, head: &AnswerHead) -> Outgoing {
    if let Some(sealed) = &head.sealed {
        return packet(&v3::SealedAnswer {
            stream,
            head: sealed.head.clone(),
            skipped: sealed.skipped.clone(),
        });
    }
    let content_type = if is_content_type(head.content_type.as_bytes()) {
        head.content_type.as_str()
    } else {
        "application/octet-stream"
    };
    packet(&v3::Answer {
        stream,
        status: match head.status {
            status @ 100..=599 => i32::from(status),
            _ => 502,
        },
        content_type: TlString::from(content_type.to_owned()),
        tier: head.tier.wire_code(),
        // Below 10^9, so that it fits.
        coefficient: i32::try_from(head.coefficient.per_mille()).unwrap_or(i32::MAX),
    })
}

pub(super) fn read_answer(answer: &v3::Answer) -> Result<AnswerHead, Violation> {
    let status = u16::try_from(answer.status)
        .ok()
        .filter(|status| (100..600).contains(status))
        .ok_or(Violation::OutOfRange("status"))?;
    let content_type = answer.content_type.as_str();
    Ok(AnswerHead {
        status,
        content_type: content_type
            .filter(|text| is_content_type(text.as_bytes()))
            .ok_or(Violation::BadContentType)?
            .to_owned(),
        tier: Tier::from_wire_code(answer.tier).ok_or(Violation::UnknownTier)?,
        coefficient: u32::try_from(answer.coefficient)
            .ok()
            .and_then(Coefficient::new)
            .ok_or(Violation::OutOfRange("coefficient"))?,
        sealed: None,
    })
}

pub(super) fn read_sealed_answer(answer: &v3::SealedAnswer) -> Result<AnswerHead, Violation> {
    if answer.head.len() > cocoon_seal::AnswerHead::MAX_BYTES {
        return Err(Violation::OutOfRange("size of an answer's head"));
    }
    let head = cocoon_seal::AnswerHead::decode(&answer.head)?;
    if !(100..600).contains(&head.status) {
        return Err(Violation::OutOfRange("status"));
    }
    if !is_content_type(head.content_type.as_bytes()) {
        return Err(Violation::BadContentType);
    }
    Ok(AnswerHead {
        status: head.status,
        content_type: head.content_type,
        tier: head.tier,
        coefficient: head.coefficient,
        sealed: Some(SealedAnswer {
            head: own(&answer.head),
            skipped: read_skipped(&answer.skipped)?,
        }),
    })
}

/// Reasons for which candidates were passed over: each a signed refusal, by its size, or nothing.
fn read_skipped(skipped: &[Bytes]) -> Result<Vec<Bytes>, Violation> {
    let possible = |reason: &Bytes| reason.is_empty() || reason.len() == SignedRefusal::BYTES;
    if skipped.len() > MAX_CANDIDATES || !skipped.iter().all(possible) {
        return Err(Violation::BadSkipped);
    }
    Ok(skipped.iter().map(own).collect())
}

pub(super) fn receipt(stream: i64, receipt: &Bytes) -> Outgoing {
    packet(&v3::Receipt {
        stream,
        receipt: receipt.clone(),
    })
}

pub(super) fn read_receipt(receipt: &v3::Receipt) -> Result<Bytes, Violation> {
    if receipt.receipt.len() != Receipt::BYTES {
        return Err(Violation::OutOfRange("size of a receipt"));
    }
    Ok(own(&receipt.receipt))
}

pub(super) fn end(stream: i64, end: &AnswerEnd) -> Outgoing {
    // Usage::MAX_COUNT is far below what a long holds.
    let long = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    packet(&v3::End {
        stream,
        prompt_tokens: long(end.usage.prompt()),
        cached_tokens: long(end.usage.cached()),
        completion_tokens: long(end.usage.completion()),
        reasoning_tokens: long(end.usage.reasoning()),
        engine_ms: i32::try_from(end.engine_time.as_millis()).unwrap_or(i32::MAX),
    })
}

pub(super) fn read_end(end: &v3::End) -> Result<AnswerEnd, Violation> {
    let usage = Usage::new(
        count(end.prompt_tokens, "prompt_tokens")?,
        count(end.cached_tokens, "cached_tokens")?,
        count(end.completion_tokens, "completion_tokens")?,
        count(end.reasoning_tokens, "reasoning_tokens")?,
    );
    Ok(AnswerEnd {
        usage: usage.map_err(|_| Violation::BadUsage)?,
        engine_time: Duration::from_millis(u64::from(number(end.engine_ms, "engine_ms")?)),
        receipt: None,
    })
}

pub(super) fn refuse(stream: i64, refusal: &Refusal) -> Outgoing {
    packet(&v3::Refuse {
        stream,
        code: refusal.fault.wire_code(),
        message: TlString::from(TlString::from(refusal.message.clone()).lossy(MAX_SENTENCE)),
    })
}

pub(super) fn read_refuse(refuse: &v3::Refuse) -> Refusal {
    Refusal::new(
        Fault::from_wire_code(refuse.code),
        refuse.message.lossy(MAX_SENTENCE),
    )
}

pub(super) fn sealed_refuse(stream: i64, refusal: &Refusal, skipped: Vec<Bytes>) -> Outgoing {
    packet(&v3::SealedRefuse {
        stream,
        code: refusal.fault.wire_code(),
        message: TlString::from(TlString::from(refusal.message.clone()).lossy(MAX_SENTENCE)),
        skipped,
    })
}

pub(super) fn read_sealed_refuse(refuse: &v3::SealedRefuse) -> Result<(Refusal, Vec<Bytes>), Violation> {
    let refusal = Refusal::new(
        Fault::from_wire_code(refuse.code),
        refuse.message.lossy(MAX_SENTENCE),
    );
    Ok((refusal, read_skipped(&refuse.skipped)?))
}

/// The bytes of a `cocoon.credit`: some, and no negative number of them.
pub(super) fn read_credit(credit: &v3::Credit) -> Result<usize, Violation> {
    match usize::try_from(credit.bytes) {
        Ok(bytes) if bytes > 0 => Ok(bytes),
        _ => Err(Violation::OutOfRange("credit")),
    }
}

/// Goes into an HTTP header as it is.
fn is_content_type(text: &[u8]) -> bool {
    !text.is_empty()
        && text.len() <= MAX_CONTENT_TYPE
        && text.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ')
}

/// The bytes alone, without the buffer that they were read into.
fn own(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn packet(message: &impl TlObject) -> Outgoing {
    Outgoing::Packet(message.to_boxed())
}

fn clamp_i32(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn number(wire: i32, name: &'static str) -> Result<u32, Violation> {
    u32::try_from(wire).map_err(|_| Violation::OutOfRange(name))
}

fn count(wire: i64, name: &'static str) -> Result<u64, Violation> {
    u64::try_from(wire).map_err(|_| Violation::OutOfRange(name))
}
