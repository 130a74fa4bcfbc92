//! A transaction of the proxy's contract, as the accounts take it (spec/ton.md 4.3, 4.6).

use cocoon_accounting::{Accounts, ClientState, Seen, Status, Told, Tx, WorkerState};
use cocoon_chain::Transaction;
use cocoon_contracts::{
    client,
    proxy::{ClientEvent, ClientRequest, Event, Message, WorkerEvent},
    worker,
};
use cocoon_types::{Address, Nanoton};

use super::network::Network;

/// What a transaction leads to.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) told: Told,
    /// A client's owner has shown that it knows this number.
    pub(super) registered: Option<(Address, u64)>,
}

/// Reads a transaction. What is not a genuine message of a contract of ours changes no account.
pub(super) fn hear(
    accounts: &Accounts,
    network: &Network,
    wallet: &Address,
    transaction: &Transaction,
    now: u64,
) -> Heard {
    let contract = network.own.address();
    let tx = Tx {
        lt: transaction.id.lt,
        hash: transaction.id.hash,
    };
    let passed = || Heard {
        told: accounts.passed(contract, tx),
        registered: None,
    };
    let inbound = transaction.inbound.as_ref().filter(|message| !message.bounced);
    let Some((source, body)) = inbound.and_then(|message| Some((message.source?, &message.body))) else {
        return passed();
    };
    let event = match Event::parse(body) {
        Ok(event) => event,
        Err(error) => {
            // Anybody may send anything; a genuine contract of ours sends nothing malformed.
            tracing::debug!(%error, "a message to the proxy's contract cannot be read");
            return passed();
        }
    };
    match event {
        Event::Message(Message::Commit { commit, .. }) => Heard {
            told: accounts.commit_seen(
                contract,
                tx,
                source == *wallet,
                (commit.seqno, commit.session),
                now,
            ),
            registered: None,
        },
        Event::Client(event) => {
            let seen = Seen {
                contract,
                tx,
                sender: source,
                owner: event.owner,
                derived: network.client(&event.owner),
                state: client_state(&event, transaction),
            };
            let told = accounts.client_seen(seen, now);
            let is_genuine = seen.sender == seen.derived;
            let registered = match event.request {
                Some(ClientRequest::Register { nonce }) if is_genuine => Some((event.owner, nonce)),
                _ => None,
            };
            Heard { told, registered }
        }
        Event::Worker(event) => {
            let seen = Seen {
                contract,
                tx,
                sender: source,
                owner: event.owner,
                derived: network.worker(&event.owner),
                state: worker_state(&event),
            };
            Heard {
                told: accounts.worker_seen(seen, now),
                registered: None,
            }
        }
        _ => passed(),
    }
}

/// Every message counts, be its transaction aborted for want of gas as those of a log are. But a top-up that did not go
/// through pays nothing in: the coins go back, and the client's contract takes them off its balance again (H5). Where
/// coins leave, the balance that is told is the lower one, so it is believed either way.
fn client_state(event: &ClientEvent, transaction: &Transaction) -> ClientState {
    let unpaid = match event.request {
        Some(ClientRequest::TopUp { coins, .. }) if !transaction.success => coins,
        _ => Nanoton::ZERO,
    };
    ClientState {
        status: match event.state.state {
            client::State::Open => Status::Open,
            client::State::Closing => Status::Closing,
            client::State::Closed => Status::Closed,
        },
        balance: event.state.balance.saturating_sub(unpaid),
        stake: event.state.stake,
        tokens: event.state.tokens_used,
        secret_hash: event.state.secret_hash,
    }
}

fn worker_state(event: &WorkerEvent) -> WorkerState {
    WorkerState {
        status: match event.state {
            worker::State::Open => Status::Open,
            worker::State::Closed => Status::Closed,
        },
        tokens: event.tokens,
    }
}
