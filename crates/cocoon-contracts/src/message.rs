//! Messages between accounts: reading an inbound one, building an internal or external one.

use cocoon_types::{Address, Nanoton};

use crate::{Cell, CellError, Flaw, StateInit, reader::Reader, writer::Writer};

/// A message as an account received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// Who sent it; `None` for an external message and for a sender outside workchain 0, who is nobody we know.
    pub source: Option<Address>,
    /// The account.
    pub destination: Address,
    /// Whether it came from outside the chain.
    pub external: bool,
    /// Coins that came along.
    pub value: Nanoton,
    /// Whether it comes back if the account refuses it.
    pub bounce: bool,
    /// Whether it is one that came back.
    pub bounced: bool,
    /// Logical time at which it was sent; 0 for an external message.
    pub created_lt: u64,
    /// Whether it deploys the account.
    pub deploys: bool,
    /// The contents, as a cell of its own wherever they stood.
    pub body: Cell,
}

/// Header bits of an internal message: `0`, no instant hypercube routing, bounce, not bounced.
const INTERNAL: u64 = 0b0100;
const BOUNCE: u64 = 0b0010;
/// Extra currencies, two fees, logical and unix time: all zero, filled in by the validator.
const FILLED_IN_BITS: u16 = 1 + 4 + 4 + 64 + 32;

// === impl Inbound ===

impl Inbound {
    /// Reads an inbound message of an account in workchain 0.
    pub fn parse(cell: &Cell) -> Result<Self, CellError> {
        let mut r = Reader::new(cell, "message")?;
        if r.bit("kind")? {
            return Self::external(r);
        }
        r.bit("ihr_disabled")?;
        let bounce = r.bit("bounce")?;
        let bounced = r.bit("bounced")?;
        let source = r.standard("source")?;
        let destination = r.address("destination")?;
        let value = r.coins("value")?;
        r.maybe_reference("extra currencies")?;
        r.skip_coins("ihr_fee")?;
        r.skip_coins("forward_fee")?;
        let created_lt = r.u64("created_lt")?;
        r.u32("created_at")?;
        let (deploys, body) = contents(r)?;
        let source = source.filter(|(workchain, _)| *workchain == 0);
        let source = source.map(|(_, account)| Address::new(account));
        Ok(Self {
            source,
            destination,
            external: false,
            value,
            bounce,
            bounced,
            created_lt,
            deploys,
            body,
        })
    }

    fn external(mut r: Reader<'_>) -> Result<Self, CellError> {
        if r.bit("kind")? {
            return Err(CellError::new("kind", Flaw::Tag(0b11)));
        }
        r.standard("source")?;
        let destination = r.address("destination")?;
        r.skip_coins("import_fee")?;
        let (deploys, body) = contents(r)?;
        Ok(Self {
            source: None,
            destination,
            external: true,
            value: Nanoton::ZERO,
            bounce: false,
            bounced: false,
            created_lt: 0,
            deploys,
            body,
        })
    }
}

/// An internal message as a contract sends it: no source (the validator fills it in).
///
/// A body that fits stands inline, which is cheaper; the state init has a cell of its own.
pub fn internal(
    to: &Address,
    value: Nanoton,
    bounce: bool,
    state_init: Option<&StateInit>,
    body: Option<&Cell>,
) -> Cell {
    let header = if bounce { INTERNAL | BOUNCE } else { INTERNAL };
    let writer = Writer::new()
        .uint(header, 4)
        .uint(0b00, 2)
        .address(to)
        .coins(value);
    let writer = writer.uint(0, 64).uint(0, FILLED_IN_BITS.saturating_sub(64));
    finish(writer, state_init, body)
}

/// An external message to an account.
pub fn external(to: &Address, state_init: Option<&StateInit>, body: &Cell) -> Cell {
    let writer = Writer::new()
        .uint(0b10, 2)
        .uint(0b00, 2)
        .address(to)
        .coins(Nanoton::ZERO);
    finish(writer, state_init, Some(body))
}

fn finish(writer: Writer, state_init: Option<&StateInit>, body: Option<&Cell>) -> Cell {
    let writer = match state_init {
        Some(init) => writer.uint(0b11, 2).reference(&init.to_cell()),
        None => writer.bit(false),
    };
    match body {
        None => writer.bit(false),
        Some(body) if writer.fits(body, 1) => writer.bit(false).contents(body),
        Some(body) => writer.bit(true).reference(body),
    }
    .finish()
}

/// State init and body.
fn contents(mut r: Reader<'_>) -> Result<(bool, Cell), CellError> {
    let deploys = r.bit("state init")?;
    if deploys && r.bit("state init")? {
        r.reference("state init")?;
    } else if deploys {
        skip_state_init(&mut r)?;
    }
    if !r.bit("body")? {
        return Ok((deploys, r.rest()?));
    }
    let body = r.reference("body")?;
    r.finish()?;
    Ok((deploys, body))
}

/// Split depth, special, code, data and libraries.
fn skip_state_init(r: &mut Reader<'_>) -> Result<(), CellError> {
    if r.bit("split_depth")? {
        r.uint(5, "split_depth")?;
    }
    if r.bit("special")? {
        r.uint(2, "special")?;
    }
    for field in ["code", "data", "libraries"] {
        r.maybe_reference(field)?;
    }
    Ok(())
}
