use cocoon_accounting::{Prices, PricesError, Terms};
use cocoon_contracts::{Deployment, MissingCode, Params, StateInit};
use cocoon_types::Address;

/// A proxy's contract as a network's root makes it: where it is, whose key signs for it, and on which terms. The proxy
/// itself, its clients and its workers derive the same one, so none has to believe another.
#[derive(Clone, Debug)]
pub struct ProxyContract {
    deployment: Deployment,
    /// Its address and what tokens cost there.
    pub terms: Terms,
    /// Who owns it.
    pub owner: Address,
    /// The Ed25519 key that signs charges and payouts.
    pub key: [u8; 32],
}

/// No contract can be derived from the registry's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// A code is missing.
    #[error("the registry's parameters cannot be used: {0}")]
    Code(#[from] MissingCode),
    /// Prices that no contract could work with.
    #[error("the registry's parameters cannot be used: {0}")]
    Prices(#[from] PricesError),
}

/// A proxy tells of addresses that do not derive from the registry: coins sent there, or work done for it, would be lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToldError {
    /// The registry itself is to blame.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// No address of an owner.
    #[error("the proxy names no address of an owner")]
    Owner,
    /// Another contract than its own.
    #[error("the proxy's contract {told} is not the one that its owner and key give ({derived})")]
    Contract {
        /// As the proxy says it.
        told: String,
        /// As it must be.
        derived: Address,
    },
    /// Another contract than ours.
    #[error("the proxy takes {told} for our contract, which is {derived}")]
    Account {
        /// As the proxy says it.
        told: String,
        /// As it must be.
        derived: Address,
    },
}

// === impl ProxyContract ===

impl ProxyContract {
    /// Characters of a told address that are worth reading; the longest form, `-1:` and 64 digits, has 67.
    pub const TOLD: usize = 67;

    /// The contract of the proxy with this owner and key, under the network's parameters (spec/ton.md 1.2).
    ///
    /// # Errors
    /// [`TermsError`]
    pub fn new(root: Address, params: Params, owner: Address, key: [u8; 32]) -> Result<Self, TermsError> {
        let prices = Prices::new(
            params.price_per_token,
            params.worker_fee_per_token,
            params.multipliers,
        )?;
        let deployment = Deployment::new(root, params)?;
        let params = deployment.params();
        let terms = Terms {
            contract: deployment.proxy(&owner, &key).address(),
            params_version: params.params_version,
            prices,
            proxy_delay: params.proxy_delay_before_close,
            client_delay: params.client_delay_before_close,
        };
        Ok(Self {
            deployment,
            terms,
            owner,
            key,
        })
    }

    /// The contract of a proxy that tells its owner, its key and its address. The texts are the proxy's.
    ///
    /// # Errors
    /// [`ToldError`]: have nothing to do with its money.
    pub fn told(
        root: Address,
        params: Params,
        owner: &str,
        key: [u8; 32],
        contract: &str,
    ) -> Result<Self, ToldError> {
        let owner = owner.parse().map_err(|_| ToldError::Owner)?;
        let own = Self::new(root, params, owner, key)?;
        let derived = own.address();
        if contract.parse() == Ok(derived) {
            return Ok(own);
        }
        Err(ToldError::Contract {
            told: contract.to_owned(),
            derived,
        })
    }

    /// The address of our own contract there, if the proxy names the same one. The text is the proxy's.
    ///
    /// # Errors
    /// [`ToldError::Account`]
    pub fn confirm(&self, ours: &StateInit, told: &str) -> Result<Address, ToldError> {
        let derived = ours.address();
        if told.parse() == Ok(derived) {
            return Ok(derived);
        }
        Err(ToldError::Account {
            told: told.to_owned(),
            derived,
        })
    }

    /// Where it is.
    pub const fn address(&self) -> Address {
        self.terms.contract
    }

    /// What the address derives from.
    pub const fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// The contract itself, to be deployed.
    pub fn init(&self) -> StateInit {
        self.deployment.proxy(&self.owner, &self.key)
    }

    /// The contract of the client with this owner.
    pub fn client(&self, owner: &Address) -> StateInit {
        self.deployment.client(owner, &self.terms.contract, &self.key)
    }

    /// The contract of the worker with this owner.
    pub fn worker(&self, owner: &Address) -> StateInit {
        self.deployment.worker(owner, &self.terms.contract, &self.key)
    }
}

#[cfg(test)]
mod tests;
