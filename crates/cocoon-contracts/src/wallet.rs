//! The wallet: the standard contract v5r1, whose program is published by its makers and embedded as data (see NOTICE).
//!
//! It commits its new seqno before it sends (spec/ton.md 10.1, H1), and sends nothing that could fail the whole.

use cocoon_types::{Address, Nanoton};

use crate::{Cell, CellError, SigningKey, StateInit, code, hash, message, reader::Reader, writer::Writer};

mod mnemonic;

pub use mnemonic::{Mnemonic, MnemonicError, RANDOM_BYTES};

/// A wallet and its key.
#[derive(Debug)]
pub struct Wallet {
    key: SigningKey,
    id: u32,
    state_init: StateInit,
    address: Address,
}

/// Which TON network a wallet is for. It is part of the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// The main network, and every network of our own.
    Main,
    /// The public test network.
    Test,
}

/// A message that a wallet is to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// To whom.
    pub to: Address,
    /// Coins that travel with it.
    pub value: Nanoton,
    /// Whether they come back when the receiver refuses them. Never when something is deployed.
    pub bounce: bool,
    /// Deploys the receiver.
    pub state_init: Option<StateInit>,
    /// The contents.
    pub body: Option<Cell>,
    /// [`mode`]; [`mode::IGNORE_ERRORS`] is always added, since the wallet demands it.
    pub mode: u8,
    /// Text for a person; not written when there is a body.
    pub comment: Option<String>,
}

/// Bits that say how a message is sent.
pub mod mode {
    /// The fee comes out of the message's value.
    pub const ORDINARY: u8 = 0;
    /// The wallet pays the fee beside the value.
    pub const PAY_FEE: u8 = 1;
    /// When it cannot be sent, the others still are.
    pub const IGNORE_ERRORS: u8 = 2;
    /// Everything that the wallet has, whatever the value says.
    pub const ALL: u8 = 128;
}

/// An external message, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// The message.
    pub message: Cell,
    /// By which its transaction is found: the hash of its body.
    pub body_hash: [u8; 32],
}

/// What cannot be sent in one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExternalError {
    /// More messages than [`MAX_OUTGOING`].
    #[error("{0} messages are too many for one external message")]
    TooMany(usize),
    /// Text that is longer than [`MAX_COMMENT_BYTES`].
    #[error("a comment of {0} bytes is too long")]
    Comment(usize),
}

/// What a wallet's account remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Whether the key may still sign.
    pub is_signature_allowed: bool,
    /// Number of the next external message.
    pub seqno: u32,
    /// Network and number of the wallet.
    pub id: u32,
    /// The public key.
    pub public_key: [u8; 32],
}

/// Most messages in one external: what the virtual machine takes.
pub const MAX_OUTGOING: usize = 255;
/// Longest comment: what fits one cell.
pub const MAX_COMMENT_BYTES: usize = 123;

/// Hash of the program, as its makers publish it.
pub const CODE_HASH: [u8; 32] = [
    0x20, 0x83, 0x4b, 0x7b, 0x72, 0xb1, 0x12, 0x14, 0x7e, 0x1b, 0x2f, 0xb4, 0x57, 0xb8, 0x4e, 0x74, 0xd1,
    0xa3, 0x0f, 0x04, 0xf7, 0x37, 0xd4, 0xf6, 0x2a, 0x66, 0x8e, 0x95, 0x52, 0xd2, 0xb7, 0x2f,
];

const CODE: &[u8] = include_bytes!("wallet/v5r1.boc");
/// `sign`: authorised by a signature, from outside.
const SIGNED_EXTERNAL: u32 = 0x7369_676e;
const SEND_MESSAGE: u32 = 0x0ec3_c86d;
/// Workchain 0, version v5r1, number 0.
const CONTEXT: u32 = 0x8000_0000;

// === impl Wallet ===

impl Wallet {
    /// The wallet of a key.
    pub fn new(key: SigningKey, network: Network) -> Self {
        let id = CONTEXT ^ network.global_id();
        let data = Storage {
            is_signature_allowed: true,
            seqno: 0,
            id,
            public_key: key.public(),
        }
        .to_cell();
        let state_init = StateInit {
            code: code::embedded(CODE),
            data,
        };
        let address = state_init.address();
        Self {
            key,
            id,
            state_init,
            address,
        }
    }

    /// Where it is.
    pub fn address(&self) -> Address {
        self.address
    }

    /// What deploys it; the first external message brings it along.
    pub fn state_init(&self) -> &StateInit {
        &self.state_init
    }

    /// The key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Signs an external message that the wallet accepts once, with this seqno, until that unix second.
    pub fn external(
        &self,
        seqno: u32,
        valid_until: u32,
        outgoing: &[Outgoing],
    ) -> Result<External, ExternalError> {
        if outgoing.len() > MAX_OUTGOING {
            return Err(ExternalError::TooMany(outgoing.len()));
        }
        let mut list = Cell::default();
        for message in outgoing {
            let mode = message.mode | mode::IGNORE_ERRORS;
            let action = Writer::new().reference(&list).u32(SEND_MESSAGE).u8(mode);
            list = action.reference(&message.to_cell()?).finish();
        }
        let request = || {
            let writer = Writer::new()
                .u32(SIGNED_EXTERNAL)
                .u32(self.id)
                .u32(valid_until)
                .u32(seqno);
            // Actions that only send; no other actions.
            writer.maybe_reference(Some(&list)).bit(false)
        };
        let signature = self.key.sign(&hash(&request().finish()));
        let body = request().bytes(&signature).finish();
        let state_init = (seqno == 0).then_some(&self.state_init);
        let message = message::external(&self.address, state_init, &body);
        Ok(External {
            message,
            body_hash: hash(&body),
        })
    }
}

// === impl Network ===

impl Network {
    /// TON's number of the network, a negative one.
    const fn global_id(self) -> u32 {
        let id: i32 = match self {
            Self::Main => -239,
            Self::Test => -3,
        };
        id.cast_unsigned()
    }
}

// === impl Outgoing ===

impl Outgoing {
    /// The body that it travels with: the given one, the comment's, or an empty one.
    pub fn contents(&self) -> Result<Cell, ExternalError> {
        match (&self.body, &self.comment) {
            (Some(body), _) => Ok(body.clone()),
            (None, Some(comment)) => comment_body(comment),
            (None, None) => Ok(Cell::default()),
        }
    }

    /// The message.
    fn to_cell(&self) -> Result<Cell, ExternalError> {
        let comment = self.comment.as_deref().filter(|_| self.body.is_none());
        let comment = comment.map(comment_body).transpose()?;
        let body = self.body.as_ref().or(comment.as_ref());
        let bounce = self.bounce && self.state_init.is_none();
        Ok(message::internal(
            &self.to,
            self.value,
            bounce,
            self.state_init.as_ref(),
            body,
        ))
    }
}

fn comment_body(text: &str) -> Result<Cell, ExternalError> {
    if text.len() > MAX_COMMENT_BYTES {
        return Err(ExternalError::Comment(text.len()));
    }
    Ok(Writer::new().u32(0).bytes(text.as_bytes()).finish())
}

// === impl Storage ===

impl Storage {
    /// Writes the account's data, without extensions.
    pub fn to_cell(&self) -> Cell {
        let writer = Writer::new()
            .bit(self.is_signature_allowed)
            .u32(self.seqno)
            .u32(self.id);
        writer.bytes(&self.public_key).bit(false).finish()
    }

    /// Reads the account's data. Extensions are looked over.
    pub fn parse(cell: &Cell) -> Result<Self, CellError> {
        let mut r = Reader::new(cell, "wallet storage")?;
        let is_signature_allowed = r.bit("is_signature_allowed")?;
        let seqno = r.u32("seqno")?;
        let id = r.u32("id")?;
        let public_key = r.hash("public_key")?;
        r.maybe_reference("extensions")?;
        r.finish()?;
        Ok(Self {
            is_signature_allowed,
            seqno,
            id,
            public_key,
        })
    }
}
