use cocoon_types::{Address, Nanoton};

use crate::{Cell, CellError, Flaw, Signed, op, reader::Reader, writer::Writer};

/// A message to a client contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A charge or granted refund; anybody may submit it.
    Signed(Signed),
    /// A person's or client's wish.
    Request {
        /// By which the sender finds its transaction.
        query_id: u64,
        /// What is to be done.
        action: Action,
        /// Where the rest of the coins goes.
        excesses: Address,
    },
}

/// What is asked of a client contract. Only the owner may, where nothing else is said and except to top up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Prove to the proxy that the wallet owns the contract.
    Register {
        /// The number that the proxy gave.
        nonce: u64,
    },
    /// Pay in. The coins travel with the message.
    TopUp {
        /// How much.
        coins: Nanoton,
    },
    /// Set the hash of the secret.
    ChangeSecretHash {
        /// SHA-256 of it.
        hash: [u8; 32],
    },
    /// Set the hash of the secret and pay in.
    ChangeSecretHashAndTopUp {
        /// How much.
        coins: Nanoton,
        /// SHA-256 of the secret.
        hash: [u8; 32],
    },
    /// Raise the stake, which is part of the balance.
    IncreaseStake {
        /// The stake from now on.
        stake: Nanoton,
    },
    /// Take out what is above the stake.
    Withdraw,
    /// The first time: begin to close. After the delay: close by force.
    RequestRefund,
    /// Ours: reopen a closed account and pay in.
    Reopen {
        /// How much.
        coins: Nanoton,
    },
    /// Ours: ask again for what a closed account is owed. Anybody may.
    Claim,
    /// Ours, from the proxy contract: the coins have arrived.
    TopUpAccepted {
        /// How much.
        coins: Nanoton,
    },
    /// Ours, from the proxy contract: the coins went back to the owner.
    TopUpRefused {
        /// How much.
        coins: Nanoton,
    },
    /// Ours, from the proxy contract: this part of a refund was not paid.
    RefundRefused {
        /// How much.
        coins: Nanoton,
    },
}

// === impl Message ===

impl Message {
    /// Writes the body.
    pub fn to_cell(&self) -> Cell {
        let (query_id, action, excesses) = match self {
            Self::Signed(signed) => return signed.to_cell(),
            Self::Request {
                query_id,
                action,
                excesses,
            } => (*query_id, action, excesses),
        };
        let w = Writer::body(action.op(), query_id);
        let w = match action {
            Action::Register { nonce } => w.u64(*nonce),
            Action::TopUp { coins }
            | Action::Reopen { coins }
            | Action::TopUpAccepted { coins }
            | Action::TopUpRefused { coins }
            | Action::RefundRefused { coins } => w.coins(*coins),
            Action::ChangeSecretHash { hash } => w.bytes(hash),
            Action::ChangeSecretHashAndTopUp { coins, hash } => w.coins(*coins).bytes(hash),
            Action::IncreaseStake { stake } => w.coins(*stake),
            Action::Withdraw | Action::RequestRefund | Action::Claim => w,
        };
        w.address(excesses).finish()
    }

    /// Reads a body.
    pub fn parse(cell: &Cell) -> Result<Self, CellError> {
        let mut r = Reader::new(cell, "client message")?;
        let op = r.u32("op")?;
        if matches!(op, op::CHARGE | op::GRANT_REFUND | op::GRANT_REFUND_OF) {
            return Signed::parse(cell).map(Self::Signed);
        }
        let query_id = r.u64("query_id")?;
        let action = match op {
            op::REGISTER => Action::Register {
                nonce: r.u64("nonce")?,
            },
            op::TOP_UP => Action::TopUp {
                coins: r.coins("coins")?,
            },
            op::CHANGE_SECRET_HASH => Action::ChangeSecretHash {
                hash: r.hash("secret hash")?,
            },
            op::CHANGE_SECRET_HASH_TOP_UP => {
                let coins = r.coins("coins")?;
                Action::ChangeSecretHashAndTopUp {
                    coins,
                    hash: r.hash("secret hash")?,
                }
            }
            op::INCREASE_STAKE => Action::IncreaseStake {
                stake: r.coins("stake")?,
            },
            op::WITHDRAW => Action::Withdraw,
            op::REQUEST_REFUND => Action::RequestRefund,
            op::REOPEN => Action::Reopen {
                coins: r.coins("coins")?,
            },
            op::CLIENT_CLAIM => Action::Claim,
            op::TOP_UP_ACCEPTED => Action::TopUpAccepted {
                coins: r.coins("coins")?,
            },
            op::TOP_UP_REFUSED => Action::TopUpRefused {
                coins: r.coins("coins")?,
            },
            op::REFUND_REFUSED => Action::RefundRefused {
                coins: r.coins("coins")?,
            },
            other => return Err(CellError::new("op", Flaw::Tag(other))),
        };
        let excesses = r.address("excesses")?;
        r.finish()?;
        Ok(Self::Request {
            query_id,
            action,
            excesses,
        })
    }
}

// === impl Action ===

impl Action {
    const fn op(&self) -> u32 {
        match self {
            Self::Register { .. } => op::REGISTER,
            Self::TopUp { .. } => op::TOP_UP,
            Self::ChangeSecretHash { .. } => op::CHANGE_SECRET_HASH,
            Self::ChangeSecretHashAndTopUp { .. } => op::CHANGE_SECRET_HASH_TOP_UP,
            Self::IncreaseStake { .. } => op::INCREASE_STAKE,
            Self::Withdraw => op::WITHDRAW,
            Self::RequestRefund => op::REQUEST_REFUND,
            Self::Reopen { .. } => op::REOPEN,
            Self::Claim => op::CLIENT_CLAIM,
            Self::TopUpAccepted { .. } => op::TOP_UP_ACCEPTED,
            Self::TopUpRefused { .. } => op::TOP_UP_REFUSED,
            Self::RefundRefused { .. } => op::REFUND_REFUSED,
        }
    }
}
