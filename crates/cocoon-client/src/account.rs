//! The gateway's account at one proxy: what was paid in, what was used, what the proxy has signed (spec/ton.md 5).
//!
//! The numbers and the decisions are in [`ClientView`]; here they meet the wire, the contract and the wallet.

mod keep;
mod left;
mod open;

use std::sync::{Mutex, MutexGuard, PoisonError};

use cocoon_accounting::{
    ClassCost, ClientPolicy, ClientView, Levels, Lie, Pushed, Status, ToldLevels, adjusted, worst_case,
};
use cocoon_contracts::{
    Signed, StateInit, client,
    signed::{self, Acceptor},
};
use cocoon_tl::proxy::{self, SignedPayment};
use cocoon_types::{Address, Coefficient, Fault, Nanoton, Refusal, RequestId, Usage};
use tokio::{sync::Notify, time::Instant};

use crate::{
    allowance::{Allowance, Held},
    forward::Order,
};

use self::left::Requests;
pub(crate) use keep::{KeepError, keep};
pub(crate) use open::Secret;

/// An account at one proxy contract.
#[derive(Debug)]
pub(crate) struct Account {
    /// The proxy's contract, which holds the coins.
    pub(crate) proxy_contract: Address,
    /// The key that signs charges.
    proxy_key: [u8; 32],
    /// Our contract there.
    init: StateInit,
    pub(crate) contract: Address,
    secret: Secret,
    policy: ClientPolicy,
    state: Mutex<State>,
    /// There may be something to do.
    nudge: Notify,
}

#[derive(Debug)]
struct State {
    view: ClientView,
    payments: Acceptor,
    /// The best signed payment at hand; the view knows its count.
    payment: Option<Signed>,
    requests: Requests,
    /// How often the contract was reopened.
    generation: u32,
    /// A person asked for this, once.
    wish: Option<Nanoton>,
    /// Since when a person wants everything back.
    closing: Option<Instant>,
    /// The proxy's word for it, to be submitted.
    refund: Option<Signed>,
    /// Why the last message to the contract was not sent, for the person who looks.
    trouble: Option<String>,
}

/// What a proxy told that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Untrue {
    #[error("the signed payment is none of this account: {0}")]
    Payment(#[from] signed::NotAccepted),
    #[error("the refund charges more than was used")]
    Greedy,
    #[error(transparent)]
    Lie(#[from] Lie),
    #[error("a count is negative")]
    Negative,
}

/// What one request may cost, held until it is known what it did cost.
#[derive(Debug)]
pub(crate) struct Feared {
    /// Its id on the leg to the proxy.
    request: RequestId,
    worst: u64,
    max_coefficient: Coefficient,
    /// The part of an API key's allowance.
    held: Option<Held>,
    /// What the key may still spend, where that lowered the price.
    key_left: Option<Nanoton>,
}

/// A look at an account.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) state: Option<client::State>,
    pub(crate) balance: Nanoton,
    pub(crate) stake: Nanoton,
    pub(crate) charged: u64,
    pub(crate) levels: Levels,
    pub(crate) available: Option<u64>,
    pub(crate) price: Nanoton,
    pub(crate) trouble: Option<String>,
}

// === impl Account ===

impl Account {
    /// Takes what the proxy told when a link opened, of which `asked` was known before; gives what this link's pushes are held
    /// against.
    ///
    /// # Errors
    /// [`Untrue`]: the link must end.
    pub(crate) fn greeted(
        &self,
        asked: Levels,
        payment: &SignedPayment,
        journal: i64,
        memory: i64,
    ) -> Result<Pushed, Untrue> {
        self.take(payment, journal, memory, |view, told| view.greeted(asked, told))
    }

    /// Takes what the proxy told of a request that it settled, after `before`.
    ///
    /// # Errors
    /// [`Untrue`]: the link must end.
    pub(crate) fn settled(
        &self,
        before: &mut Pushed,
        told: &proxy::ClientRequestPayment,
    ) -> Result<(), Untrue> {
        let (journal, memory) = (told.db_tokens, told.max_tokens);
        self.take(&told.signed_payment, journal, memory, |view, told| {
            view.pushed(before, told)
        })?;
        let tokens = u64::try_from(told.request_tokens).map_err(|_| Untrue::Negative)?;
        let mut state = self.lock();
        if let Some(feared) = state.requests.told(RequestId(told.request_id), tokens) {
            state.receipted(feared, tokens);
        }
        Ok(())
    }

    /// Takes what the proxy answered to a question that was asked when `asked` was known.
    ///
    /// # Errors
    /// [`Untrue`]: the link must end.
    pub(crate) fn answered(
        &self,
        asked: Levels,
        payment: &SignedPayment,
        journal: i64,
        memory: i64,
    ) -> Result<(), Untrue> {
        self.take(payment, journal, memory, |view, told| view.answered(asked, told))
    }

    fn take<T>(
        &self,
        payment: &SignedPayment,
        journal: i64,
        memory: i64,
        tell: impl FnOnce(&mut ClientView, ToldLevels) -> Result<T, Lie>,
    ) -> Result<T, Untrue> {
        let count = |count: i64| u64::try_from(count).map_err(|_| Untrue::Negative);
        let mut state = self.lock();
        // Once it is known to be one for this contract by this proxy (spec/ton.md 4.1).
        let payment = match payment {
            SignedPayment::Payment(payment) => Some(state.payments.accept(&payment.data)?),
            SignedPayment::Empty(_) => None,
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
        drop(state);
        self.nudge.notify_one();
        Ok(taken)
    }

    /// A request goes out.
    ///
    /// # Errors
    /// [`Fault::PaymentRequired`] when the account does not cover it, or its own price limit allows no price at all.
    pub(crate) fn open(&self, request: RequestId, order: &Order) -> Result<Feared, Refusal> {
        let mut state = self.lock();
        let prices = state.view.terms().prices;
        let worst = |most| {
            worst_case(
                order.billed_bytes(),
                u64::from(order.max_tokens),
                most,
                prices.multipliers(),
            )
        };
        let left = order.allowance.as_ref().and_then(Allowance::left);
        let max_coefficient = match order.max_price.into_iter().chain(left).min() {
            None => order.max_coefficient,
            Some(limit) => {
                let fits = |most| {
                    worst(most)
                        .and_then(|tokens| prices.cost(tokens))
                        .is_ok_and(|cost| cost <= limit)
                };
                dearest(order.max_coefficient, fits).ok_or_else(|| {
                    Refusal::new(
                        Fault::PaymentRequired,
                        format!(
                            "no price keeps this request within {limit} (hint: a lower max_tokens, a higher max_price, or \
                             `cocoon key limit`)"
                        ),
                    )
                })?
            }
        };
        let worst = worst(max_coefficient)
            .map_err(|_| Refusal::new(Fault::InvalidRequest, "the request could cost more than there is"))?;
        if let Some(available) = state.view.available()
            && available < worst
        {
            // It may be there in a moment: the account is topped up by itself.
            self.nudge.notify_one();
            let cost = |tokens| {
                prices
                    .cost(tokens)
                    .map_or_else(|_| "more than there is".to_owned(), |sum| sum.to_string())
            };
            return Err(Refusal::new(
                Fault::PaymentRequired,
                format!(
                    "the request may cost {}, and the account at this proxy covers {} (hint: a lower max_tokens, or \
                     `cocoon account topup`)",
                    cost(worst),
                    cost(available)
                ),
            ));
        }
        let held = match &order.allowance {
            None => None,
            Some(allowance) => Some(allowance.hold(prices.cost(worst).unwrap_or(Nanoton::new(u64::MAX)))?),
        };
        state.view.opened(worst);
        let is_lowered = |left: &Nanoton| {
            max_coefficient < order.max_coefficient && order.max_price.is_none_or(|limit| *left < limit)
        };
        Ok(Feared {
            request,
            worst,
            max_coefficient,
            held,
            key_left: left.filter(is_lowered),
        })
    }

    /// The key with which the proxy signs charges and offers, as the chain names it.
    pub(crate) const fn proxy_key(&self) -> [u8; 32] {
        self.proxy_key
    }

    /// What the account still covers.
    pub(crate) fn available(&self) -> Option<Nanoton> {
        let state = self.lock();
        state.view.terms().prices.cost(state.view.available()?).ok()
    }

    /// A request is on its way: from now on until [`Self::receipted`], [`Self::refused`] or [`Self::left`] the proxy may tell
    /// what it cost.
    pub(crate) fn begun(&self, feared: &Feared) {
        self.lock().requests.opened(feared.request);
    }

    /// A request ended with this usage at this price.
    pub(crate) fn receipted(&self, feared: Feared, usage: &Usage, coefficient: Coefficient) {
        let mut state = self.lock();
        let prices = state.view.terms().prices;
        let Ok(tokens) = adjusted(usage, coefficient, prices.multipliers()) else {
            return state.requests.ended(feared.request);
        };
        state.receipted(feared, tokens.total());
    }

    /// The caller of a request left before its end; what it cost is the proxy's to tell.
    pub(crate) fn left(&self, feared: Feared) {
        let mut state = self.lock();
        if let Some((feared, tokens)) = state.requests.left(feared) {
            state.receipted(feared, tokens);
        }
    }

    /// The proxy refused a request before any answer, so that it costs nothing. Gives the refusal as the caller is to be told: a
    /// price that is too low because the API key may not spend more is nothing that waiting mends.
    pub(crate) fn refused(&self, feared: Feared, refusal: Refusal) -> Refusal {
        let refusal = match feared.key_left {
            Some(left) if refusal.fault == Fault::PriceTooLow => Refusal::new(
                Fault::PaymentRequired,
                format!(
                    "no worker serves this request for the {left} that this API key may still spend (hint: a lower max_tokens, \
                     tomorrow, or `cocoon key limit`)"
                ),
            ),
            _ => refusal,
        };
        let price = feared.max_coefficient;
        self.receipted(feared, &Usage::default(), price);
        refusal
    }

    /// What this usage costs at this price.
    pub(crate) fn cost(&self, usage: &Usage, coefficient: Coefficient) -> Option<ClassCost> {
        let prices = self.lock().view.terms().prices;
        let tokens = adjusted(usage, coefficient, prices.multipliers()).ok()?;
        prices.class_cost(&tokens).ok()
    }

    /// What the proxy has told. Where its first level is below its last, it owes a signature.
    pub(crate) fn levels(&self) -> Levels {
        self.lock().view.levels()
    }

    /// A person wants to pay in.
    pub(crate) fn wish_top_up(&self, amount: Nanoton) {
        self.lock().wish = Some(amount);
        self.nudge.notify_one();
    }

    /// A person wants back what is above the stake.
    pub(crate) fn wish_withdraw(&self) {
        self.lock().view.withdraw();
        self.nudge.notify_one();
    }

    /// A person wants everything back.
    pub(crate) fn wish_close(&self) {
        let mut state = self.lock();
        state.view.close();
        state.closing.get_or_insert_with(Instant::now);
        drop(state);
        self.nudge.notify_one();
    }

    /// Whether the proxy is to be asked for the refund.
    pub(crate) fn wants_refund(&self) -> bool {
        let state = self.lock();
        let is_open = state
            .view
            .contract()
            .is_some_and(|(contract, _)| contract.status == Status::Open);
        state.closing.is_some() && state.refund.is_none() && is_open
    }

    /// The proxy granted the refund.
    ///
    /// # Errors
    /// [`Untrue`]: the link must end.
    pub(crate) fn granted(&self, refund: &[u8]) -> Result<(), Untrue> {
        let mut state = self.lock();
        let kind = match state.generation {
            0 => signed::Kind::GrantRefund,
            generation => signed::Kind::GrantRefundOf { generation },
        };
        let signed = Signed::accept(refund, &self.proxy_key, kind, &self.contract)?;
        // It settles what was used, and no more than the proxy has told of.
        if signed.tokens > state.view.levels().memory {
            return Err(Untrue::Greedy);
        }
        state.refund = Some(signed);
        drop(state);
        self.nudge.notify_one();
        Ok(())
    }

    /// A look at it.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.lock();
        let view = &state.view;
        let contract = view.contract().map(|(contract, _)| contract);
        let known = contract.unwrap_or_default();
        Snapshot {
            state: contract.map(|contract| match contract.status {
                Status::Open => client::State::Open,
                Status::Closing => client::State::Closing,
                Status::Closed => client::State::Closed,
            }),
            balance: known.balance,
            stake: known.stake,
            charged: known.tokens,
            levels: view.levels(),
            available: view.available(),
            price: view.terms().prices.price(),
            trouble: state.trouble.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change leaves the state whole before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    /// A request cost so many adjusted tokens.
    fn receipted(&mut self, feared: Feared, tokens: u64) {
        self.requests.ended(feared.request);
        self.view.receipted(feared.worst, tokens);
        if let (Some(held), Ok(cost)) = (feared.held, self.view.terms().prices.cost(tokens)) {
            held.spend(cost);
        }
    }
}

// === impl Feared ===

impl Feared {
    /// The id under which the request is known at the proxy.
    pub(crate) fn request(&self) -> RequestId {
        self.request
    }

    /// The same, where it is known only now.
    pub(crate) fn set_request(&mut self, request: RequestId) {
        self.request = request;
    }

    /// The highest price at which the request may be served.
    pub(crate) fn max_coefficient(&self) -> Coefficient {
        self.max_coefficient
    }
}

/// The highest price up to `limit` that fits, if any does; what fits at a price fits at every lower one.
fn dearest(limit: Coefficient, fits: impl Fn(Coefficient) -> bool) -> Option<Coefficient> {
    let (mut good, mut bad) = (0, limit.per_mille() + 1);
    if !fits(Coefficient::new(0)?) {
        return None;
    }
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if Coefficient::new(middle).is_some_and(&fits) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    // At no price at all nobody works.
    Coefficient::new(good).filter(|most| most.per_mille() > 0 || limit.per_mille() == 0)
}

#[cfg(test)]
mod tests {
    use cocoon_types::Coefficient;

    use super::dearest;

    #[test]
    fn a_price_limit_is_used_up_to_the_last_thousandth() {
        let limit = Coefficient::new(4000).unwrap();
        let up_to = |most: u32| dearest(limit, move |price| price.per_mille() <= most);
        assert_eq!(up_to(9999), Some(limit));
        assert_eq!(up_to(4000), Some(limit));
        assert_eq!(up_to(1234), Coefficient::new(1234));
        assert_eq!(up_to(1), Coefficient::new(1));
        assert_eq!(up_to(0), None);
        assert_eq!(dearest(limit, |_| false), None);
    }
}
