use std::time::Duration;

/// What a canned engine does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CannedFault {
    /// `slow` or `slow:MS`: a pause before each part (default 500 ms).
    Slow(Duration),
    /// `cut`: the connection breaks in the middle of the answer.
    Cut,
    /// `garbage`: bytes that are no answer, under a status that says they are.
    Garbage,
    /// `500`, `503` and so on: this status and an error body.
    Status(u16),
    /// `hang`: no answer at all.
    Hang,
    /// `hang-mid`: the answer stops in the middle and the connection stays open.
    HangMid,
    /// `wrong-usage`: numbers that cannot be true.
    WrongUsage,
    /// `no-usage`: none, whatever was asked.
    NoUsage,
    /// `huge-line`: an event that does not end.
    HugeLine,
    /// `error-event`: an error inside the stream, and `[DONE]` after it, as vLLM does.
    ErrorEvent,
    /// `no-done`: a stream that ends without `[DONE]`.
    NoDone,
}

impl std::str::FromStr for CannedFault {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "slow" => Self::Slow(Duration::from_millis(500)),
            "cut" => Self::Cut,
            "garbage" => Self::Garbage,
            "hang" => Self::Hang,
            "hang-mid" => Self::HangMid,
            "wrong-usage" => Self::WrongUsage,
            "no-usage" => Self::NoUsage,
            "huge-line" => Self::HugeLine,
            "error-event" => Self::ErrorEvent,
            "no-done" => Self::NoDone,
            _ => {
                if let Some(pause) = text.strip_prefix("slow:") {
                    return Ok(Self::Slow(Duration::from_millis(pause.parse()?)));
                }
                let status = text.parse().ok().filter(|status| (400..600).contains(status));
                Self::Status(status.ok_or_else(|| anyhow::anyhow!("not a fault: {text}"))?)
            }
        })
    }
}
