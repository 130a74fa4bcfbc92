use std::collections::{HashMap, VecDeque};

use cocoon_matching::{NoMatch, WorkerId};
use tokio::sync::oneshot;

use super::{Ask, Asker, Slot};

/// The waiting lines, one per model, first come first served.
#[derive(Debug)]
pub(super) struct Lines<P: Clone> {
    lines: HashMap<String, Line<P>>,
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

/// One line, and how many of each client stand in it.
#[derive(Debug)]
struct Line<P: Clone> {
    waiters: VecDeque<Waiter<P>>,
    of: HashMap<Asker, usize>,
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
        line.push(Waiter {
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
            line.take(|waiter| waiter.ticket == ticket);
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
        let waiter = line.take(|waiter| !waiter.reply.is_closed() && suits(waiter));
        self.tidy(model);
        waiter
    }

    /// Takes the whole line, in order.
    pub(super) fn take_all(&mut self, model: &str) -> VecDeque<Waiter<P>> {
        self.lines
            .remove(model)
            .map(|line| line.waiters)
            .unwrap_or_default()
    }

    /// Puts somebody back behind those who were put back before.
    pub(super) fn put_back(&mut self, model: &str, waiter: Waiter<P>) {
        self.lines.entry(model.to_owned()).or_default().push(waiter);
    }

    pub(super) fn waiting(&self, model: &str) -> usize {
        self.lines.get(model).map_or(0, |line| line.waiters.len())
    }

    /// How many of one client wait.
    pub(super) fn waiting_of(&self, model: &str, asker: Asker) -> usize {
        let line = self.lines.get(model);
        line.and_then(|line| line.of.get(&asker)).copied().unwrap_or(0)
    }

    pub(super) fn total(&self) -> usize {
        self.lines.values().map(|line| line.waiters.len()).sum()
    }

    fn tidy(&mut self, model: &str) {
        if self.lines.get(model).is_some_and(|line| line.waiters.is_empty()) {
            self.lines.remove(model);
        }
    }
}

// === impl Line ===

impl<P: Clone> Default for Line<P> {
    fn default() -> Self {
        Self {
            waiters: VecDeque::new(),
            of: HashMap::new(),
        }
    }
}

impl<P: Clone> Line<P> {
    fn push(&mut self, waiter: Waiter<P>) {
        *self.of.entry(waiter.ask.asker).or_default() += 1;
        self.waiters.push_back(waiter);
    }

    /// Takes the first who suits.
    fn take(&mut self, suits: impl Fn(&Waiter<P>) -> bool) -> Option<Waiter<P>> {
        let at = self.waiters.iter().position(suits)?;
        let waiter = self.waiters.remove(at)?;
        if let Some(count) = self.of.get_mut(&waiter.ask.asker) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.of.remove(&waiter.ask.asker);
            }
        }
        Some(waiter)
    }
}
