//! What the peer of one link is told of its account, in order.
//!
//! Requests of a client end side by side, each with the levels of its own moment. A peer takes a level that falls for a
//! lie and leaves, so none may hear an older word after a newer one: it hears the newest of both instead.

use tokio::sync::Mutex;

use crate::accounting::Statement;

/// Tells one peer over one link.
#[derive(Debug, Default)]
pub(crate) struct Teller {
    last: Mutex<Statement>,
}

// === impl Teller ===

impl Teller {
    /// Has `send` put the statement on the link, or the newer one that was told before. One at a time: what is sent first
    /// is heard first.
    pub(crate) async fn tell<T>(&self, statement: Statement, send: impl AsyncFnOnce(&Statement) -> T) -> T {
        let mut last = self.last.lock().await;
        advance(&mut last, statement);
        send(&last).await
    }
}

fn advance(last: &mut Statement, newer: Statement) {
    // The payment states the chain's level. None at all means that nothing may be signed now; an old one stays good.
    if !newer.payment.is_empty() && newer.levels.chain >= last.levels.chain {
        last.payment = newer.payment;
    }
    let levels = &mut last.levels;
    levels.memory = levels.memory.max(newer.levels.memory);
    levels.journal = levels.journal.max(newer.levels.journal);
    levels.chain = levels.chain.max(newer.levels.chain);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use cocoon_accounting::Levels;

    use super::Teller;
    use crate::accounting::Statement;

    fn statement(tokens: u64, payment: &'static str) -> Statement {
        Statement {
            payment: Bytes::from_static(payment.as_bytes()),
            levels: Levels::at(tokens),
        }
    }

    #[tokio::test]
    async fn nobody_hears_an_older_word_after_a_newer_one() {
        let teller = Teller::default();
        let hear = |statement| teller.tell(statement, async |told: &Statement| told.clone());
        assert_eq!(hear(statement(10, "a")).await, statement(10, "a"));
        assert_eq!(hear(statement(30, "c")).await, statement(30, "c"));
        assert_eq!(
            hear(statement(20, "b")).await,
            statement(30, "c"),
            "late, and not told"
        );
        assert_eq!(
            hear(statement(40, "")).await,
            statement(40, "c"),
            "nothing may be signed"
        );
    }
}
