//! Which chain a command speaks to, and what a person reads when that fails.

use std::sync::Arc;

use clap::Args;
use cocoon_chain::{Account, At, Chain, ChainError, HttpChain};
use cocoon_types::Address;

use crate::exit::Hinted;
use crate::running::Running;

/// Where the chain is.
#[derive(Clone, Debug, Args)]
pub(crate) struct ChainArgs {
    /// The chain: a ledger's HTTP address; without it that of the running `cocoon up`
    #[arg(long, value_name = "URL", env = "COCOON_CHAIN", global = true)]
    pub(crate) chain: Option<String>,
}

/// A chain and its name for messages.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) url: String,
    pub(crate) chain: Arc<dyn Chain>,
}

// === impl ChainArgs ===

impl ChainArgs {
    /// Names the chain and makes the client for it; nothing is asked yet.
    pub(crate) fn open(&self) -> anyhow::Result<Opened> {
        let given = self.chain.clone();
        let url = given.or_else(|| Running::find()?.ledger).ok_or_else(|| {
            Hinted::usage(
                "which chain? No network with one runs here",
                "start one with `cocoon up` or `cocoon ledger`, or name one with --chain URL",
            )
        })?;
        Opened::new(url)
    }
}

// === impl Opened ===

impl Opened {
    pub(crate) fn new(url: String) -> anyhow::Result<Self> {
        let chain = HttpChain::new(&url).map_err(|error| {
            Hinted::usage(
                format!("{url}: {error}"),
                "a ledger's address looks like http://127.0.0.1:11100",
            )
        })?;
        Ok(Self {
            url,
            chain: Arc::new(chain),
        })
    }

    /// The newest state of an account.
    pub(crate) async fn account(&self, address: Address) -> anyhow::Result<Account> {
        let account = self.chain.account(address, At::Latest).await;
        account.map_err(|error| self.failed(error))
    }

    /// A chain's error in words for a person.
    pub(crate) fn failed(&self, error: ChainError) -> anyhow::Error {
        let hint = if error.is_passing() {
            "is the ledger running, and is --chain its address?"
        } else {
            "is --chain the address of a Cocoon ledger?"
        };
        Hinted::failed(format!("{error} ({})", self.url), hint)
    }
}
