use std::{fmt, sync::Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use cocoon_accounting::{ClientPolicy, ClientView, Prices, Terms};
use cocoon_chain::Purse;
use cocoon_contracts::Deployment;
use cocoon_tl::{TlString, proxy};
use cocoon_types::Address;
use tokio::sync::Notify;

use super::{Account, State};

/// Which account this is, as a proxy tells it in the handshake, does not add up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("the proxy names no address of an owner")]
    Owner,
    #[error("the proxy's contract {told} is not the one that its owner and key give ({derived})")]
    ProxyContract { told: String, derived: Address },
    #[error("the proxy takes {told} for our contract, which is {derived}")]
    ClientContract { told: String, derived: Address },
    #[error("the registry's parameters cannot be worked with: {0}")]
    Params(String),
}

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
    /// [`OpenError`]: a proxy whose addresses do not derive from the registry gets no money.
    pub(crate) fn at(
        purse: &Purse,
        told: &proxy::Params,
        client_contract: &TlString,
        policy: ClientPolicy,
    ) -> Result<Self, OpenError> {
        let config = purse.registry();
        let deployment = Deployment::new(purse.root(), config.params.clone())
            .map_err(|error| OpenError::Params(error.to_string()))?;
        let owner = address(&told.proxy_owner_address).ok_or(OpenError::Owner)?;
        let proxy_contract = deployment.proxy(&owner, &told.proxy_public_key).address();
        if address(&told.proxy_sc_address) != Some(proxy_contract) {
            return Err(OpenError::ProxyContract {
                told: told.proxy_sc_address.lossy(100),
                derived: proxy_contract,
            });
        }
        let init = deployment.client(&purse.address(), &proxy_contract, &told.proxy_public_key);
        let contract = init.address();
        if address(client_contract) != Some(contract) {
            return Err(OpenError::ClientContract {
                told: client_contract.lossy(100),
                derived: contract,
            });
        }
        let params = &config.params;
        let prices = Prices::new(
            params.price_per_token,
            params.worker_fee_per_token,
            params.multipliers,
        )
        .map_err(|error| OpenError::Params(error.to_string()))?;
        let terms = Terms {
            contract: proxy_contract,
            params_version: params.params_version,
            prices,
            proxy_delay: params.proxy_delay_before_close,
            client_delay: params.client_delay_before_close,
        };
        Ok(Self {
            proxy_contract,
            proxy_key: told.proxy_public_key,
            init,
            contract,
            secret: Secret::derive(purse, &proxy_contract),
            policy,
            state: Mutex::new(State {
                view: ClientView::new(terms),
                payment: None,
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

fn address(text: &TlString) -> Option<Address> {
    text.as_str()?.parse().ok()
}
