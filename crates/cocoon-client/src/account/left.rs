//! Requests whose callers leave before the end of the answer. The proxy may have settled one all the same: then only its
//! message, which may come before or after, says what it cost, and an API key's limit must feel it.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use cocoon_types::RequestId;
use tokio::time::Instant;

use super::Feared;

/// How long a proxy's word is waited for. It comes with the settlement; nothing comes for a request that was released.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most of them at one proxy. Past that the oldest is forgotten: the account itself pays what the proxy signs all the same.
const MOST: usize = 1024;

/// Requests at one proxy, until it is known what they cost.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// Adjusted tokens that the proxy told of those that are open.
    open: HashMap<RequestId, Option<u64>>,
    /// In the order in which they were left.
    left: VecDeque<(Instant, Feared)>,
}

// === impl Requests ===

impl Requests {
    pub(super) fn opened(&mut self, request: RequestId) {
        self.open.insert(request, None);
    }

    /// Its answer has come to an end.
    pub(super) fn ended(&mut self, request: RequestId) {
        self.open.remove(&request);
    }

    /// Its caller has left. What it cost, if that was told already.
    pub(super) fn left(&mut self, feared: Feared) -> Option<(Feared, u64)> {
        self.forget_old();
        if let Some(Some(tokens)) = self.open.remove(&feared.request) {
            return Some((feared, tokens));
        }
        if self.left.len() >= MOST {
            self.left.pop_front();
        }
        self.left.push_back((Instant::now(), feared));
        None
    }

    /// The proxy told what a request cost. What was feared of it, if its caller has left.
    pub(super) fn told(&mut self, request: RequestId, tokens: u64) -> Option<Feared> {
        if let Some(told) = self.open.get_mut(&request) {
            *told = Some(tokens);
            return None;
        }
        let at = self.left.iter().position(|(_, left)| left.request == request)?;
        self.left.remove(at).map(|(_, feared)| feared)
    }

    /// Frees what API keys have set aside for those that nothing was heard of.
    pub(super) fn forget_old(&mut self) {
        while self
            .left
            .front()
            .is_some_and(|(since, _)| since.elapsed() >= PATIENCE)
        {
            self.left.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
