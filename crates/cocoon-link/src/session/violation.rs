use cocoon_seal::Malformed;
use cocoon_tl::TlError;
use cocoon_tl::v3::MAX_PIECE;

/// How a peer broke protocol 3. Each ends the link; the texts hold no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("a message does not parse: {0}")]
    Unparsable(TlError),
    #[error("the first message is not cocoon.hello")]
    HelloMissing,
    #[error("a second cocoon.hello")]
    SecondHello,
    #[error("both sides ask on one link")]
    BothAsk,
    #[error("{0} from the wrong side")]
    WrongSide(&'static str),
    #[error("stream numbers do not count up")]
    StreamOrder,
    #[error("{0} for a stream that was never opened")]
    NeverOpened(&'static str),
    #[error("unknown endpoint")]
    UnknownEndpoint,
    #[error("unknown tier")]
    UnknownTier,
    #[error("bad model name")]
    BadModel,
    #[error("{0} out of range")]
    OutOfRange(&'static str),
    #[error("a piece of {0} bytes, {MAX_PIECE} are the most")]
    PieceTooLong(usize),
    #[error("a piece of {piece} bytes overruns the window, {window} were left")]
    WindowOverrun { piece: usize, window: usize },
    #[error("more credit than a sender can hold")]
    CreditOverrun,
    #[error("{0} before cocoon.answer")]
    BeforeAnswer(&'static str),
    #[error("a second cocoon.answer")]
    SecondAnswer,
    #[error("a body longer than announced")]
    BodyTooLong,
    #[error("a body shorter than announced")]
    BodyTooShort,
    #[error("a piece after the last one of the body")]
    AfterLast,
    #[error("{0} on a stream of the other kind, sealed or not")]
    OtherKind(&'static str),
    #[error("sealed: {0}")]
    Sealed(#[from] Malformed),
    #[error("sealed: {0} wraps from candidate {1} on, of {2}")]
    Wraps(usize, i32, usize),
    #[error("a wrap of {0} bytes")]
    WrapTooLong(usize),
    #[error("a sealed piece of {0} bytes")]
    SealedTooShort(usize),
    #[error("reasons for skipped candidates that cannot be")]
    BadSkipped,
    #[error("a second cocoon.receipt")]
    SecondReceipt,
    #[error("bad content type")]
    BadContentType,
    #[error("usage that cannot be true")]
    BadUsage,
}
