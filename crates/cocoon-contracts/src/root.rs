//! The root contract (spec/ton.md 2.1, 9.4): the registry of a network.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddrV4},
};

use aws_lc_rs::digest::{SHA256, digest};
use cocoon_types::{Address, ModelName};

use crate::{Cell, CellError, Params, StateInit, code, reader::Reader, writer::Writer};

mod lists;
mod message;

pub use message::{Change, Message, Terms};

/// What a root contract publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootConfig {
    /// Who may change it.
    pub owner: Address,
    /// Grows with every change.
    pub version: u32,
    /// Proxies to connect to, by seqno. Entries that are of another kind or malformed are left out.
    pub proxies: Vec<RegisteredProxy>,
    /// Seqno of the proxy registered last.
    pub last_proxy_seqno: u32,
    /// Accepted images of proxies.
    pub proxy_hashes: BTreeSet<[u8; 32]>,
    /// Accepted images of workers.
    pub worker_hashes: BTreeSet<[u8; 32]>,
    /// SHA-256 of accepted models' full names.
    pub model_hashes: BTreeSet<[u8; 32]>,
    /// Prices, delays, stakes and codes.
    pub params: Params,
    /// Public keys of key managers, uninterpreted; only networks of struct version 4 have it.
    pub key_manager: Option<Cell>,
}

/// A proxy that the root contract lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredProxy {
    /// Its number.
    pub seqno: u32,
    /// Where workers connect: `ip:port`, IPv4.
    pub workers: String,
    /// Where clients connect: `ip:port`, IPv4.
    pub clients: String,
}

/// Under which hash a root contract lists a model: SHA-256 of its full name, `name@commit:hash` (spec/ton.md 2.1).
pub fn model_hash(name: &ModelName) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, name.as_str().as_bytes()).as_ref());
    hash
}

// === impl RootConfig ===

impl RootConfig {
    /// Whether workers may serve this model. A test network that lists none allows all; elsewhere an empty list allows none.
    pub fn allows_model(&self, name: &ModelName) -> bool {
        let any = self.params.is_test && self.model_hashes.is_empty();
        any || self.model_hashes.contains(&model_hash(name))
    }

    /// Reads the account's data.
    pub fn parse(data: &Cell) -> Result<Self, CellError> {
        let mut r = Reader::new(data, "root data")?;
        let owner = r.address("owner")?;
        let version = r.u32("version")?;
        let lists = r.reference("lists")?;
        let params = Params::parse(&r.reference("params")?)?;
        let key_manager = match params.struct_version {
            4.. if r.references_left() > 0 => Some(r.reference("key manager")?),
            _ => None,
        };
        r.finish()?;
        let lists = lists::Lists::parse(&lists)?;
        Ok(Self {
            owner,
            version,
            proxies: lists.proxies,
            last_proxy_seqno: lists.last_proxy_seqno,
            proxy_hashes: lists.proxy_hashes,
            worker_hashes: lists.worker_hashes,
            model_hashes: lists.model_hashes,
            params,
            key_manager,
        })
    }

    /// Writes the account's data, with which a network is deployed.
    pub fn to_cell(&self) -> Cell {
        let writer = Writer::new().address(&self.owner).u32(self.version);
        let writer = writer
            .reference(&lists::to_cell(self))
            .reference(&self.params.to_cell());
        match &self.key_manager {
            Some(cell) => writer.reference(cell),
            None => writer,
        }
        .finish()
    }

    /// What deploys a network with our root contract.
    pub fn state_init(&self) -> StateInit {
        StateInit {
            code: code::root(),
            data: self.to_cell(),
        }
    }
}

// === impl RegisteredProxy ===

impl RegisteredProxy {
    /// One or two addresses, `ip:port` or `workers_ip:port clients_ip:port`.
    ///
    /// `None` for anything else.
    pub fn from_text(seqno: u32, text: &str) -> Option<Self> {
        let endpoint = |item: &str| {
            let item = item
                .strip_prefix('[')
                .and_then(|item| item.strip_suffix(']'))
                .unwrap_or(item);
            let address: SocketAddrV4 = item.parse().ok()?;
            (address.port() != 0 && *address.ip() != Ipv4Addr::UNSPECIFIED).then(|| address.to_string())
        };
        let (workers, clients) = text.split_once(' ').unwrap_or((text, text));
        Some(Self {
            seqno,
            workers: endpoint(workers)?,
            clients: endpoint(clients)?,
        })
    }

    /// As it is written in the contract.
    pub fn to_text(&self) -> String {
        if self.workers == self.clients {
            return self.workers.clone();
        }
        format!("{} {}", self.workers, self.clients)
    }
}

#[cfg(test)]
mod tests;
