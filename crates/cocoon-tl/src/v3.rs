//! Protocol 3, ours: streams of pieces over a link on which both sides agreed on version 3 or above.
//!
//! [`Hello`] is the first one-way message of both sides. Then the asker (client, proxy) opens streams with
//! [`Request`], and both directions carry pieces under credit. `stream` numbers are chosen by the asker, counting up
//! from 1 per link. All travel as `tcp.packet`. Order and meaning are judged by the session in `cocoon-link`.
//! Sealed streams begin with [`SealedRequest`] instead.

use bytes::Bytes;

use crate::{
    TlString,
    scheme::{boxed, scheme},
};

mod sealed;

pub use sealed::{
    Charged, Countersign, Countersigns, Dispute, Evidence, GetEvidence, GetOffers, Offers, Receipt,
    SealedAnswer, SealedRefuse, SealedRequest, Settled,
};

pub(crate) use sealed::CONSTRUCTORS as SEALED_CONSTRUCTORS;

/// The version number that both sides must reach for these messages.
pub const VERSION: i32 = 3;

/// Bytes that each side may send on a stream, in each direction, before the first [`Credit`]: 256 KiB, four pieces,
/// enough for a whole prompt of some 50 000 words, or a second of any engine's output, in flight.
pub const INITIAL_WINDOW: u32 = 256 * 1024;

/// Most bytes of `data` in one [`Body`] or [`Part`]: 64 KiB, so that the pieces of many streams take turns on a link.
pub const MAX_PIECE: usize = 64 * 1024;

scheme! {
    /// `cocoon.hello flags:# capabilities:(vector string) software:string endpoints:(vector string) context_length:int
    /// engine:int = cocoon.Hello;`
    ///
    /// The first message of both sides. Clients and proxies send no endpoints, and 0 and 0. `context_length` is in model
    /// tokens. `engine`: see [`Hello::ENGINE_NONE`] and the constants beside it. No bit of `flags` is defined yet.
    Hello = 0x81c0_de29 {
        flags: u32,
        capabilities: Vec<TlString>,
        software: TlString,
        endpoints: Vec<TlString>,
        context_length: i32,
        engine: i32,
    }

    /// `cocoon.request stream:long request_id:int256 endpoint:string model:string max_tokens:int floor:int flags:#
    /// max_coefficient:int timeout_ms:int body_bytes:long = cocoon.Message;`
    ///
    /// Asker: opens a stream. `endpoint` is the path; `floor` the lowest tier, as `Tier::wire_code`; `flags`: see
    /// [`Request::SIMULATED_ACCEPTED`]; `max_coefficient` in per mille; `body_bytes` is how many bytes of body follow.
    Request = 0x0cea_5276 {
        stream: i64,
        request_id: [u8; 32],
        endpoint: TlString,
        model: TlString,
        max_tokens: i32,
        floor: i32,
        flags: u32,
        max_coefficient: i32,
        timeout_ms: i32,
        body_bytes: i64,
    }

    /// `cocoon.body stream:long flags:# data:bytes = cocoon.Message;`
    ///
    /// Asker: a piece of the request body, at most [`MAX_PIECE`]. `flags`: see [`Body::LAST`].
    Body = 0x2058_e136 {
        stream: i64,
        flags: u32,
        data: Bytes,
    }

    /// `cocoon.credit stream:long bytes:int = cocoon.Message;`
    ///
    /// Receiver of pieces: as many more bytes may be sent as `bytes` says.
    Credit = 0x03e1_52c9 {
        stream: i64,
        bytes: i32,
    }

    /// `cocoon.cancel stream:long = cocoon.Message;`
    ///
    /// Asker: the answer is no longer wanted; the stream is over.
    Cancel = 0xbeb6_1c56 {
        stream: i64,
    }

    /// `cocoon.answer stream:long status:int content_type:string tier:int coefficient:int = cocoon.Message;`
    ///
    /// Answerer: the answer begins. `status` is the HTTP status; `tier` the tier that answered, as `Tier::wire_code`;
    /// `coefficient` the price that will be charged, in per mille of the base price.
    Answer = 0xac42_707d {
        stream: i64,
        status: i32,
        content_type: TlString,
        tier: i32,
        coefficient: i32,
    }

    /// `cocoon.part stream:long data:bytes = cocoon.Message;`
    ///
    /// Answerer: a piece of the answer, at most [`MAX_PIECE`].
    Part = 0x1111_ba04 {
        stream: i64,
        data: Bytes,
    }

    /// `cocoon.end stream:long prompt_tokens:long cached_tokens:long completion_tokens:long reasoning_tokens:long
    /// engine_ms:int = cocoon.Message;`
    ///
    /// Answerer: the answer is whole; the stream is over. Tokens as the engine counted them, time in milliseconds.
    End = 0x4695_37ad {
        stream: i64,
        prompt_tokens: i64,
        cached_tokens: i64,
        completion_tokens: i64,
        reasoning_tokens: i64,
        engine_ms: i32,
    }

    /// `cocoon.refuse stream:long code:int message:string = cocoon.Message;`
    ///
    /// Answerer: there is no answer, or no more of it; the stream is over, at whatever point it was. `code` is
    /// `Fault::wire_code`; `message` one sentence for a person, without content.
    Refuse = 0x3fa6_ec8e {
        stream: i64,
        code: i32,
        message: TlString,
    }

    /// `cocoon.statement statement:bytes quote:bytes endorsements:bytes gpu_evidence:bytes = cocoon.Statement;`
    ///
    /// Worker to proxy, after the hellos and whenever it changes: what stands behind the link, with a quote of its own
    /// (docs/attestation.md, section 10). `endorsements` is what the quote's maker vouches for, in compact form.
    Statement = 0x0d2f_9ece {
        statement: Bytes,
        quote: Bytes,
        endorsements: Bytes,
        gpu_evidence: Bytes,
    }

    /// `cocoon.statementJudged statement:int256 tier:int until:long refusal:string = cocoon.StatementJudged;`
    ///
    /// Proxy to worker, once for each [`Statement`] that was judged and again when the verdict changes. `statement` is its
    /// digest; `tier` the one that it earns the worker here, as `Tier::wire_code`, until the Unix second `until`. With a
    /// `refusal`, one sentence for a person, it counts for nothing.
    StatementJudged = 0x5ec0_a3cc {
        statement: [u8; 32],
        tier: i32,
        until: i64,
        refusal: TlString,
    }
}

boxed! {
    /// `cocoon.Message`: all that belongs to a stream.
    Message {
        Request(Request),
        Body(Body),
        Credit(Credit),
        Cancel(Cancel),
        Answer(Answer),
        Part(Part),
        End(End),
        Refuse(Refuse),
        SealedRequest(SealedRequest),
        SealedAnswer(SealedAnswer),
        Receipt(Receipt),
        SealedRefuse(SealedRefuse),
    }
}

impl Hello {
    /// `engine`: this side has no engine.
    pub const ENGINE_NONE: i32 = 0;
    /// `engine`: started by the worker itself, inside what is measured.
    pub const ENGINE_STARTED_BY_WORKER: i32 = 1;
    /// `engine`: somewhere else.
    pub const ENGINE_OUTSIDE: i32 = 2;
}

impl Request {
    /// Bit of `flags`: an answer of tier `simulated` is accepted.
    pub const SIMULATED_ACCEPTED: u32 = 1;
}

impl Body {
    /// Bit of `flags`: this is the last piece.
    pub const LAST: u32 = 1;
}

impl Message {
    /// The stream that the message belongs to.
    pub const fn stream(&self) -> i64 {
        match self {
            Self::Request(Request { stream, .. })
            | Self::Body(Body { stream, .. })
            | Self::Credit(Credit { stream, .. })
            | Self::Cancel(Cancel { stream })
            | Self::Answer(Answer { stream, .. })
            | Self::Part(Part { stream, .. })
            | Self::End(End { stream, .. })
            | Self::Refuse(Refuse { stream, .. })
            | Self::SealedRequest(SealedRequest { stream, .. })
            | Self::SealedAnswer(SealedAnswer { stream, .. })
            | Self::Receipt(Receipt { stream, .. })
            | Self::SealedRefuse(SealedRefuse { stream, .. }) => *stream,
        }
    }
}
