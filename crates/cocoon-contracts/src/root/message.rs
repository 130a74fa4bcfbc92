use cocoon_types::{Address, Nanoton};

use super::{RegisteredProxy, lists};
use crate::{Cell, CellError, Flaw, op, reader::Reader, writer::Writer};

/// What the owner asks of the root contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// By which the sender finds its transaction.
    pub query_id: u64,
    /// What is to change.
    pub change: Change,
}

/// A change of the root contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Allow a worker image.
    AddWorkerHash([u8; 32]),
    /// No longer allow a worker image.
    DeleteWorkerHash([u8; 32]),
    /// Allow a model.
    AddModelHash([u8; 32]),
    /// No longer allow a model.
    DeleteModelHash([u8; 32]),
    /// Allow a proxy image.
    AddProxyHash([u8; 32]),
    /// No longer allow a proxy image.
    DeleteProxyHash([u8; 32]),
    /// List a proxy under the next number, which is not in the message: `seqno` is not written and read as 0.
    RegisterProxy(RegisteredProxy),
    /// No longer list a proxy.
    UnregisterProxy(u32),
    /// Change a listed proxy.
    UpdateProxy(RegisteredProxy),
    /// Another price and fee. Changes every address; our contract refuses it.
    Price {
        /// Per adjusted token.
        price: Nanoton,
        /// Of it, for the worker.
        fee: Nanoton,
    },
    /// Other parameters. Changes every address.
    Params(Terms),
    /// Other codes of proxies, workers and clients. Changes every address.
    UpgradeContracts {
        /// Of proxy contracts.
        proxy: Cell,
        /// Of worker contracts.
        worker: Cell,
        /// Of client contracts.
        client: Cell,
    },
    /// Another code of the root contract.
    UpgradeCode(Cell),
    /// Other data and code of the root contract.
    UpgradeFull {
        /// The account's data from now on.
        data: Cell,
        /// Its code from now on.
        code: Cell,
    },
    /// Empty the lists.
    Reset,
    /// Another owner.
    Owner(Address),
}

/// Parameters that a message can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What a client pays for an adjusted token.
    pub price: Nanoton,
    /// What a worker earns of it.
    pub fee: Nanoton,
    /// Seconds from a proxy's close request to its completion.
    pub proxy_delay: u32,
    /// Seconds from a client's first refund request to its second.
    pub client_delay: u32,
    /// What a proxy should have at stake.
    pub min_proxy_stake: Nanoton,
    /// What a client keeps in reserve at first.
    pub min_client_stake: Nanoton,
}

// === impl Message ===

impl Message {
    /// Writes the body.
    pub fn to_cell(&self) -> Cell {
        let w = Writer::body(self.change.op(), self.query_id);
        match &self.change {
            Change::AddWorkerHash(hash)
            | Change::DeleteWorkerHash(hash)
            | Change::AddModelHash(hash)
            | Change::DeleteModelHash(hash)
            | Change::AddProxyHash(hash)
            | Change::DeleteProxyHash(hash) => w.bytes(hash),
            Change::RegisterProxy(proxy) => w.contents(&lists::entry(&proxy.to_text())),
            Change::UnregisterProxy(seqno) => w.u32(*seqno),
            Change::UpdateProxy(proxy) => w.u32(proxy.seqno).contents(&lists::entry(&proxy.to_text())),
            Change::Price { price, fee } => w.coins(*price).coins(*fee),
            Change::Params(terms) => terms.write(w),
            Change::UpgradeContracts {
                proxy,
                worker,
                client,
            } => w.reference(proxy).reference(worker).reference(client),
            Change::UpgradeCode(code) => w.reference(code),
            Change::UpgradeFull { data, code } => w.reference(data).reference(code),
            Change::Reset => w,
            Change::Owner(owner) => w.address(owner),
        }
        .finish()
    }

    /// Reads a body.
    pub fn parse(cell: &Cell) -> Result<Self, CellError> {
        let mut r = Reader::new(cell, "root message")?;
        let op = r.u32("op")?;
        let query_id = r.u64("query_id")?;
        let change = match op {
            op::ADD_WORKER_HASH => Change::AddWorkerHash(r.hash("hash")?),
            op::DELETE_WORKER_HASH => Change::DeleteWorkerHash(r.hash("hash")?),
            op::ADD_MODEL_HASH => Change::AddModelHash(r.hash("hash")?),
            op::DELETE_MODEL_HASH => Change::DeleteModelHash(r.hash("hash")?),
            op::ADD_PROXY_HASH => Change::AddProxyHash(r.hash("hash")?),
            op::DELETE_PROXY_HASH => Change::DeleteProxyHash(r.hash("hash")?),
            op::REGISTER_PROXY => Change::RegisterProxy(entry(0, &mut r)?),
            op::UNREGISTER_PROXY => Change::UnregisterProxy(r.u32("seqno")?),
            op::UPDATE_PROXY => Change::UpdateProxy(entry(r.u32("seqno")?, &mut r)?),
            op::CHANGE_PRICE => Change::Price {
                price: r.coins("price")?,
                fee: r.coins("fee")?,
            },
            op::CHANGE_PARAMS => Change::Params(Terms::read(&mut r)?),
            op::UPGRADE_CONTRACTS => Change::UpgradeContracts {
                proxy: r.reference("proxy code")?,
                worker: r.reference("worker code")?,
                client: r.reference("client code")?,
            },
            op::UPGRADE_CODE => Change::UpgradeCode(r.reference("code")?),
            op::UPGRADE_FULL => Change::UpgradeFull {
                data: r.reference("data")?,
                code: r.reference("code")?,
            },
            op::RESET => Change::Reset,
            op::CHANGE_OWNER => Change::Owner(r.address("owner")?),
            other => return Err(CellError::new("op", Flaw::Tag(other))),
        };
        r.finish()?;
        Ok(Self { query_id, change })
    }
}

fn entry(seqno: u32, r: &mut Reader<'_>) -> Result<RegisteredProxy, CellError> {
    let text = lists::read_entry(r)?;
    let proxy = text.and_then(|text| RegisteredProxy::from_text(seqno, &text));
    proxy.ok_or(CellError::new("proxy", Flaw::Range(u64::from(seqno))))
}

// === impl Change ===

impl Change {
    const fn op(&self) -> u32 {
        match self {
            Self::AddWorkerHash(_) => op::ADD_WORKER_HASH,
            Self::DeleteWorkerHash(_) => op::DELETE_WORKER_HASH,
            Self::AddModelHash(_) => op::ADD_MODEL_HASH,
            Self::DeleteModelHash(_) => op::DELETE_MODEL_HASH,
            Self::AddProxyHash(_) => op::ADD_PROXY_HASH,
            Self::DeleteProxyHash(_) => op::DELETE_PROXY_HASH,
            Self::RegisterProxy(_) => op::REGISTER_PROXY,
            Self::UnregisterProxy(_) => op::UNREGISTER_PROXY,
            Self::UpdateProxy(_) => op::UPDATE_PROXY,
            Self::Price { .. } => op::CHANGE_PRICE,
            Self::Params(_) => op::CHANGE_PARAMS,
            Self::UpgradeContracts { .. } => op::UPGRADE_CONTRACTS,
            Self::UpgradeCode(_) => op::UPGRADE_CODE,
            Self::UpgradeFull { .. } => op::UPGRADE_FULL,
            Self::Reset => op::RESET,
            Self::Owner(_) => op::CHANGE_OWNER,
        }
    }
}

// === impl Terms ===

impl Terms {
    fn write(&self, w: Writer) -> Writer {
        let w = w
            .coins(self.price)
            .coins(self.fee)
            .u32(self.proxy_delay)
            .u32(self.client_delay);
        w.coins(self.min_proxy_stake).coins(self.min_client_stake)
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CellError> {
        Ok(Self {
            price: r.coins("price")?,
            fee: r.coins("fee")?,
            proxy_delay: r.u32("proxy_delay")?,
            client_delay: r.u32("client_delay")?,
            min_proxy_stake: r.coins("min_proxy_stake")?,
            min_client_stake: r.coins("min_client_stake")?,
        })
    }
}
