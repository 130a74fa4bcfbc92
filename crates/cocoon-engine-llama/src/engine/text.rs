//! From token bytes to text that may be sent: whole characters only, and nothing that may belong to a stop string.

use super::TokenLogprob;

/// Collects the bytes of a sequence's tokens.
pub(crate) struct TextOut {
    stops: Vec<String>,
    /// The beginning of a character whose end has not come: at most three bytes.
    partial: Vec<u8>,
    /// Text not yet released.
    held: String,
    /// Bytes of text released or dropped so far.
    released: usize,
    /// Log probabilities of tokens not yet released, each with where its text begins.
    logprobs: Vec<(usize, TokenLogprob)>,
}

/// Text that may be sent.
#[derive(Default)]
pub(crate) struct Released {
    pub(crate) text: String,
    pub(crate) logprobs: Vec<TokenLogprob>,
}

// === impl TextOut ===

impl TextOut {
    pub(crate) fn new(stops: Vec<String>) -> Self {
        Self {
            stops,
            partial: Vec::new(),
            held: String::new(),
            released: 0,
            logprobs: Vec::new(),
        }
    }

    /// Takes the next token's bytes. True when a stop string is complete: the text before it is all that is left.
    pub(crate) fn push(&mut self, bytes: &[u8], logprob: Option<TokenLogprob>) -> bool {
        if let Some(logprob) = logprob {
            self.logprobs.push((self.released + self.held.len(), logprob));
        }
        let searched = self.held.len();
        self.decode(bytes);
        let Some(at) = self.find_stop(searched) else {
            return false;
        };
        self.held.truncate(at);
        self.partial.clear();
        let end = self.released + at;
        self.logprobs.retain(|(start, _)| *start < end);
        true
    }

    /// What can be sent now; with `all` also what was held back, at the end of the sequence.
    pub(crate) fn release(&mut self, all: bool) -> Released {
        if all && !self.partial.is_empty() {
            self.partial.clear();
            self.held.push(char::REPLACEMENT_CHARACTER);
        }
        let keep = if all { 0 } else { self.may_begin_stop() };
        let end = self.held.len() - keep;
        let text: String = self.held.drain(..end).collect();
        self.released += end;
        let ready = if all {
            self.logprobs.len()
        } else {
            // A token belongs to the text that its first byte is in.
            self.logprobs.partition_point(|(start, _)| *start < self.released)
        };
        let logprobs = self.logprobs.drain(..ready).map(|(_, logprob)| logprob).collect();
        Released { text, logprobs }
    }

    fn decode(&mut self, bytes: &[u8]) {
        self.partial.extend_from_slice(bytes);
        let taken = std::mem::take(&mut self.partial);
        let mut rest = taken.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.held.push_str(text);
                    return;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    self.held.push_str(&String::from_utf8_lossy(valid));
                    match error.error_len() {
                        // Not yet complete.
                        None => {
                            self.partial.extend_from_slice(after);
                            return;
                        }
                        Some(bad) => {
                            self.held.push(char::REPLACEMENT_CHARACTER);
                            rest = &after[bad..];
                        }
                    }
                }
            }
        }
    }

    /// Where the first stop string begins, looking only where a new one can be.
    fn find_stop(&self, searched: usize) -> Option<usize> {
        self.stops
            .iter()
            .filter_map(|stop| {
                let mut from = searched.saturating_sub(stop.len());
                while !self.held.is_char_boundary(from) {
                    from -= 1;
                }
                self.held[from..].find(stop).map(|at| from + at)
            })
            .min()
    }

    fn may_begin_stop(&self) -> usize {
        let partial = |stop: &String| partial_suffix(&self.held, stop);
        self.stops.iter().map(partial).max().unwrap_or(0)
    }
}

/// Bytes at the end of `text` that are a beginning of `pattern`, but not all of it.
pub(crate) fn partial_suffix(text: &str, pattern: &str) -> usize {
    let most = text.len().min(pattern.len().saturating_sub(1));
    (1..=most)
        .rev()
        .find(|&n| text.as_bytes()[text.len() - n..] == pattern.as_bytes()[..n])
        .unwrap_or(0)
}

#[cfg(test)]
mod tests;
