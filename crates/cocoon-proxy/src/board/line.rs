use std::collections::{HashMap, VecDeque};

use cocoon_matching::{NoMatch, WorkerId};
use tokio::sync::oneshot;

use super::{Ask, Slot};

/// The waiting lines, one per model, first come first served.
#[derive(Debug)]
pub(super) struct Lines<P: Clone> {
    lines: HashMap<String, VecDeque<Waiter<P>>>,
    last_ticket: u64,
}

/// Names one waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// Somebody who waits.
#[derive(Debug)]
pub(super) struct Waiter<P: Clone> {
    ticket: Ticket,
    pub(super) ask: Ask,
    pub(super) excluded: Vec<WorkerId>,
    pub(super) reply: oneshot::Sender<Result<Slot<P>, NoMatch>>,
}

// === impl Lines ===

impl<P: Clone> Default for Lines<P> {
    fn default() -> Self {
        Self {
            lines: HashMap::new(),
            last_ticket: 0,
        }
    }
}

impl<P: Clone> Lines<P> {
    /// Joins the end of the line.
    pub(super) fn join(
        &mut self,
        ask: Ask,
        excluded: Vec<WorkerId>,
        reply: oneshot::Sender<Result<Slot<P>, NoMatch>>,
    ) -> Ticket {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        let line = self.lines.entry(ask.model.as_str().to_owned()).or_default();
        line.push_back(Waiter {
            ticket,
            ask,
            excluded,
            reply,
        });
        ticket
    }

    /// Leaves the line; nothing happens to who is out of it already.
    pub(super) fn leave(&mut self, model: &str, ticket: Ticket) {
        if let Some(line) = self.lines.get_mut(model) {
            line.retain(|waiter| waiter.ticket != ticket);
        }
        self.tidy(model);
    }

    /// Takes the first who suits and still waits.
    pub(super) fn take_first(
        &mut self,
        model: &str,
        suits: impl Fn(&Waiter<P>) -> bool,
    ) -> Option<Waiter<P>> {
        let line = self.lines.get_mut(model)?;
        let at = line
            .iter()
            .position(|waiter| !waiter.reply.is_closed() && suits(waiter))?;
        let waiter = line.remove(at);
        self.tidy(model);
        waiter
    }

    /// Takes the whole line, in order.
    pub(super) fn take_all(&mut self, model: &str) -> VecDeque<Waiter<P>> {
        self.lines.remove(model).unwrap_or_default()
    }

    /// Puts somebody back behind those who were put back before.
    pub(super) fn put_back(&mut self, model: &str, waiter: Waiter<P>) {
        self.lines.entry(model.to_owned()).or_default().push_back(waiter);
    }

    pub(super) fn waiting(&self, model: &str) -> usize {
        self.lines.get(model).map_or(0, VecDeque::len)
    }

    pub(super) fn total(&self) -> usize {
        self.lines.values().map(VecDeque::len).sum()
    }

    fn tidy(&mut self, model: &str) {
        if self.lines.get(model).is_some_and(VecDeque::is_empty) {
            self.lines.remove(model);
        }
    }
}
