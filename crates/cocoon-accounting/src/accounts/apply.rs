//! The one function that changes the state. It checks first and changes then, so that a refused record changes nothing.

use cocoon_types::{Address, Nanoton, RequestId};

use super::{
    Accounts, MAX_ACCOUNTS, MAX_OLD, MAX_OPEN,
    state::{
        Client, Generation, InFlight, MAX_SESSIONS, Old, OldAccount, Open, Outstanding, Settling, Worker,
    },
};
use crate::{
    levels::Levels,
    record::{Kind, Record, Settlement},
    terms::{ClientState, ContractState, Party, Status, Terms, Tx, WorkerState},
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
                tx, seqno, session, ..
            } => self.commit_seen_applied(tx, seqno, session)?,
            Record::ClientSeen { tx, owner, state, at } => self.client_state(tx, owner, state, at)?,
            Record::WorkerSeen { tx, owner, state, at } => self.worker_state(tx, owner, state, at)?,
            Record::ContractSeen { contract, state, at } => self.contract_state(contract, state, at)?,
            Record::CursorMoved { tx } => self.move_cursor(tx)?,
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

    fn quarantine_mut(&mut self, party: Party) -> Result<&mut Option<crate::record::Cause>, ApplyError> {
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

    // --- Contracts and sessions ---

    fn opened(&mut self, terms: Terms) -> Applied {
        if !self.open.is_empty() {
            return Err(ApplyError::Order("a new contract before requests ended"));
        }
        if self.current.is_some() {
            self.retired()?;
        }
        self.current = Some(Generation::new(terms));
        Ok(())
    }

    /// The current contract becomes an old one; its final counts wait for the next commit.
    fn retired(&mut self) -> Applied {
        if !self.open.is_empty() {
            return Err(ApplyError::Order("an end before requests ended"));
        }
        if self.old.len() >= MAX_OLD {
            return Err(ApplyError::TooMany("old contracts"));
        }
        let current = self.current.take().ok_or(ApplyError::NoContract)?;
        let is_secured = self.commits.dirty.is_empty() && self.commits.outstanding.is_none();
        let account = |tokens, asked: &Settling| OldAccount {
            tokens,
            settling: Settling {
                in_flight: None,
                asked: None,
                ..*asked
            },
        };
        let clients = current
            .clients
            .iter()
            .filter(|(_, client)| client.state.status != Status::Closed && client.quarantine.is_none());
        let workers = current
            .workers
            .iter()
            .filter(|(_, worker)| worker.state.status != Status::Closed && worker.quarantine.is_none());
        self.old.push_back(Old {
            terms: current.terms,
            state: current.state,
            clients: clients
                .map(|(owner, client)| (*owner, account(client.levels.memory, &client.settling)))
                .collect(),
            workers: workers
                .map(|(owner, worker)| (*owner, account(worker.levels.memory, &worker.settling)))
                .collect(),
            proxy: Settling::default(),
            after_commit: if is_secured { 0 } else { self.commits.seqno },
        });
        let commits = &mut self.commits;
        commits.ready = false;
        commits.outstanding = None;
        commits.covering.clear();
        commits.covering_tokens = 0;
        commits.dirty.clear();
        commits.unsecured = 0;
        commits.unsecured_since = None;
        self.unflushed.clear();
        Ok(())
    }

    fn session_started(&mut self, session: [u8; 32], seqno: u32, at: u64) -> Applied {
        let current = self.current.as_mut().ok_or(ApplyError::NoContract)?;
        if self.commits.seqno.checked_add(1) != Some(seqno) {
            return Err(ApplyError::Order("a commit"));
        }
        for client in current.clients.values_mut() {
            client.reserved = 0;
            client.open = 0;
        }
        self.open.clear();
        let commits = &mut self.commits;
        commits.ready = false;
        commits.outstanding = None;
        commits
            .dirty
            .extend(std::mem::take(&mut commits.covering).into_keys());
        commits.unsecured = commits.unsecured.saturating_add(commits.covering_tokens);
        commits.covering_tokens = 0;
        if commits.sessions.len() >= MAX_SESSIONS {
            commits.sessions.pop_front();
        }
        commits.session = session;
        commits.sessions.push_back((session, seqno));
        self.plan(seqno, at);
        Ok(())
    }

    // --- Commits ---

    fn commit_planned(&mut self, seqno: u32, at: u64) -> Applied {
        let commits = &mut self.commits;
        if commits.outstanding.is_some() || commits.seqno.checked_add(1) != Some(seqno) {
            return Err(ApplyError::Order("a commit"));
        }
        let last = commits.sessions.back_mut().ok_or(ApplyError::Order("a commit"))?;
        last.1 = seqno;
        self.plan(seqno, at);
        Ok(())
    }

    fn plan(&mut self, seqno: u32, at: u64) {
        let changed = std::mem::take(&mut self.commits.dirty);
        let covering = changed
            .into_iter()
            .filter_map(|party| Some((party, self.levels_mut(party)?.memory)))
            .collect();
        let commits = &mut self.commits;
        commits.covering = covering;
        commits.covering_tokens = std::mem::take(&mut commits.unsecured);
        commits.unsecured_since = None;
        commits.seqno = seqno;
        commits.outstanding = Some(Outstanding { seqno, sent_at: at });
    }

    fn commit_seen_applied(&mut self, tx: Tx, seqno: u32, session: [u8; 32]) -> Applied {
        self.move_cursor(tx)?;
        let commits = &mut self.commits;
        let is_ours = session == commits.session;
        if !is_ours
            || commits
                .outstanding
                .is_none_or(|outstanding| outstanding.seqno != seqno)
        {
            // One of the past, or the same a second time: it secures nothing new.
            return Ok(());
        }
        commits.outstanding = None;
        commits.confirmed = seqno;
        commits.ready = true;
        commits.covering_tokens = 0;
        for (party, tokens) in std::mem::take(&mut commits.covering) {
            if let Some(levels) = self.levels_mut(party) {
                levels.chain = levels.chain.max(tokens);
            }
        }
        Ok(())
    }

    fn move_cursor(&mut self, tx: Tx) -> Applied {
        let current = self.current_mut()?;
        if current.cursor.is_some_and(|cursor| cursor.lt >= tx.lt) {
            return Err(ApplyError::Order("a transaction"));
        }
        current.cursor = Some(tx);
        Ok(())
    }

    // --- Requests ---

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

    // --- What contracts tell ---

    fn client_state(&mut self, tx: Tx, owner: Address, state: ClientState, at: u64) -> Applied {
        let current = self.current_mut()?;
        if !current.clients.contains_key(&owner) && current.clients.len() >= MAX_ACCOUNTS {
            return Err(ApplyError::TooMany("clients"));
        }
        self.move_cursor(tx)?;
        let client = self
            .current_mut()?
            .clients
            .entry(owner)
            .or_insert_with(|| Client {
                levels: Levels::at(state.tokens),
                ..Client::default()
            });
        client.state = state;
        client.last_used = at;
        client.settling.settled(state.tokens);
        client.settling.seen(at, |sent| match sent.kind {
            Kind::GrantRefund => state.status == Status::Closed,
            _ => state.tokens >= sent.tokens,
        });
        if state.status == Status::Closed {
            client.refund_asked = false;
        }
        Ok(())
    }

    fn worker_state(&mut self, tx: Tx, owner: Address, state: WorkerState, at: u64) -> Applied {
        let current = self.current_mut()?;
        if !current.workers.contains_key(&owner) && current.workers.len() >= MAX_ACCOUNTS {
            return Err(ApplyError::TooMany("workers"));
        }
        self.move_cursor(tx)?;
        let worker = self
            .current_mut()?
            .workers
            .entry(owner)
            .or_insert_with(|| Worker {
                levels: Levels::at(state.tokens),
                ..Worker::default()
            });
        worker.state = state;
        worker.settling.settled(state.tokens);
        worker.settling.seen(at, |sent| match sent.kind {
            Kind::LastPayout => state.status == Status::Closed,
            _ => state.tokens >= sent.tokens,
        });
        Ok(())
    }

    fn contract_state(&mut self, contract: Address, state: ContractState, at: u64) -> Applied {
        let reached = |sent: InFlight| match sent.kind {
            Kind::CloseRequest => state.status != Status::Open,
            Kind::CloseComplete => state.status == Status::Closed,
            // What is withdrawn is all there is: `tokens` holds the share that was there.
            _ => state.balance.nano() < sent.tokens,
        };
        if let Some(current) = self
            .current
            .as_mut()
            .filter(|current| current.terms.contract == contract)
        {
            current.state = state;
            current.proxy.seen(at, reached);
            if state.balance == Nanoton::ZERO {
                current.proxy.asked = None;
            }
            return Ok(());
        }
        let old = self.old.iter_mut().find(|old| old.terms.contract == contract);
        let old = old.ok_or(ApplyError::NoContract)?;
        old.state = state;
        old.proxy.seen(at, reached);
        if state.status == Status::Closed {
            self.old.retain(|old| old.terms.contract != contract);
        }
        Ok(())
    }

    // --- Settlements ---

    fn settlement_started(&mut self, settlement: Settlement, at: u64) -> Applied {
        let settling = self.settling_mut(settlement.contract, settlement.party)?;
        settling.in_flight = Some(InFlight {
            kind: settlement.kind,
            tokens: settlement.tokens,
            since: at,
        });
        Ok(())
    }

    fn settlement_end(&mut self, contract: Address, party: Party, done: bool, at: u64) -> Applied {
        self.settling_mut(contract, party)?.end(done, at);
        let old = self.old.iter_mut().find(|old| old.terms.contract == contract);
        if let (Some(old), true) = (old, done) {
            match party {
                Party::Client { owner } => drop(old.clients.remove(&owner)),
                Party::Worker { owner } => drop(old.workers.remove(&owner)),
                Party::Proxy => {}
            }
        }
        Ok(())
    }

    fn settling_mut(&mut self, contract: Address, party: Party) -> Result<&mut Settling, ApplyError> {
        if let Some(current) = self
            .current
            .as_mut()
            .filter(|current| current.terms.contract == contract)
        {
            let settling = match party {
                Party::Client { owner } => current.clients.get_mut(&owner).map(|it| &mut it.settling),
                Party::Worker { owner } => current.workers.get_mut(&owner).map(|it| &mut it.settling),
                Party::Proxy => Some(&mut current.proxy),
            };
            return settling.ok_or(ApplyError::NoAccount);
        }
        let old = self.old.iter_mut().find(|old| old.terms.contract == contract);
        let old = old.ok_or(ApplyError::NoContract)?;
        let settling = match party {
            Party::Client { owner } => old.clients.get_mut(&owner).map(|it| &mut it.settling),
            Party::Worker { owner } => old.workers.get_mut(&owner).map(|it| &mut it.settling),
            Party::Proxy => Some(&mut old.proxy),
        };
        settling.ok_or(ApplyError::NoAccount)
    }

    fn ask_all(&mut self, at: u64) -> Applied {
        let current = self.current_mut()?;
        current.settled_at = at;
        for client in current.clients.values_mut() {
            if client.levels.memory > client.state.tokens {
                client.settling.ask(client.levels.memory);
            }
        }
        for worker in current.workers.values_mut() {
            if worker.levels.memory > worker.state.tokens {
                worker.settling.ask(worker.levels.memory);
            }
        }
        if current.state.balance.nano() > 0 {
            current.proxy.ask(0);
        }
        Ok(())
    }
}
