use serde::{Deserialize, Serialize};

/// How a test network misbehaves: what nodes have to survive (spec/ton.md 4.3 and 7.1). The default is not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// So many of the next externals are taken and never executed.
    pub drop_next: u32,
    /// Every so-manieth external is taken and never executed; 0 means none.
    pub drop_every: u32,
    /// Externals wait for so many blocks more.
    pub delay_blocks: u32,
    /// A block takes the externals that wait for it in reverse order.
    pub reorder: bool,
    /// There are no new blocks. Time stands still.
    pub stall: bool,
    /// Nobody gets an answer.
    pub unreachable: bool,
}

impl Faults {
    /// Whether an external that came in as number `arrived`, counted from 1, is lost.
    pub(super) fn drops(&mut self, arrived: u64) -> bool {
        if self.drop_next > 0 {
            self.drop_next -= 1;
            return true;
        }
        self.drop_every > 0 && arrived.is_multiple_of(u64::from(self.drop_every))
    }
}
