//! What goes through a translator as it is: questions of both sides.

use std::time::Duration;

use bytes::Bytes;
use cocoon_link::{Link, QueryError};
use tokio::task::JoinSet;

/// Questions on their way; those of one peer. The original has one or two.
const MAX_QUESTIONS: usize = 64;
/// The longest that any question may take: an authorization (spec/network.md 6.11).
const DEADLINE: Duration = Duration::from_secs(300);
/// spec/network.md 0.
const CANCELLED: i32 = 653;

/// Questions that wait for their answers.
#[derive(Debug, Default)]
pub(crate) struct Questions(JoinSet<()>);

impl Questions {
    /// Asks `to` what `from` asked. One of too many gets no answer, as of a peer that is slow.
    pub(crate) fn pass(&mut self, from: &Link, id: i64, question: Bytes, to: &Link) {
        while self.0.try_join_next().is_some() {}
        if self.0.len() >= MAX_QUESTIONS {
            return;
        }
        let (from, to) = (from.clone(), to.clone());
        self.0.spawn(async move {
            let answer = match to.query(question, DEADLINE).await {
                Ok(answer) => Ok(answer),
                Err(QueryError::Refused { code, message }) => Err((code, message)),
                Err(error) => Err((CANCELLED, error.to_string())),
            };
            // Whoever asked may be gone.
            let _ = from.answer(id, answer).await;
        });
    }
}
