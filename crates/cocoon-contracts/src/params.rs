use cocoon_types::{Multipliers, Nanoton};

use crate::{Cell, CellError, Flaw, reader::Reader, writer::Writer};

/// The parameters of a network (spec/ton.md 1.2). They are part of every contract's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// Which fields the cell has; 0 to 4 are read and written again as they were. We deploy [`Params::STRUCT_VERSION`].
    pub struct_version: u8,
    /// Grows with every change.
    pub params_version: u32,
    /// Tells networks apart.
    pub unique_id: u32,
    /// Whether hardware evidence may be missing.
    pub is_test: bool,
    /// What a client pays for an adjusted token.
    pub price_per_token: Nanoton,
    /// What a worker earns of it.
    pub worker_fee_per_token: Nanoton,
    /// What each class of token weighs. Versions 0 and 1 carry none of these, version 2 cached and reasoning only.
    pub multipliers: Multipliers,
    /// Seconds from a proxy's close request to its completion.
    pub proxy_delay_before_close: u32,
    /// Seconds from a client's first refund request to its second.
    pub client_delay_before_close: u32,
    /// What a proxy should have at stake. Version 0 does not carry it.
    pub min_proxy_stake: Nanoton,
    /// What a client keeps in reserve at first. Version 0 does not carry it.
    pub min_client_stake: Nanoton,
    /// The programs.
    pub codes: Codes,
}

/// The programs that a parameter cell carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Codes {
    /// Of proxy contracts.
    pub proxy: Option<Cell>,
    /// Of worker contracts.
    pub worker: Option<Cell>,
    /// Of client contracts.
    pub client: Option<Cell>,
}

/// Newest version that is read: later ones have the same fields so far, but nobody can know.
const NEWEST: u8 = 4;
/// What stakes are where the cell does not say: 1 TON.
const DEFAULT_STAKE: Nanoton = Nanoton::new(1_000_000_000);

// === impl Params ===

impl Params {
    /// The version that we deploy, and the newest that the original's nodes of 2025 take.
    pub const STRUCT_VERSION: u8 = 3;

    /// Codes kept in the root contract.
    pub const ALL_CODES: u8 = 0b111;
    /// Codes kept in a proxy contract: worker and client.
    pub const PROXY_CODES: u8 = 0b110;
    /// Codes kept in worker and client contracts.
    pub const NO_CODES: u8 = 0;

    /// The same with only the codes of a mask: bit 0 proxy, bit 1 worker, bit 2 client.
    pub fn with_codes(&self, mask: u8) -> Self {
        let keep = |bit: u8, code: &Option<Cell>| code.clone().filter(|_| mask & bit != 0);
        let codes = Codes {
            proxy: keep(0b001, &self.codes.proxy),
            worker: keep(0b010, &self.codes.worker),
            client: keep(0b100, &self.codes.client),
        };
        Self {
            codes,
            ..self.clone()
        }
    }

    /// Writes the fields that the version has.
    pub fn to_cell(&self) -> Cell {
        let m = &self.multipliers;
        let mut w = Writer::new().u8(self.struct_version);
        w = w.u32(self.params_version).u32(self.unique_id).bit(self.is_test);
        w = w.coins(self.price_per_token).coins(self.worker_fee_per_token);
        w = match self.struct_version {
            0 | 1 => w,
            2 => w.u32(m.cached).u32(m.reasoning),
            _ => w.u32(m.prompt).u32(m.cached).u32(m.completion).u32(m.reasoning),
        };
        w = w
            .u32(self.proxy_delay_before_close)
            .u32(self.client_delay_before_close);
        if self.struct_version >= 1 {
            w = w.coins(self.min_proxy_stake).coins(self.min_client_stake);
        }
        let codes = &self.codes;
        w = w
            .maybe_reference(codes.proxy.as_ref())
            .maybe_reference(codes.worker.as_ref());
        w.maybe_reference(codes.client.as_ref()).finish()
    }

    /// Reads a parameter cell; absent fields get the defaults of the original.
    pub fn parse(cell: &Cell) -> Result<Self, CellError> {
        let mut r = Reader::new(cell, "params")?;
        let struct_version = r.u8("struct_version")?;
        if struct_version > NEWEST {
            return Err(CellError::new("struct_version", Flaw::Version(struct_version)));
        }
        let params_version = r.u32("params_version")?;
        let unique_id = r.u32("unique_id")?;
        let is_test = r.bit("is_test")?;
        let price_per_token = r.coins("price_per_token")?;
        let worker_fee_per_token = r.coins("worker_fee_per_token")?;
        let mut multipliers = Multipliers::ONE;
        if struct_version >= 3 {
            multipliers.prompt = r.u32("prompt multiplier")?;
        }
        if struct_version >= 2 {
            multipliers.cached = r.u32("cached multiplier")?;
        }
        if struct_version >= 3 {
            multipliers.completion = r.u32("completion multiplier")?;
        }
        if struct_version >= 2 {
            multipliers.reasoning = r.u32("reasoning multiplier")?;
        }
        let proxy_delay_before_close = r.u32("proxy_delay_before_close")?;
        let client_delay_before_close = r.u32("client_delay_before_close")?;
        let (mut min_proxy_stake, mut min_client_stake) = (DEFAULT_STAKE, DEFAULT_STAKE);
        if struct_version >= 1 {
            min_proxy_stake = r.coins("min_proxy_stake")?;
            min_client_stake = r.coins("min_client_stake")?;
        }
        let codes = Codes {
            proxy: r.maybe_reference("proxy code")?,
            worker: r.maybe_reference("worker code")?,
            client: r.maybe_reference("client code")?,
        };
        r.finish()?;
        Ok(Self {
            struct_version,
            params_version,
            unique_id,
            is_test,
            price_per_token,
            worker_fee_per_token,
            multipliers,
            proxy_delay_before_close,
            client_delay_before_close,
            min_proxy_stake,
            min_client_stake,
            codes,
        })
    }
}
