//! Messages that the proxy's payment key authorises (spec/ton.md 1.3, 4.1).
//!
//! The signature covers the hash of the payload cell and nothing before it: no domain separation, because the deployed
//! contracts check it so. The address in the payload pins the contract, and the contract's address pins the network.
//! The address for excesses is *not* signed, so whoever submits the message may put his own ([`Signed::repack`]).

use cocoon_types::Address;

use crate::{
    BocError, Cell, CellError, Flaw, SigningKey, boc, hash, key::is_signed, op, reader::Reader,
    writer::Writer,
};

mod acceptor;

pub use acceptor::Acceptor;

/// A signed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What is asked of the contract.
    pub kind: Kind,
    /// Random for every signature; replays are refused by the counter, not by this.
    pub query_id: u64,
    /// Adjusted tokens since the contract was created, never fewer than before; 0 for the two closes.
    pub tokens: u64,
    /// The contract that must accept it.
    pub contract: Address,
    /// Where the rest of the coins goes.
    pub excesses: Address,
    /// Over the payload's hash.
    pub signature: [u8; 64],
}

/// What a signed message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Client contract: charge up to this count.
    Charge,
    /// Client contract: charge up to this count, pay back the rest, close.
    GrantRefund,
    /// Client contract of ours that was reopened: the same. The original's kind is good for the first life only.
    GrantRefundOf {
        /// How often the account was reopened.
        generation: u32,
    },
    /// Worker contract: pay up to this count.
    Payout,
    /// Worker contract: pay up to this count and close.
    LastPayout,
    /// Proxy contract: begin to close.
    CloseRequest,
    /// Proxy contract: the delay has passed, finish.
    CloseComplete,
}

/// Why a signed message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It asks for something else than the place demands.
    #[error("a signed message of another kind")]
    Kind,
    /// It is for another contract.
    #[error("the signed message is for another contract")]
    Contract,
    /// The key did not sign it.
    #[error("the signature is wrong")]
    Signature,
}

/// Bytes that are not a signed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignedError {
    /// They are no bag of cells.
    #[error("no signed message")]
    Boc(#[source] BocError),
    /// The cells are none.
    #[error("no signed message")]
    Cell(#[source] CellError),
}

/// Bytes that are not the signed message which the place demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// They are no signed message at all.
    #[error(transparent)]
    Malformed(#[from] SignedError),
    /// They are another one.
    #[error(transparent)]
    Rejected(#[from] Rejected),
}

// === impl Signed ===

impl Signed {
    /// Signs a message. `tokens` is not written for the two closes.
    pub fn sign(
        key: &SigningKey,
        kind: Kind,
        query_id: u64,
        tokens: u64,
        contract: Address,
        excesses: Address,
    ) -> Self {
        let tokens = if kind.has_tokens() { tokens } else { 0 };
        let mut signed = Self {
            kind,
            query_id,
            tokens,
            contract,
            excesses,
            signature: [0; 64],
        };
        signed.signature = key.sign(&hash(&signed.payload()));
        signed
    }

    /// What a peer handed over, once it is known to be just this kind of message for this contract, signed by this key
    /// (spec/ton.md 4.1).
    ///
    /// # Errors
    /// [`NotAccepted`]
    pub fn accept(boc: &[u8], key: &[u8; 32], kind: Kind, contract: &Address) -> Result<Self, NotAccepted> {
        let signed = Self::from_boc(boc)?;
        signed.verify(key, kind, contract)?;
        Ok(signed)
    }

    /// Checks that this key signed just this kind of message for this contract.
    pub fn verify(&self, key: &[u8; 32], kind: Kind, contract: &Address) -> Result<(), Rejected> {
        if self.kind != kind {
            return Err(Rejected::Kind);
        }
        if self.contract != *contract {
            return Err(Rejected::Contract);
        }
        if !is_signed(key, &hash(&self.payload()), &self.signature) {
            return Err(Rejected::Signature);
        }
        Ok(())
    }

    /// The message to submit, with the rest of the coins to come back to `excesses`.
    pub fn repack(&self, excesses: Address) -> Cell {
        let signed = Self {
            excesses,
            ..self.clone()
        };
        signed.to_cell()
    }

    /// What is signed.
    pub fn payload(&self) -> Cell {
        let mut writer = Writer::body(self.kind.op(), self.query_id);
        if self.kind.has_tokens() {
            writer = writer.u64(self.tokens);
        }
        if let Kind::GrantRefundOf { generation } = self.kind {
            writer = writer.u32(generation);
        }
        writer.address(&self.contract).finish()
    }

    /// The envelope: 875 bits and the payload.
    pub fn to_cell(&self) -> Cell {
        let writer = Writer::body(self.kind.op(), self.query_id).address(&self.excesses);
        writer.bytes(&self.signature).reference(&self.payload()).finish()
    }

    /// Reads an envelope. The signature is not checked here.
    pub fn parse(cell: &Cell) -> Result<Self, CellError> {
        let mut r = Reader::new(cell, "signed message")?;
        let op = r.u32("op")?;
        let mut kind = Kind::of(op).ok_or(CellError::new("op", Flaw::Tag(op)))?;
        let query_id = r.u64("query_id")?;
        let excesses = r.address("excesses")?;
        let signature = r.bytes("signature")?;
        let payload = r.reference("payload")?;
        r.finish()?;
        let mut r = Reader::new(&payload, "signed payload")?;
        if r.u32("signed op")? != op {
            return Err(CellError::new("signed op", Flaw::Mismatch));
        }
        if r.u64("signed query_id")? != query_id {
            return Err(CellError::new("signed query_id", Flaw::Mismatch));
        }
        let tokens = if kind.has_tokens() { r.u64("tokens")? } else { 0 };
        if let Kind::GrantRefundOf { generation } = &mut kind {
            *generation = r.u32("generation")?;
        }
        let contract = r.address("contract")?;
        r.finish()?;
        Ok(Self {
            kind,
            query_id,
            tokens,
            contract,
            excesses,
            signature,
        })
    }

    /// As nodes hand it to each other.
    pub fn to_boc(&self) -> Vec<u8> {
        boc::encode(&self.to_cell())
    }

    /// Reads what another node handed over. The signature is not checked here.
    pub fn from_boc(bytes: &[u8]) -> Result<Self, SignedError> {
        let cell = boc::decode(bytes).map_err(SignedError::Boc)?;
        Self::parse(&cell).map_err(SignedError::Cell)
    }
}

// === impl Kind ===

impl Kind {
    /// The operation code.
    pub const fn op(self) -> u32 {
        match self {
            Self::Charge => op::CHARGE,
            Self::GrantRefund => op::GRANT_REFUND,
            Self::GrantRefundOf { .. } => op::GRANT_REFUND_OF,
            Self::Payout => op::WORKER_PAYOUT,
            Self::LastPayout => op::WORKER_LAST_PAYOUT,
            Self::CloseRequest => op::PROXY_CLOSE,
            Self::CloseComplete => op::PROXY_CLOSE_COMPLETE,
        }
    }

    const fn of(op: u32) -> Option<Self> {
        Some(match op {
            op::CHARGE => Self::Charge,
            op::GRANT_REFUND => Self::GrantRefund,
            op::GRANT_REFUND_OF => Self::GrantRefundOf { generation: 0 },
            op::WORKER_PAYOUT => Self::Payout,
            op::WORKER_LAST_PAYOUT => Self::LastPayout,
            op::PROXY_CLOSE => Self::CloseRequest,
            op::PROXY_CLOSE_COMPLETE => Self::CloseComplete,
            _ => return None,
        })
    }

    /// Whether the message states a count of tokens.
    pub const fn has_tokens(self) -> bool {
        !matches!(self, Self::CloseRequest | Self::CloseComplete)
    }
}
