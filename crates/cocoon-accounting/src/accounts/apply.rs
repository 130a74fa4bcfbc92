//! The one function that changes the state. It checks first and changes then, so that a refused record changes nothing.

mod life;
mod seen;

use cocoon_types::{Address, RequestId};

use super::{
    Accounts, MAX_ACCOUNTS, MAX_OPEN,
    state::{Client, Generation, Open},
};
use crate::{
    levels::Levels,
    record::{Cause, Record},
    terms::Party,
};

/// A record that does not follow from the state: the journal was not written by this program in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Nothing can happen before the first contract.
    #[error("there is no contract yet")]
    NoContract,
    /// The account is not there.
    #[error("an account that is not there")]
    NoAccount,
    /// The reservation is not there, or there already.
    #[error("a reservation that is not there, or a second one")]
    Reservation,
    /// The charge is above the reservation.
    #[error("a charge above its reservation")]
    AboveReservation,
    /// Numbers of commits or transactions do not follow each other.
    #[error("{0} out of order")]
    Order(&'static str),
    /// A bound was passed.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// A count does not fit 64 bits.
    #[error("a count does not fit 64 bits")]
    Overflow,
}

type Applied = Result<(), ApplyError>;

impl Accounts {
    /// Changes the state as the record says.
    ///
    /// # Errors
    /// [`ApplyError`] when the record does not follow from the state, which then stays as it was. A record that a command
    /// has just returned always follows.
    pub fn apply(&mut self, record: &Record) -> Result<(), ApplyError> {
        match *record {
            Record::Opened { terms, .. } => self.opened(terms)?,
            Record::SessionStarted { session, seqno, at } => self.session_started(session, seqno, at)?,
            Record::Reserved {
                request,
                client,
                tokens,
                at,
            } => self.reserved((client, request), tokens, at)?,
            Record::Settled {
                request,
                client,
                worker,
                tokens,
                at,
            } => self.settled((client, request), worker, tokens, at)?,
            Record::Released { request, client, .. } => self.released((client, request))?,
            Record::CommitPlanned { seqno, at } => self.commit_planned(seqno, at)?,
            Record::CommitResent { at } => {
                let outstanding = self.commits.outstanding.as_mut();
                outstanding.ok_or(ApplyError::Order("a commit"))?.sent_at = at;
            }
            Record::CommitSeen {
                contract,
                tx,
                seqno,
                session,
                ..
            } => self.commit_secured(contract, tx, seqno, session)?,
            Record::ClientSeen {
                contract,
                tx,
                owner,
                state,
                at,
            } => self.client_state(contract, tx, owner, state, at)?,
            Record::WorkerSeen {
                contract,
                tx,
                owner,
                state,
                at,
            } => self.worker_state(contract, tx, owner, state, at)?,
            Record::ContractSeen { contract, state, at } => self.contract_state(contract, state, at)?,
            Record::CursorMoved { contract, tx } => self.move_cursor(contract, tx)?,
            Record::SettlementStarted { settlement, at } => self.settlement_started(settlement, at)?,
            Record::SettlementEnded {
                contract,
                party,
                done,
                at,
            } => self.settlement_end(contract, party, done, at)?,
            Record::RefundAsked { client, .. } => self.client_mut(&client)?.refund_asked = true,
            Record::SettleAsked { at } => self.ask_all(at)?,
            Record::Quarantined { party, cause, .. } => *self.quarantine_mut(party)? = Some(cause),
            Record::QuarantineLifted { party } => self.quarantine_lifted(party)?,
            Record::Halted { halt, .. } => self.halted = Some(halt),
            Record::Stopped { .. } => self.current_mut()?.stopped = true,
            Record::Retired { .. } => self.retired()?,
            Record::Forgotten { client } => {
                let current = self.current_mut()?;
                current.clients.remove(&client).ok_or(ApplyError::NoAccount)?;
            }
        }
        self.applied = self.applied.saturating_add(1);
        Ok(())
    }

    pub(super) fn current_mut(&mut self) -> Result<&mut Generation, ApplyError> {
        self.current.as_mut().ok_or(ApplyError::NoContract)
    }

    fn client_mut(&mut self, owner: &Address) -> Result<&mut Client, ApplyError> {
        let clients = &mut self.current_mut()?.clients;
        clients.get_mut(owner).ok_or(ApplyError::NoAccount)
    }

    fn quarantine_mut(&mut self, party: Party) -> Result<&mut Option<Cause>, ApplyError> {
        match party {
            Party::Client { owner } => self.client_mut(&owner).map(|client| &mut client.quarantine),
            Party::Worker { owner } => {
                let worker = self.current_mut()?.workers.get_mut(&owner);
                worker
                    .map(|worker| &mut worker.quarantine)
                    .ok_or(ApplyError::NoAccount)
            }
            Party::Proxy => Err(ApplyError::NoAccount),
        }
    }

    /// The chain's count becomes ours where it is ahead: a person has looked at it.
    fn quarantine_lifted(&mut self, party: Party) -> Applied {
        *self.quarantine_mut(party)? = None;
        let current = self.current_mut()?;
        let seen = match party {
            Party::Client { owner } => current.clients.get(&owner).map(|client| client.state.tokens),
            Party::Worker { owner } => current.workers.get(&owner).map(|worker| worker.state.tokens),
            Party::Proxy => None,
        };
        if let (Some(tokens), Some(levels)) = (seen, self.levels_mut(party))
            && tokens > levels.memory
        {
            *levels = Levels::at(tokens);
        }
        Ok(())
    }

    fn reserved(&mut self, key: (Address, RequestId), tokens: u64, at: u64) -> Applied {
        if self.open.contains_key(&key) || self.finished.tokens(&key).is_some() {
            return Err(ApplyError::Reservation);
        }
        if self.open.len() >= MAX_OPEN {
            return Err(ApplyError::TooMany("open requests"));
        }
        let client = self.client_mut(&key.0)?;
        let reserved = client.reserved.checked_add(tokens);
        client.reserved = reserved.ok_or(ApplyError::Overflow)?;
        client.open = client.open.saturating_add(1);
        client.last_used = at;
        self.open.insert(key, Open { tokens, at });
        Ok(())
    }

    fn settled(&mut self, key: (Address, RequestId), worker: Address, tokens: u64, at: u64) -> Applied {
        let open = self.open.get(&key).ok_or(ApplyError::Reservation)?;
        let set_aside = open.tokens;
        if tokens > set_aside {
            return Err(ApplyError::AboveReservation);
        }
        let current = self.current.as_mut().ok_or(ApplyError::NoContract)?;
        let client = current.clients.get_mut(&key.0).ok_or(ApplyError::NoAccount)?;
        let owed = client.levels.after(tokens).map_err(|_| ApplyError::Overflow)?;
        let is_new = !current.workers.contains_key(&worker);
        if is_new && current.workers.len() >= MAX_ACCOUNTS {
            return Err(ApplyError::TooMany("workers"));
        }
        let earned = current
            .workers
            .get(&worker)
            .map_or(Ok(tokens), |known| known.levels.after(tokens));
        let earned = earned.map_err(|_| ApplyError::Overflow)?;
        // Every check is done.
        client.levels.memory = owed;
        client.reserved = client.reserved.saturating_sub(set_aside);
        client.open = client.open.saturating_sub(1);
        current.workers.entry(worker).or_default().levels.memory = earned;
        self.open.remove(&key);
        self.finished.insert(key, tokens, at);
        if tokens > 0 {
            for (party, level) in [(Party::client(key.0), owed), (Party::worker(worker), earned)] {
                self.commits.dirty.insert(party);
                self.unflushed.push_back((self.applied, party, level));
            }
            self.commits.unsecured = self.commits.unsecured.saturating_add(tokens);
            self.commits.unsecured_since.get_or_insert(at);
        }
        Ok(())
    }

    fn released(&mut self, key: (Address, RequestId)) -> Applied {
        let open = self.open.remove(&key).ok_or(ApplyError::Reservation)?;
        let client = self.client_mut(&key.0)?;
        client.reserved = client.reserved.saturating_sub(open.tokens);
        client.open = client.open.saturating_sub(1);
        Ok(())
    }
}
