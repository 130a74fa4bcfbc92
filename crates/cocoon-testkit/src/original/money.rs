//! What a peer of the original derives, sends to the chain and checks.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use cocoon_chain::{
    At, Chain as _, ProxyContract, WalletSender, WalletSenderOptions, wallet_file::WalletFile,
};
use cocoon_contracts::{
    Signed, StateInit,
    client::{Action, Message},
    signed::Kind,
    wallet::{Outgoing, mode},
};
use cocoon_tl::{TlString, proxy};
use cocoon_types::{Address, Nanoton};

use crate::money::Money;

/// Beside the coins of a message; the rest comes back.
const CARRIAGE: Nanoton = Nanoton::new(40_000_000);
/// What such a client pays in: the network's stake.
const STAKE: Nanoton = Nanoton::new(20_000_000);

/// A peer's account at one proxy.
#[derive(Debug)]
pub(super) struct OldAccount {
    pub(super) owner: Address,
    key: [u8; 32],
    kind: Kind,
    pub(super) init: StateInit,
    /// The highest levels that the proxy has told: signed, db, max.
    pub(super) told: [i64; 3],
}

/// A wallet that sends.
#[derive(Debug)]
pub(super) struct OldWallet {
    pub(super) address: Address,
    sender: WalletSender,
}

impl OldAccount {
    /// The account whose addresses the proxy told; they must be the derived ones, letter for letter.
    pub(super) fn at(
        money: &Money,
        owner: Address,
        kind: Kind,
        told: &proxy::Params,
        contract: &TlString,
    ) -> anyhow::Result<Self> {
        let proxy_owner = told.proxy_owner_address.as_str().context("an owner")?;
        let derived = ProxyContract::new(
            money.root,
            money.params.clone(),
            proxy_owner.parse()?,
            told.proxy_public_key,
        )?;
        ensure!(
            told.proxy_sc_address == derived.address().non_bounceable().as_str(),
            "the proxy's contract is the derived one, non-bounceable"
        );
        let init = match kind {
            Kind::Charge => derived.client(&owner),
            _ => derived.worker(&owner),
        };
        ensure!(
            *contract == init.address().non_bounceable().as_str(),
            "our contract is the derived one, non-bounceable"
        );
        Ok(Self {
            owner,
            key: told.proxy_public_key,
            kind,
            init,
            told: [0; 3],
        })
    }

    /// Takes what the proxy tells: a payment that is there and verifies, and levels that never fall.
    pub(super) fn take(&mut self, payment: &proxy::SignedPayment, db: i64, max: i64) -> anyhow::Result<()> {
        let proxy::SignedPayment::Payment(payment) = payment else {
            anyhow::bail!("the payment is empty");
        };
        let signed = Signed::accept(&payment.data, &self.key, self.kind, &self.init.address())?;
        let told = [i64::try_from(signed.tokens)?, db, max];
        for (now, before) in told.iter().zip(self.told) {
            ensure!(
                *now >= before,
                "a level has fallen: {told:?} after {:?}",
                self.told
            );
        }
        ensure!(
            told[0] <= told[1] && told[1] <= told[2],
            "signed, db, max in order: {told:?}"
        );
        self.told = told;
        Ok(())
    }

    pub(super) fn contract(&self) -> Address {
        self.init.address()
    }
}

impl OldWallet {
    pub(super) async fn open(money: &Money, name: &str) -> anyhow::Result<Self> {
        let (path, address) = money.wallet(name).await?;
        let wallet = WalletFile::open(&path)?.into_wallet();
        let chain = Arc::new(money.chain.clone());
        let sender = WalletSender::start(chain, wallet, WalletSenderOptions::default());
        Ok(Self { address, sender })
    }

    /// Puts a contract on the chain.
    pub(super) async fn deploy(&self, init: StateInit) -> anyhow::Result<()> {
        let outgoing = Outgoing {
            to: init.address(),
            value: Nanoton::new(100_000_000),
            bounce: false,
            state_init: Some(init),
            body: None,
            mode: mode::PAY_FEE,
            comment: None,
        };
        self.sender.send(outgoing).await?;
        Ok(())
    }

    /// Tells the client contract something; deploys it when it is not there.
    pub(super) async fn request(
        &self,
        money: &Money,
        account: &OldAccount,
        action: Action,
        coins: Nanoton,
    ) -> anyhow::Result<()> {
        let found = money.chain.account(account.contract(), At::Latest).await?;
        let message = Message::Request {
            query_id: 7,
            action,
            excesses: self.address,
        };
        let outgoing = Outgoing {
            to: account.contract(),
            value: CARRIAGE.checked_add(coins).context("too many coins")?,
            bounce: found.data.is_some(),
            state_init: found.data.is_none().then(|| account.init.clone()),
            body: Some(message.to_cell()),
            mode: mode::PAY_FEE,
            comment: None,
        };
        self.sender.send(outgoing).await?;
        Ok(())
    }

    /// Pays in, as the original's settlement loop does, and registers with the proxy's number: in this order, so that the
    /// proxy has seen the coins when it sees the number.
    pub(super) async fn register(
        &self,
        money: &Money,
        account: &OldAccount,
        nonce: i64,
    ) -> anyhow::Result<()> {
        let nonce = nonce.cast_unsigned();
        self.request(money, account, Action::TopUp { coins: STAKE }, STAKE)
            .await?;
        self.request(money, account, Action::Register { nonce }, Nanoton::ZERO)
            .await
    }
}
