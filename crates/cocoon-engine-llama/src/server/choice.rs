use crate::{
    api::{
        Problem,
        tools::{ToolCall, ToolScanner},
    },
    engine::{End, Event, FinishReason, TokenLogprob},
};

/// One answer as it grows: finds calls of tools in the text.
pub(super) struct Choice {
    mode: Mode,
    calls: usize,
}

enum Mode {
    Text,
    /// Calls may stand in the text.
    Scan(ToolScanner),
    /// The whole text is one call.
    Call(String),
}

/// What an event adds to an answer.
#[derive(Default)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) calls: Vec<(String, ToolCall)>,
    pub(super) logprobs: Vec<TokenLogprob>,
    pub(super) end: Option<(FinishReason, End)>,
}

// === impl Choice ===

impl Choice {
    pub(super) fn text() -> Self {
        Self::new(Mode::Text)
    }

    pub(super) fn scanning() -> Self {
        Self::new(Mode::Scan(ToolScanner::default()))
    }

    pub(super) fn forced_call() -> Self {
        Self::new(Mode::Call(String::new()))
    }

    fn new(mode: Mode) -> Self {
        Self { mode, calls: 0 }
    }

    /// Whether the answer begins with `"content": null`.
    pub(super) fn is_call(&self) -> bool {
        matches!(self.mode, Mode::Call(_))
    }

    pub(super) fn take(&mut self, event: Event) -> Result<Piece, Problem> {
        let (text, logprobs, end) = match event {
            Event::Text { text, logprobs } => (text, logprobs, None),
            Event::End(end) => (String::new(), Vec::new(), Some(end)),
            Event::Failed(problem) => return Err(problem),
        };
        let (text, calls) = self.sort(text, end.is_some());
        self.calls += calls.len();
        let end = end.map(|end| match end.reason {
            FinishReason::Stop if self.calls > 0 => (FinishReason::ToolCalls, end),
            reason => (reason, end),
        });
        let name = |call| (format!("call_{:024x}", fastrand::u128(..) >> 32), call);
        Ok(Piece {
            text,
            calls: calls.into_iter().map(name).collect(),
            logprobs,
            end,
        })
    }

    fn sort(&mut self, text: String, last: bool) -> (String, Vec<ToolCall>) {
        match &mut self.mode {
            Mode::Text => (text, Vec::new()),
            Mode::Scan(scanner) => {
                let scanned = scanner.push(&text, last);
                (scanned.text, scanned.calls)
            }
            Mode::Call(whole) => {
                whole.push_str(&text);
                if !last {
                    return (String::new(), Vec::new());
                }
                match ToolCall::parse(whole) {
                    Some(call) => (String::new(), vec![call]),
                    // Cut off by the token limit.
                    None => (std::mem::take(whole), Vec::new()),
                }
            }
        }
    }
}
