//! A role's access to the chain: its wallet, the sender of it, and the registry that it follows.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use aws_lc_rs::hmac;
use cocoon_contracts::{
    RootConfig,
    wallet::{Outgoing, Wallet},
};
use cocoon_types::Address;

use crate::{
    chain::Chain,
    http_chain::{HttpChain, HttpChainError},
    registry::{Registry, RegistryError, RegistryOptions},
    wallet_file::{WalletFile, WalletFileError},
    wallet_sender::{SendError, WalletSender, WalletSenderOptions},
};

/// What a node that pays or is paid needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurseOptions {
    /// Where the chain is: `http://127.0.0.1:PORT`.
    pub chain: String,
    /// The network's root contract. Pinned: whoever owns it decides whom this node trusts.
    pub root: Address,
    /// The wallet; made if it is not there.
    pub wallet_file: PathBuf,
    /// Must be what the root contract says.
    pub is_test: bool,
}

/// The keys of a configuration that concern money, as they stand in a file or in flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PurseKeys {
    /// `chain`
    pub chain: Option<String>,
    /// `root`
    pub root: Option<String>,
    /// `wallet_file`
    pub wallet_file: Option<PathBuf>,
}

/// A value of these keys that cannot be. Each message names the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PurseKeysError {
    /// One without the other.
    #[error("{given}: goes with {missing} (hint: name both, or neither for a network without payments)")]
    Alone {
        /// What was given.
        given: &'static str,
        /// What was not.
        missing: &'static str,
    },
    /// No address.
    #[error("root: not an address: {0}")]
    Root(cocoon_types::AddressError),
    /// No chain.
    #[error("chain: {0}")]
    Chain(HttpChainError),
}

/// Why a purse cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PurseError {
    /// No chain to speak to.
    #[error("chain: it cannot be used")]
    Chain(#[from] HttpChainError),
    /// No wallet.
    #[error("wallet_file: it cannot be used")]
    Wallet(#[from] WalletFileError),
    /// No registry.
    #[error("root: the registry cannot be read")]
    Registry(#[from] RegistryError),
}

/// A wallet on a chain, in a network with a registry.
pub struct Purse {
    chain: Arc<dyn Chain>,
    /// What secrets are derived with.
    secrets: hmac::Key,
    sender: WalletSender,
    registry: Registry,
    root: Address,
}

/// A registry is looked at so often: what it takes back must be gone within a minute.
const REGISTRY_POLL: Duration = Duration::from_secs(15);

// === impl PurseKeys ===

impl PurseKeys {
    /// The options, or nothing for a network without payments. `wallet_file` is the default of the key.
    ///
    /// # Errors
    /// [`PurseKeysError`] names the key that is wrong.
    pub fn build(
        self,
        is_test: bool,
        wallet_file: impl FnOnce() -> PathBuf,
    ) -> Result<Option<PurseOptions>, PurseKeysError> {
        let alone = |given, missing| Err(PurseKeysError::Alone { given, missing });
        match (self.chain, self.root) {
            (None, None) if self.wallet_file.is_some() => alone("wallet_file", "chain"),
            (None, None) => Ok(None),
            (Some(_), None) => alone("chain", "root"),
            (None, Some(_)) => alone("root", "chain"),
            (Some(chain), Some(root)) => {
                HttpChain::new(&chain).map_err(PurseKeysError::Chain)?;
                Ok(Some(PurseOptions {
                    chain,
                    root: root.parse().map_err(PurseKeysError::Root)?,
                    wallet_file: self.wallet_file.unwrap_or_else(wallet_file),
                    is_test,
                }))
            }
        }
    }
}

// === impl Purse ===

impl Purse {
    /// Opens or makes the wallet, and reads the registry.
    ///
    /// # Errors
    /// [`PurseError`] names the key that is to blame.
    pub async fn open(options: &PurseOptions) -> Result<Self, PurseError> {
        let chain: Arc<dyn Chain> = Arc::new(HttpChain::new(&options.chain)?);
        let file = WalletFile::open_in_background(&options.wallet_file).await?;
        let purse = Self::new(chain, file.into_wallet(), options.root, options.is_test).await?;
        tracing::info!(address = %purse.address().non_bounceable(), "this node's wallet");
        Ok(purse)
    }

    /// A purse on any chain.
    ///
    /// # Errors
    /// [`RegistryError`]
    pub async fn new(
        chain: Arc<dyn Chain>,
        wallet: Wallet,
        root: Address,
        is_test: bool,
    ) -> Result<Self, RegistryError> {
        let options = RegistryOptions {
            poll: REGISTRY_POLL,
            ..RegistryOptions::new(is_test)
        };
        let registry = Registry::start(Arc::clone(&chain), root, options).await?;
        let secrets = hmac::Key::new(hmac::HMAC_SHA256, &wallet.key().seed()[..]);
        let sender = WalletSender::start(Arc::clone(&chain), wallet, WalletSenderOptions::default());
        Ok(Self {
            chain,
            secrets,
            sender,
            registry,
            root,
        })
    }

    /// The chain.
    pub fn chain(&self) -> &Arc<dyn Chain> {
        &self.chain
    }

    /// The wallet's address: the owner of what this node deploys.
    pub fn address(&self) -> Address {
        self.sender.address()
    }

    /// A secret of this node for this purpose and thing. It comes from the wallet's key, so that whoever has the 24 words
    /// has it too, and it tells nothing about the key or about other secrets.
    pub fn derive(&self, purpose: &str, of: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.secrets);
        context.update(purpose.as_bytes());
        // Ends the purpose: no purpose holds a zero byte.
        context.update(&[0]);
        context.update(of);
        let mut secret = [0; 32];
        secret.copy_from_slice(context.sign().as_ref());
        secret
    }

    /// What sends from the wallet; there is one for a wallet.
    pub fn sender(&self) -> &WalletSender {
        &self.sender
    }

    /// The network's configuration as it is now.
    pub fn registry(&self) -> Arc<RootConfig> {
        self.registry.config()
    }

    /// Follows the network's configuration.
    pub fn follow(&self) -> &Registry {
        &self.registry
    }

    /// The network's root contract.
    pub fn root(&self) -> Address {
        self.root
    }

    /// Sends messages in this order and waits until all are on their way on the chain.
    ///
    /// # Errors
    /// [`SendError`] of the first that was not sent; those after it may have been.
    pub async fn send(&self, messages: Vec<Outgoing>) -> Result<(), SendError> {
        // Queued together, so that the wallet takes them in one batch.
        let waiting: Vec<_> = messages
            .into_iter()
            .map(|message| self.sender.enqueue(message))
            .collect::<Result<_, _>>()?;
        for sent in waiting {
            sent.await?;
        }
        Ok(())
    }
}

impl fmt::Debug for Purse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Purse")
            .field("address", &self.address())
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{PurseKeys, PurseKeysError};

    const ROOT: &str = "0:714db5bbc8ee8bbb40f82c233cbe60a92201566d8f6ac1492551d518617ee59d";

    fn keys(chain: Option<&str>, root: Option<&str>) -> PurseKeys {
        PurseKeys {
            chain: chain.map(str::to_owned),
            root: root.map(str::to_owned),
            wallet_file: None,
        }
    }

    #[test]
    fn without_a_chain_nothing_is_paid() {
        assert_eq!(keys(None, None).build(true, PathBuf::new), Ok(None));
    }

    #[test]
    fn a_value_that_cannot_be_is_refused_with_its_key() {
        let build = |keys: PurseKeys| keys.build(true, PathBuf::new).unwrap_err().to_string();
        assert!(build(keys(Some("http://127.0.0.1:1"), None)).starts_with("chain: goes with root"));
        assert!(build(keys(None, Some(ROOT))).starts_with("root: goes with chain"));
        assert!(build(keys(Some("http://127.0.0.1:1"), Some("x"))).starts_with("root: not an address"));
        assert!(build(keys(Some("http://192.0.2.1:1"), Some(ROOT))).starts_with("chain: "));
        let alone = PurseKeys {
            wallet_file: Some(PathBuf::from("w")),
            ..keys(None, None)
        };
        assert!(matches!(
            alone.build(true, PathBuf::new),
            Err(PurseKeysError::Alone {
                given: "wallet_file",
                ..
            })
        ));
    }

    #[test]
    fn the_wallet_has_a_default_place() {
        let options = keys(Some("http://127.0.0.1:1"), Some(ROOT))
            .build(true, || PathBuf::from("/s/wallet.toml"))
            .unwrap()
            .unwrap();
        assert_eq!(options.wallet_file, PathBuf::from("/s/wallet.toml"));
    }
}
