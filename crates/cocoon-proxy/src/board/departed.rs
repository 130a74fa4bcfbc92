use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// How long a model whose last worker left is missed: time for a machine to start again.
const MEMORY: Duration = Duration::from_secs(600);
/// Models that are remembered; the oldest is forgotten for a new one, so that nobody can fill the memory with names.
const MOST: usize = 256;

/// Models that had workers a while ago. A request for one of them is told that there is no worker just now, which its
/// caller may try again, and not that there is no such model. (The original remembers every name for ever,
/// spec/network.md 10.3, 31.)
#[derive(Debug, Default)]
pub(super) struct Departed(VecDeque<(String, Instant)>);

impl Departed {
    /// The last worker of a model has left.
    pub(super) fn remember(&mut self, model: &str) {
        self.0.retain(|(name, _)| name != model);
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back((model.to_owned(), Instant::now()));
    }

    /// Whether the model had workers a while ago.
    pub(super) fn is_missed(&self, model: &str) -> bool {
        self.0
            .iter()
            .any(|(name, left)| name == model && left.elapsed() < MEMORY)
    }
}

#[cfg(test)]
mod tests {
    use super::{Departed, MEMORY, MOST};

    #[tokio::test(start_paused = true)]
    async fn a_model_is_missed_for_a_while() {
        let mut departed = Departed::default();
        departed.remember("m");
        assert!(departed.is_missed("m") && !departed.is_missed("n"));
        tokio::time::advance(MEMORY).await;
        assert!(!departed.is_missed("m"));
    }

    #[tokio::test]
    async fn names_do_not_pile_up() {
        let mut departed = Departed::default();
        departed.remember("first");
        for index in 0..MOST {
            departed.remember(&format!("m{index}"));
            departed.remember(&format!("m{index}"));
        }
        assert_eq!(departed.0.len(), MOST);
        assert!(!departed.is_missed("first"));
    }
}
