use cocoon_types::Address;

use crate::{Cell, Params, StateInit, client, proxy, worker};

/// What every address of a network derives from: the root contract and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    root: Address,
    params: Params,
    proxy: Cell,
    worker: Cell,
    client: Cell,
}

/// The parameters carry no code for a contract, so its address is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the parameters hold no code for the {0} contract")]
pub struct MissingCode(pub &'static str);

// === impl Deployment ===

impl Deployment {
    /// Takes the parameters as the root contract has them, with all three codes.
    pub fn new(root: Address, params: Params) -> Result<Self, MissingCode> {
        let codes = params.codes.clone();
        Ok(Self {
            root,
            proxy: codes.proxy.ok_or(MissingCode("proxy"))?,
            worker: codes.worker.ok_or(MissingCode("worker"))?,
            client: codes.client.ok_or(MissingCode("client"))?,
            params,
        })
    }

    /// The root contract.
    pub fn root(&self) -> &Address {
        &self.root
    }

    /// The parameters.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The contract of a proxy with this owner and payment key.
    pub fn proxy(&self, owner: &Address, key: &[u8; 32]) -> StateInit {
        let data = proxy::Storage::initial(*owner, *key, self.root, &self.params).to_cell();
        StateInit {
            code: self.proxy.clone(),
            data,
        }
    }

    /// The contract of a worker at a proxy.
    pub fn worker(&self, owner: &Address, proxy: &Address, proxy_key: &[u8; 32]) -> StateInit {
        let data = worker::Storage::initial(*owner, *proxy, *proxy_key, &self.params).to_cell();
        StateInit {
            code: self.worker.clone(),
            data,
        }
    }

    /// The contract of a client at a proxy. A client's owner is its wallet.
    pub fn client(&self, owner: &Address, proxy: &Address, proxy_key: &[u8; 32]) -> StateInit {
        let data = client::Storage::initial(*owner, *proxy, *proxy_key, &self.params).to_cell();
        StateInit {
            code: self.client.clone(),
            data,
        }
    }
}
