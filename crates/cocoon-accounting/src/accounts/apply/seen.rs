//! What contracts tell, and settlements under way.

use cocoon_types::{Address, Nanoton};

use super::{Accounts, Applied, ApplyError};
use crate::{
    accounts::{
        MAX_ACCOUNTS,
        state::{Client, InFlight, Old, Settling, Worker},
    },
    levels::Levels,
    record::{Kind, Settlement},
    terms::{ClientState, ContractState, Party, Status, Tx, WorkerState},
};

impl Accounts {
    pub(super) fn client_state(
        &mut self,
        contract: Address,
        tx: Tx,
        owner: Address,
        state: ClientState,
        at: u64,
    ) -> Applied {
        let Some(current) = self
            .current
            .as_mut()
            .filter(|current| current.terms.contract == contract)
        else {
            return self.old_client_state(contract, tx, owner, state);
        };
        if !current.clients.contains_key(&owner) && current.clients.len() >= MAX_ACCOUNTS {
            return Err(ApplyError::TooMany("clients"));
        }
        self.move_cursor(contract, tx)?;
        let client = self
            .current_mut()?
            .clients
            .entry(owner)
            .or_insert_with(|| Client {
                levels: Levels::at(state.tokens),
                ..Client::default()
            });
        client.take_over(state);
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

    /// One that topped up before the contract began to close is refunded too.
    fn old_client_state(&mut self, contract: Address, tx: Tx, owner: Address, state: ClientState) -> Applied {
        let clients = &self.old_mut(contract)?.clients;
        if !clients.contains_key(&owner) && clients.len() >= MAX_ACCOUNTS {
            return Err(ApplyError::TooMany("clients"));
        }
        self.move_cursor(contract, tx)?;
        let account = self.old_mut(contract)?.clients.entry(owner).or_default();
        if account.status != Status::Open && state.status == Status::Open {
            account.generation = account.generation.saturating_add(1);
        }
        account.told(state.status);
        account.tokens = account.tokens.max(state.tokens);
        Ok(())
    }

    pub(super) fn worker_state(
        &mut self,
        contract: Address,
        tx: Tx,
        owner: Address,
        state: WorkerState,
        at: u64,
    ) -> Applied {
        let Some(current) = self
            .current
            .as_mut()
            .filter(|current| current.terms.contract == contract)
        else {
            self.move_cursor(contract, tx)?;
            if let Some(account) = self.old_mut(contract)?.workers.get_mut(&owner) {
                account.told(state.status);
            }
            return Ok(());
        };
        if !current.workers.contains_key(&owner) && current.workers.len() >= MAX_ACCOUNTS {
            return Err(ApplyError::TooMany("workers"));
        }
        self.move_cursor(contract, tx)?;
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

    fn old_mut(&mut self, contract: Address) -> Result<&mut Old, ApplyError> {
        let mut old = self.old.iter_mut();
        let found = old.find(|old| old.terms.contract == contract);
        found.ok_or(ApplyError::NoContract)
    }

    pub(super) fn contract_state(&mut self, contract: Address, state: ContractState, at: u64) -> Applied {
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
        let old = self.old_mut(contract)?;
        old.state = state;
        old.proxy.seen(at, reached);
        if state.status == Status::Closed {
            self.old.retain(|old| old.terms.contract != contract);
        }
        Ok(())
    }

    pub(super) fn settlement_started(&mut self, settlement: Settlement, at: u64) -> Applied {
        let settling = self.settling_mut(settlement.contract, settlement.party)?;
        settling.in_flight = Some(InFlight {
            kind: settlement.kind,
            tokens: settlement.tokens,
            since: at,
        });
        Ok(())
    }

    pub(super) fn settlement_end(&mut self, contract: Address, party: Party, done: bool, at: u64) -> Applied {
        self.settling_mut(contract, party)?.end(done, at);
        let old = self.old.iter_mut().find(|old| old.terms.contract == contract);
        if let (Some(old), true) = (old, done) {
            let account = match party {
                Party::Client { owner } => old.clients.get_mut(&owner),
                Party::Worker { owner } => old.workers.get_mut(&owner),
                Party::Proxy => None,
            };
            account
                .into_iter()
                .for_each(|account| account.status = Status::Closed);
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
        let mut old = self.old.iter_mut();
        let old = old.find(|old| old.terms.contract == contract);
        let old = old.ok_or(ApplyError::NoContract)?;
        let settling = match party {
            Party::Client { owner } => old.clients.get_mut(&owner).map(|it| &mut it.settling),
            Party::Worker { owner } => old.workers.get_mut(&owner).map(|it| &mut it.settling),
            Party::Proxy => Some(&mut old.proxy),
        };
        settling.ok_or(ApplyError::NoAccount)
    }

    pub(super) fn ask_all(&mut self, at: u64) -> Applied {
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
