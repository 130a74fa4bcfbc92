use super::ToolCall;
use crate::engine::text::partial_suffix;

/// Finds `<tool_call>{…}</tool_call>` (Hermes, Qwen) in a model's text as it grows.
///
/// Text outside is passed on at once, except for a tail that may be the beginning of a call. A block that is not a
/// call is passed on as the text that it was.
#[derive(Default)]
pub(crate) struct ToolScanner {
    held: String,
    inside: bool,
    found: bool,
}

/// What a piece of text brought to light.
#[derive(Default)]
pub(crate) struct Scanned {
    pub(crate) text: String,
    pub(crate) calls: Vec<ToolCall>,
}

const OPEN: &str = "<tool_call>";
const CLOSE: &str = "</tool_call>";

// === impl ToolScanner ===

impl ToolScanner {
    /// Takes the next piece; `last` says that none follows.
    pub(crate) fn push(&mut self, piece: &str, last: bool) -> Scanned {
        self.held.push_str(piece);
        let mut scanned = Scanned::default();
        loop {
            let progressed = if self.inside {
                self.close(&mut scanned, last)
            } else {
                self.open(&mut scanned, last)
            };
            if !progressed {
                return scanned;
            }
        }
    }

    fn open(&mut self, scanned: &mut Scanned, last: bool) -> bool {
        if let Some(at) = self.held.find(OPEN) {
            self.emit(scanned, at);
            self.held.drain(..OPEN.len());
            self.inside = true;
            return true;
        }
        let keep = if last { 0 } else { partial_suffix(&self.held, OPEN) };
        self.emit(scanned, self.held.len() - keep);
        false
    }

    fn close(&mut self, scanned: &mut Scanned, last: bool) -> bool {
        let (body, next) = match self.held.find(CLOSE) {
            Some(at) => (at, at + CLOSE.len()),
            // Some models end the turn without the closing tag.
            None if last => (self.held.len(), self.held.len()),
            None => return false,
        };
        self.inside = false;
        match ToolCall::parse(&self.held[..body]) {
            Some(call) => {
                scanned.calls.push(call);
                self.found = true;
            }
            None => {
                scanned.text.push_str(OPEN);
                scanned.text.push_str(&self.held[..next]);
            }
        }
        self.held.drain(..next);
        true
    }

    fn emit(&mut self, scanned: &mut Scanned, end: usize) {
        let text = &self.held[..end];
        // The line breaks around calls are not content.
        if !(self.found && text.trim().is_empty()) {
            scanned.text.push_str(text);
        }
        self.held.drain(..end);
    }
}
