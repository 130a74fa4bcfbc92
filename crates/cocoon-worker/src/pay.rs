//! The worker's account at one proxy: what it has earned, what is signed, what is paid (spec/ton.md 5.4, 5.5).
//!
//! The numbers and the decisions are in [`WorkerView`]; here they meet the wire, the contract and the wallet.

mod keep;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cocoon_accounting::{Levels, Lie, Pushed, ToldLevels, WorkerPolicy, WorkerView, adjusted};
use cocoon_chain::{ProxyContract, Purse, ToldError};
use cocoon_contracts::{
    Signed, StateInit,
    signed::{self, Acceptor, Kind},
};
use cocoon_tl::{TlString, proxy};
use cocoon_types::{Address, Coefficient, Nanoton, Usage};

pub(crate) use keep::keep;

/// Where the worker is paid from, and to whom.
#[derive(Clone, Debug)]
pub(crate) struct Till {
    pub(crate) purse: Arc<Purse>,
    /// Who is paid.
    pub(crate) owner: Address,
    pub(crate) policy: WorkerPolicy,
}

/// An account at one proxy contract.
#[derive(Debug)]
pub(crate) struct Pay {
    pub(crate) proxy_contract: Address,
    /// Our contract there.
    init: StateInit,
    pub(crate) contract: Address,
    policy: WorkerPolicy,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    view: WorkerView,
    payments: Acceptor,
    /// The best signed payment at hand; the view knows its count.
    payment: Option<Signed>,
    /// Requests that run for this proxy.
    running: usize,
    /// A person asked for the payout.
    wish: bool,
    trouble: Option<String>,
}

/// The proxy's account data do not add up; no work is done for it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PayError {
    #[error(transparent)]
    Told(#[from] ToldError),
    #[error("the signed payment is none of this account: {0}")]
    Payment(#[from] signed::NotAccepted),
    #[error(transparent)]
    Lie(#[from] Lie),
    #[error("a count is negative")]
    Negative,
    #[error("the proxy says that it has forgotten what we earned (code {0})")]
    Forgotten(i32),
}

/// A look at an account.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) levels: Levels,
    pub(crate) paid_tokens: u64,
    /// In all, signed, paid.
    pub(crate) earnings: Option<[Nanoton; 3]>,
    pub(crate) trouble: Option<String>,
}

/// A request that runs; counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Working(Arc<Pay>);

// === impl Pay ===

impl Pay {
    /// The account at the proxy that answered so.
    ///
    /// # Errors
    /// [`PayError`]: work for a proxy whose addresses do not derive from the registry would never be paid.
    pub(crate) fn at(
        till: &Till,
        told: &proxy::Params,
        worker_contract: &TlString,
    ) -> Result<Self, PayError> {
        let purse = &till.purse;
        let proxy = ProxyContract::told(
            purse.root(),
            purse.registry().params.clone(),
            &told.proxy_owner_address.lossy(ProxyContract::TOLD),
            told.proxy_public_key,
            &told.proxy_sc_address.lossy(ProxyContract::TOLD),
        )?;
        let init = proxy.worker(&till.owner);
        let contract = proxy.confirm(&init, &worker_contract.lossy(ProxyContract::TOLD))?;
        Ok(Self {
            proxy_contract: proxy.address(),
            init,
            contract,
            policy: till.policy,
            state: Mutex::new(State {
                view: WorkerView::new(proxy.terms),
                payments: Acceptor::new(proxy.key, Kind::Payout, contract),
                payment: None,
                running: 0,
                wish: false,
                trouble: None,
            }),
        })
    }

    /// What this worker knows, for the comparison of balances.
    pub(crate) fn levels(&self) -> Levels {
        self.lock().view.levels()
    }

    /// Takes the proxy's answer to the comparison of what was known when `asked`; gives what this link's pushes are held against.
    ///
    /// # Errors
    /// [`PayError`]: the link must end.
    pub(crate) fn greeted(
        &self,
        asked: Levels,
        payment: &proxy::SignedPayment,
        journal: i64,
        memory: i64,
    ) -> Result<Pushed, PayError> {
        self.take(payment, journal, memory, |view, told| view.greeted(asked, told))
    }

    /// Takes what the proxy told on an open link, after `before`.
    ///
    /// # Errors
    /// [`PayError`]: the link must end.
    pub(crate) fn pushed(
        &self,
        before: &mut Pushed,
        payment: &proxy::SignedPayment,
        journal: i64,
        memory: i64,
    ) -> Result<(), PayError> {
        self.take(payment, journal, memory, |view, told| view.pushed(before, told))
    }

    /// Takes what the proxy answered to a question that was asked when `asked` was known.
    ///
    /// # Errors
    /// [`PayError`]: the link must end.
    pub(crate) fn answered(
        &self,
        asked: Levels,
        payment: &proxy::SignedPayment,
        journal: i64,
        memory: i64,
    ) -> Result<(), PayError> {
        self.take(payment, journal, memory, |view, told| view.answered(asked, told))
    }

    fn take<T>(
        &self,
        payment: &proxy::SignedPayment,
        journal: i64,
        memory: i64,
        tell: impl FnOnce(&mut WorkerView, ToldLevels) -> Result<T, Lie>,
    ) -> Result<T, PayError> {
        let count = |count: i64| u64::try_from(count).map_err(|_| PayError::Negative);
        let mut state = self.lock();
        // Once it is known to be one for this contract by this proxy (spec/ton.md 4.1).
        let payment = match payment {
            proxy::SignedPayment::Payment(payment) => Some(state.payments.accept(&payment.data)?),
            proxy::SignedPayment::Empty(_) => None,
        };
        let told = ToldLevels {
            signed: payment.as_ref().map(|payment| payment.tokens),
            journal: count(journal)?,
            memory: count(memory)?,
        };
        let taken = tell(&mut state.view, told)?;
        // An answer may be older than what was pushed since.
        if let Some(payment) = payment
            && state.view.levels().chain == payment.tokens
        {
            state.payment = Some(payment);
        }
        Ok(taken)
    }

    /// A request begins.
    pub(crate) fn working(self: &Arc<Self>) -> Working {
        self.lock().running += 1;
        Working(Arc::clone(self))
    }

    /// A request was served to its end.
    pub(crate) fn served(&self, usage: &Usage, coefficient: Coefficient) {
        let mut state = self.lock();
        let multipliers = *state.view.terms().prices.multipliers();
        if let Ok(tokens) = adjusted(usage, coefficient, &multipliers) {
            state.view.served(tokens.total());
        }
    }

    /// A person wants what is signed to be paid now.
    pub(crate) fn wish_payout(&self) {
        self.lock().wish = true;
    }

    /// Whether this is the same account, so that what is known of it still holds.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.contract == other.contract
    }

    /// A look at it.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.lock();
        Snapshot {
            levels: state.view.levels(),
            paid_tokens: state.view.contract().tokens,
            earnings: state.view.earnings(),
            trouble: state.trouble.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change leaves the state whole before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Working ===

impl Drop for Working {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.running = state.running.saturating_sub(1);
    }
}
