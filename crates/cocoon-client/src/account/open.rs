use std::{fmt, sync::Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use cocoon_accounting::{ClientPolicy, ClientView};
use cocoon_chain::{ProxyContract, Purse, ToldError};
use cocoon_contracts::signed::{Acceptor, Kind};
use cocoon_tl::{TlString, proxy};
use cocoon_types::Address;
use tokio::sync::Notify;

use super::{Account, State, left::Requests};

/// What proves to one proxy that we own our account there: 64 hexadecimal digits, derived from the wallet's key and the
/// proxy's contract, so that no proxy learns what another one takes (spec/ton.md 5.1).
pub(crate) struct Secret(String);

// === impl Secret ===

impl Secret {
    fn derive(purse: &Purse, proxy_contract: &Address) -> Self {
        Self(hex::encode(
            purse.derive("cocoon/client-secret/1", proxy_contract.as_bytes()),
        ))
    }

    /// To be shown to the proxy, inside the attested link.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Stands on the chain.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, self.0.as_bytes()).as_ref());
        hash
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

// === impl Account ===

impl Account {
    /// The account at the proxy that answered so. Nothing is on the chain yet.
    ///
    /// # Errors
    /// [`ToldError`]: a proxy whose addresses do not derive from the registry gets no money.
    pub(crate) fn at(
        purse: &Purse,
        told: &proxy::Params,
        client_contract: &TlString,
        policy: ClientPolicy,
    ) -> Result<Self, ToldError> {
        let proxy = ProxyContract::told(
            purse.root(),
            purse.registry().params.clone(),
            &told.proxy_owner_address.lossy(ProxyContract::TOLD),
            told.proxy_public_key,
            &told.proxy_sc_address.lossy(ProxyContract::TOLD),
        )?;
        let init = proxy.client(&purse.address());
        let contract = proxy.confirm(&init, &client_contract.lossy(ProxyContract::TOLD))?;
        let proxy_contract = proxy.address();
        Ok(Self {
            proxy_contract,
            proxy_key: proxy.key,
            init,
            contract,
            secret: Secret::derive(purse, &proxy_contract),
            policy,
            state: Mutex::new(State {
                view: ClientView::new(proxy.terms),
                payments: Acceptor::new(proxy.key, Kind::Charge, contract),
                payment: None,
                requests: Requests::default(),
                generation: 0,
                wish: None,
                closing: None,
                refund: None,
                trouble: None,
            }),
            nudge: Notify::new(),
        })
    }

    /// Whether this is the same account at the same proxy, so that what is known of it still holds.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.contract == other.contract
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }
}
