//! Contracts, sessions, commits.

use cocoon_types::Address;

use super::{Accounts, Applied, ApplyError};
use crate::{
    accounts::{
        MAX_OLD,
        state::{Generation, MAX_SESSIONS, Old, OldAccount, Outstanding, Settling},
    },
    terms::{Terms, Tx},
};

impl Accounts {
    pub(super) fn opened(&mut self, terms: Terms) -> Applied {
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
    pub(super) fn retired(&mut self) -> Applied {
        if !self.open.is_empty() {
            return Err(ApplyError::Order("an end before requests ended"));
        }
        if self.old.len() >= MAX_OLD {
            return Err(ApplyError::TooMany("old contracts"));
        }
        let current = self.current.take().ok_or(ApplyError::NoContract)?;
        let is_secured = self.commits.dirty.is_empty() && self.commits.outstanding.is_none();
        let quiet = |settling: Settling| Settling {
            in_flight: None,
            asked: None,
            ..settling
        };
        let clients = current.clients.iter().map(|(owner, client)| {
            let account = OldAccount {
                status: client.state.status,
                generation: client.generation,
                tokens: client.last_count(),
                settling: quiet(client.settling),
            };
            (*owner, account)
        });
        let workers = current.workers.iter().map(|(owner, worker)| {
            let account = OldAccount {
                status: worker.state.status,
                generation: 0,
                tokens: worker.levels.memory,
                settling: quiet(worker.settling),
            };
            (*owner, account)
        });
        self.old.push_back(Old {
            terms: current.terms,
            state: current.state,
            cursor: current.cursor,
            clients: clients.collect(),
            workers: workers.collect(),
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

    pub(super) fn session_started(&mut self, session: [u8; 32], seqno: u32, at: u64) -> Applied {
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

    pub(super) fn commit_planned(&mut self, seqno: u32, at: u64) -> Applied {
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

    pub(super) fn commit_secured(
        &mut self,
        contract: Address,
        tx: Tx,
        seqno: u32,
        session: [u8; 32],
    ) -> Applied {
        self.move_cursor(contract, tx)?;
        let is_current = self.terms().is_some_and(|terms| terms.contract == contract);
        let commits = &mut self.commits;
        let is_ours = is_current && session == commits.session;
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

    pub(super) fn move_cursor(&mut self, contract: Address, tx: Tx) -> Applied {
        let current = self
            .current
            .iter_mut()
            .map(|current| (current.terms.contract, &mut current.cursor));
        let old = self
            .old
            .iter_mut()
            .map(|old| (old.terms.contract, &mut old.cursor));
        let found = current.chain(old).find(|(known, _)| *known == contract);
        let cursor = found.ok_or(ApplyError::NoContract)?.1;
        if cursor.is_some_and(|cursor| cursor.lt >= tx.lt) {
            return Err(ApplyError::Order("a transaction"));
        }
        *cursor = Some(tx);
        Ok(())
    }
}
