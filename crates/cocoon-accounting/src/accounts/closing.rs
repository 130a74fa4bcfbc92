//! The orderly close of a contract (spec/ton.md 5.7), with each step confirmed by its target's state.
//!
//! 1. Close request.
//! 2. Refunds to clients with their final counts, which charges them.
//! 3. Last payouts to workers, which the charges cover.
//! 4. When its delay is over and nobody is left: close complete.
//!
//! What fails is tried again; nothing is completed over somebody's money.

use super::{
    due::{Room, Step},
    state::{Old, OldAccount},
};
use crate::{
    policy::Policy,
    record::Kind,
    terms::{Party, Status},
};

pub(super) fn due(old: &Old, policy: &Policy, now: u64, steps: &mut Vec<Step>) {
    let mut room = Room::new(policy, now, old.terms.contract);
    room.count(
        old.clients
            .values()
            .chain(old.workers.values())
            .map(|account| &account.settling),
    );
    room.count([&old.proxy]);
    if room.timed_out(Party::Proxy, &old.proxy, steps) {
        return;
    }
    match old.state.status {
        Status::Open if old.proxy.is_free(now) => room.start(Party::Proxy, Kind::CloseRequest, (0, 0), steps),
        Status::Open | Status::Closed => {}
        Status::Closing => {
            let mut each = |party: Party, kind: Kind, account: &OldAccount| {
                if !room.timed_out(party, &account.settling, steps) && account.settling.is_free(now) {
                    room.start(party, kind, (account.tokens, account.generation), steps);
                }
            };
            let mut clients = old
                .clients
                .iter()
                .filter(|(_, account)| account.is_left())
                .peekable();
            let mut workers = old
                .workers
                .iter()
                .filter(|(_, account)| account.is_left())
                .peekable();
            if clients.peek().is_some() {
                clients.for_each(|(owner, account)| each(Party::client(*owner), Kind::GrantRefund, account));
            } else if workers.peek().is_some() {
                workers.for_each(|(owner, account)| each(Party::worker(*owner), Kind::LastPayout, account));
            } else if now > u64::from(old.state.unlock_at) && old.proxy.is_free(now) {
                room.start(Party::Proxy, Kind::CloseComplete, (0, 0), steps);
            }
        }
    }
}
