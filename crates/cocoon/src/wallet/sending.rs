//! One external message of a wallet, from its signature to its confirmation.
//!
//! Nodes send through `cocoon_chain`'s sender, which queues. A person's command sends once and must say truly what became
//! of it: done, refused, run out unsent, or unknown.

use std::time::Duration;

use cocoon_chain::{Account, At, ChainError, Status, Transaction};
use cocoon_contracts::wallet::{self, Outgoing, Wallet};
use cocoon_types::Nanoton;
use tokio::time::Instant;

use crate::chain::Opened;
use crate::exit::Hinted;

/// For how long the wallet takes the message, in seconds of the chain's clock.
const VALID_S: u64 = 90;
/// The chain must have shown a block after the message's end before it counts as run out.
const DEADLINE: Duration = Duration::from_secs(180);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Transactions of the wallet that are looked through for ours.
const LOOK_BACK: usize = 64;
/// What one message costs beside its value, at most: what must stay so that the wallet can pay it.
pub(crate) const FEE_ROOM: Nanoton = Nanoton::new(10_000_000);
/// The same for a deployment: code is carried twice, in the external message and in the one that deploys.
const DEPLOY_ROOM: Nanoton = Nanoton::new(200_000_000);

/// What became of a message that was executed.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) transaction: Transaction,
    /// What the wallet paid beside the values.
    pub(crate) fee: Nanoton,
}

/// Signs, sends and waits until the wallet's own transaction shows that every message went out.
pub(crate) async fn send(on: &Opened, wallet: &Wallet, outgoing: &[Outgoing]) -> anyhow::Result<Sent> {
    let failed = |error: ChainError| on.failed(error);
    let account = on.account(wallet.address()).await?;
    check_balance(wallet, &account, outgoing)?;
    let seqno = wallet_seqno(&account)?;
    let until = on
        .chain
        .head()
        .await
        .map_err(failed)?
        .time
        .saturating_add(VALID_S);
    let valid_until =
        u32::try_from(until).map_err(|_| anyhow::anyhow!("the chain's clock is beyond 2106"))?;
    let external = wallet.external(seqno, valid_until, outgoing)?;
    on.chain
        .send(&external.message)
        .await
        .map_err(|error| match &error {
            ChainError::Refused { .. } => Hinted::failed(
                format!("{error}; nothing was sent"),
                "another program may use this wallet at the same time; try again",
            ),
            // It may have arrived all the same.
            _ => unknown(&error.to_string()),
        })?;
    let before = account.last.map_or(0, |last| last.lt);
    let transaction = confirmed(on, wallet, before, until, &external.body_hash).await?;
    let forwards = transaction
        .outbound
        .iter()
        .try_fold(transaction.fees, |sum, message| {
            sum.checked_add(message.forward_fee)
        });
    let fee = forwards.unwrap_or(transaction.fees);
    if !transaction.success || transaction.outbound.len() != outgoing.len() {
        return Err(Hinted::failed(
            format!("the wallet could not send it (it cost {fee})"),
            "does it hold the amount and the fee? `cocoon wallet balance`",
        ));
    }
    Ok(Sent { transaction, fee })
}

/// The number of the wallet's next message; a wallet that is not deployed yet begins at 0.
fn wallet_seqno(account: &Account) -> anyhow::Result<u32> {
    match (account.status, &account.data) {
        (Status::Active, Some(data)) => Ok(wallet::Storage::parse(data)?.seqno),
        (Status::Frozen, _) => Err(Hinted::failed(
            "the wallet is frozen: it owed storage fees for too long",
            "this program cannot thaw it; the coins are not lost",
        )),
        _ => Ok(0),
    }
}

fn check_balance(wallet: &Wallet, account: &Account, outgoing: &[Outgoing]) -> anyhow::Result<()> {
    let values = outgoing
        .iter()
        .filter(|message| message.mode & wallet::mode::ALL == 0)
        .map(|message| message.value);
    let deploys = outgoing.iter().any(|message| message.state_init.is_some());
    let room = if deploys { DEPLOY_ROOM } else { FEE_ROOM };
    let needed = values.chain([room]).try_fold(Nanoton::ZERO, Nanoton::checked_add);
    if needed.is_some_and(|needed| needed <= account.balance) {
        return Ok(());
    }
    let needed = needed.map_or_else(|| "more than there is".to_owned(), |needed| needed.to_string());
    Err(Hinted::failed(
        format!(
            "the wallet holds {} and needs {needed}, with room for the fee",
            account.balance
        ),
        format!("send coins to {}", wallet.address().non_bounceable()),
    ))
}

async fn confirmed(
    on: &Opened,
    wallet: &Wallet,
    before: u64,
    until: u64,
    body_hash: &[u8; 32],
) -> anyhow::Result<Transaction> {
    let (start, mut pause) = (Instant::now(), FIRST_PAUSE);
    let mut last_error = String::from("no block confirmed it");
    while start.elapsed() < DEADLINE {
        match look(on, wallet, before, body_hash).await {
            Ok((Some(found), _)) => return Ok(found),
            // The head was read before the account: all that the account will ever do with it is done.
            Ok((None, time)) if time > until => {
                return Err(Hinted::failed(
                    "the chain did not take the message in time; nothing was sent",
                    "try again; the chain may be busy or stalled",
                ));
            }
            Ok((None, _)) => {}
            Err(error) if error.is_passing() => last_error = error.to_string(),
            Err(error) => return Err(unknown(&error.to_string())),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Err(unknown(&last_error))
}

/// Our transaction, if it is there, and the time of a block before the look.
async fn look(
    on: &Opened,
    wallet: &Wallet,
    before: u64,
    body_hash: &[u8; 32],
) -> Result<(Option<Transaction>, u64), ChainError> {
    let time = on.chain.head().await?.time;
    let account = on.chain.account(wallet.address(), At::Latest).await?;
    let Some(newest) = account.last.filter(|last| last.lt > before) else {
        return Ok((None, time));
    };
    let list = on
        .chain
        .transactions(wallet.address(), newest, before, LOOK_BACK)
        .await?;
    let ours = list.into_iter().find(|transaction| {
        let inbound = transaction.inbound.as_ref();
        inbound.is_some_and(|message| message.external && message.body_hash == *body_hash)
    });
    Ok((ours, time))
}

fn unknown(reason: &str) -> anyhow::Error {
    Hinted::failed(
        format!("whether it was sent is not known: {reason}"),
        "look with `cocoon wallet history` before you send again",
    )
}
