//! What API keys may spend: a budget of each, for a day and in all.
//!
//! A request holds the most that it may cost, and spends what it did cost. What was spent is on disk a second later, so a
//! restart gives nobody a new budget; a crash may forget that second.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cocoon_types::{Fault, Nanoton, Refusal};
use cocoon_web::{
    clock::unix_now,
    keys::{Holder, Spending, SpendingError, SpendingFile},
};
use tokio::{sync::Notify, time::sleep};

/// The allowances of all keys.
#[derive(Debug)]
pub(crate) struct Allowances {
    file: SpendingFile,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    spending: Spending,
    /// What open requests may cost, by key id. A key without open requests has no entry.
    held: HashMap<String, Nanoton>,
    is_changed: bool,
}

/// What one key may spend.
#[derive(Clone, Debug)]
pub(crate) struct Allowance {
    all: Arc<Allowances>,
    holder: Holder,
}

/// The most that a request may cost, set aside until it is dropped or spent.
#[derive(Debug)]
pub(crate) struct Held {
    allowance: Allowance,
    amount: Nanoton,
}

/// Between two writes.
const WRITE_EVERY: Duration = Duration::from_secs(1);

// === impl Allowances ===

impl Allowances {
    /// Goes on with what is in the directory. Blocks on the disk; for start-up.
    ///
    /// # Errors
    /// [`SpendingError`]
    pub(crate) fn open(state_dir: &Path) -> Result<Arc<Self>, SpendingError> {
        let file = SpendingFile::in_dir(state_dir);
        let state = State {
            spending: file.read()?,
            ..State::default()
        };
        Ok(Arc::new(Self {
            file,
            state: Mutex::new(state),
            changed: Notify::new(),
        }))
    }

    /// That of one key.
    pub(crate) fn of(self: &Arc<Self>, holder: &Holder) -> Allowance {
        Allowance {
            all: Arc::clone(self),
            holder: holder.clone(),
        }
    }

    /// Writes what changed, for as long as it is wanted.
    pub(crate) async fn keep(self: Arc<Self>) {
        loop {
            self.changed.notified().await;
            sleep(WRITE_EVERY).await;
            self.write().await;
        }
    }

    /// Writes what changed.
    pub(crate) async fn write(&self) {
        let spending = {
            let mut state = self.lock();
            if !std::mem::take(&mut state.is_changed) {
                return;
            }
            state.spending.clone()
        };
        let file = self.file.clone();
        let written = tokio::task::spawn_blocking(move || file.write(&spending)).await;
        if let Ok(Err(error)) = written {
            tracing::error!(%error, "what API keys have spent is not on disk");
            self.lock().is_changed = true;
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change leaves the state whole before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Allowance ===

impl Allowance {
    /// What may still be spent; `None` where the key has no limit.
    pub(crate) fn left(&self) -> Option<Nanoton> {
        let state = self.all.lock();
        let held = state.held.get(self.holder.id.as_str()).copied();
        let spent = state.spending.of(&self.holder.id);
        spent.left(&self.holder.limits, held.unwrap_or_default(), unix_now())
    }

    /// Sets aside what a request may cost.
    ///
    /// # Errors
    /// [`Fault::PaymentRequired`] when the key's limits do not cover it.
    pub(crate) fn hold(&self, amount: Nanoton) -> Result<Held, Refusal> {
        let mut state = self.all.lock();
        let id = self.holder.id.as_str();
        let held = state.held.get(id).copied().unwrap_or_default();
        let spent = state.spending.of(&self.holder.id);
        let left = spent.left(&self.holder.limits, held, unix_now());
        let more = held
            .checked_add(amount)
            .filter(|_| left.is_none_or(|left| amount <= left));
        let Some(more) = more else {
            let left = left.unwrap_or_default();
            let message = format!(
                "the request may cost {amount}, and this API key may still spend {left} (hint: a lower max_tokens, \
                 tomorrow, or `cocoon key limit`)"
            );
            return Err(Refusal::new(Fault::PaymentRequired, message));
        };
        state.held.insert(id.to_owned(), more);
        drop(state);
        Ok(Held {
            allowance: self.clone(),
            amount,
        })
    }
}

// === impl Held ===

impl Held {
    /// The request cost this.
    pub(crate) fn spend(self, cost: Nanoton) {
        if cost == Nanoton::ZERO {
            return;
        }
        let mut state = self.allowance.all.lock();
        state.spending.add(&self.allowance.holder.id, cost, unix_now());
        state.is_changed = true;
        drop(state);
        self.allowance.all.changed.notify_one();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.allowance.all.lock();
        let id = self.allowance.holder.id.as_str();
        let left = state.held.get(id).map(|held| held.saturating_sub(self.amount));
        match left {
            Some(left) if left > Nanoton::ZERO => state.held.insert(id.to_owned(), left),
            _ => state.held.remove(id),
        };
    }
}

#[cfg(test)]
mod tests;
