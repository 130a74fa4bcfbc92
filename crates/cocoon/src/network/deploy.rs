//! `deploy`: the root contract of a new network.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
use cocoon_chain::Status;
use cocoon_contracts::wallet::{Outgoing, Wallet, mode};
use cocoon_contracts::{Params, RootConfig, code};
use cocoon_tee::development;
use cocoon_types::{Address, Multipliers, Nanoton};
use serde_json::json;

use crate::chain::Opened;
use crate::exit::Hinted;
use crate::text::{data, say};
use crate::wallet::{FileArgs, sending};

#[derive(Debug, Args)]
pub(super) struct DeployArgs {
    /// A network whose peers must have hardware evidence; without it a test network
    #[arg(long)]
    real: bool,
    /// List the images of the development TEE, which every node of a test network can show
    #[arg(long, conflicts_with = "real")]
    development: bool,
    /// Tells networks of one owner with the same parameters apart
    #[arg(long, value_name = "N", default_value_t = 0)]
    unique_id: u32,
    /// What clients pay for an adjusted token, in nanoTON; constant ever after, workers move their price by their
    /// coefficient
    #[arg(long, value_name = "NANOTON", default_value_t = PRICE)]
    price: u64,
    /// What the worker gets of it, in nanoTON; the rest is the proxy's share [default: 95 % of the price, rounded down]
    #[arg(long, value_name = "NANOTON")]
    worker_fee: Option<u64>,
    /// What a token weighs: prompt, cached prompt, completion, reasoning
    #[arg(long, value_name = "P,C,A,R", default_value = "1.0,0.1,8.0,8.0", value_parser = multipliers)]
    multipliers: Multipliers,
    /// Seconds from a client's wish to be paid out to its taking it alone [default: 60, real 3600]
    #[arg(long, value_name = "SECONDS")]
    client_delay: Option<u32>,
    /// Seconds from a proxy's wish to close to its end; 600 above the client's at least [default: 660, real 86400]
    #[arg(long, value_name = "SECONDS")]
    proxy_delay: Option<u32>,
    /// What a proxy has to stake before it may take new clients, in TON [default: 0, real 1]
    #[arg(long, value_name = "TON")]
    min_proxy_stake: Option<Nanoton>,
    /// What stays of a client's balance as its stake until it closes, in TON
    #[arg(long, value_name = "TON", default_value = "0.02")]
    min_client_stake: Nanoton,
}

/// What a network is deployed with, beside its owner.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    params: Params,
    worker_hashes: BTreeSet<[u8; 32]>,
    proxy_hashes: BTreeSet<[u8; 32]>,
    model_hashes: BTreeSet<[u8; 32]>,
}

/// One image of each kind of node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Images {
    pub(crate) worker: [u8; 32],
    pub(crate) proxy: [u8; 32],
}

/// What a network of the original's makers costs: 20 nanoTON a token, 19 of them for the worker.
const PRICE: u64 = 20;
/// Proxy contracts must outlast their clients' delays by this much, in seconds; the root contract insists.
const DELAY_MARGIN: u32 = 600;
/// Goes along with the deployment and stays: what the root contract pays its rent from, for years.
const ROOT_FLOAT: Nanoton = Nanoton::new(50_000_000);
const TENTHS: u32 = 10_000;

// === impl Images ===

impl Images {
    /// What the development TEE says of the roles.
    pub(crate) fn development() -> Self {
        Self {
            worker: development::image("worker").image_hash(),
            proxy: development::image("proxy").image_hash(),
        }
    }
}

// === impl Terms ===

impl Terms {
    /// A network for tests at the usual price. What is listed now does not need a message later.
    pub(crate) fn test(images: Images, models: &[[u8; 32]]) -> Self {
        Self {
            params: params(true, 0),
            worker_hashes: BTreeSet::from([images.worker]),
            proxy_hashes: BTreeSet::from([images.proxy]),
            model_hashes: models.iter().copied().collect(),
        }
    }

    fn config(self, owner: Address) -> RootConfig {
        RootConfig {
            owner,
            version: 1,
            proxies: Vec::new(),
            last_proxy_seqno: 0,
            proxy_hashes: self.proxy_hashes,
            worker_hashes: self.worker_hashes,
            model_hashes: self.model_hashes,
            params: self.params,
            key_manager: None,
        }
    }
}

fn params(is_test: bool, unique_id: u32) -> Params {
    let (client_delay, proxy_delay, proxy_stake) = if is_test {
        (60, 660, Nanoton::ZERO)
    } else {
        (3600, 86_400, Nanoton::new(1_000_000_000))
    };
    Params {
        struct_version: Params::STRUCT_VERSION,
        params_version: 1,
        unique_id,
        is_test,
        price_per_token: Nanoton::new(PRICE),
        worker_fee_per_token: Nanoton::new(PRICE * 95 / 100),
        multipliers: Multipliers {
            prompt: TENTHS,
            cached: TENTHS / 10,
            completion: TENTHS * 8,
            reasoning: TENTHS * 8,
        },
        proxy_delay_before_close: proxy_delay,
        client_delay_before_close: client_delay,
        min_proxy_stake: proxy_stake,
        min_client_stake: Nanoton::new(20_000_000),
        codes: code::codes(),
    }
}

// === impl DeployArgs ===

impl DeployArgs {
    fn terms(self) -> anyhow::Result<Terms> {
        let usual = params(!self.real, self.unique_id);
        let usual_fee = u128::from(self.price) * 95 / 100;
        let fee = self
            .worker_fee
            .unwrap_or(u64::try_from(usual_fee).unwrap_or(u64::MAX));
        if fee > self.price {
            return Err(Hinted::usage(
                format!(
                    "a worker's fee of {fee} nanoTON is more than the price of {}",
                    self.price
                ),
                "--worker-fee is the worker's part of --price",
            ));
        }
        let client_delay = self.client_delay.unwrap_or(usual.client_delay_before_close);
        let least = client_delay.saturating_add(DELAY_MARGIN);
        let proxy_delay = self
            .proxy_delay
            .unwrap_or(usual.proxy_delay_before_close.max(least));
        if proxy_delay < least {
            return Err(Hinted::usage(
                format!(
                    "a proxy that closes after {proxy_delay} s could be gone before its clients have taken their coins"
                ),
                format!("--proxy-delay has to be {least} at least: --client-delay and {DELAY_MARGIN} s"),
            ));
        }
        let params = Params {
            price_per_token: Nanoton::new(self.price),
            worker_fee_per_token: Nanoton::new(fee),
            multipliers: self.multipliers,
            client_delay_before_close: client_delay,
            proxy_delay_before_close: proxy_delay,
            min_proxy_stake: self.min_proxy_stake.unwrap_or(usual.min_proxy_stake),
            min_client_stake: self.min_client_stake,
            ..usual
        };
        let images = self.development.then(Images::development);
        Ok(Terms {
            params,
            worker_hashes: images.iter().map(|images| images.worker).collect(),
            proxy_hashes: images.iter().map(|images| images.proxy).collect(),
            model_hashes: BTreeSet::new(),
        })
    }
}

pub(super) async fn run(
    args: DeployArgs,
    wallet: &FileArgs,
    on: &Opened,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let terms = args.terms()?;
    let file = wallet.open()?;
    let (root, fee) = deploy(terms, file.wallet(), on).await?;
    match fee {
        Some(fee) => say!("deployed, for {ROOT_FLOAT} as its float and a fee of {fee}"),
        None => say!("it was deployed before (--unique-id makes another with the same parameters)"),
    }
    if as_json {
        let fee = fee.map(|fee| fee.nano().to_string());
        data!("{}", json!({"root": root, "owner": file.address(), "fee": fee}));
    } else {
        data!("{root}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Deploys a network unless it is there, and gives its root's address and the fee.
pub(crate) async fn deploy(
    terms: Terms,
    owner: &Wallet,
    on: &Opened,
) -> anyhow::Result<(Address, Option<Nanoton>)> {
    let state_init = terms.config(owner.address()).state_init();
    let root = state_init.address();
    if on.account(root).await?.status == Status::Active {
        return Ok((root, None));
    }
    let outgoing = Outgoing {
        to: root,
        value: ROOT_FLOAT,
        bounce: false,
        state_init: Some(state_init),
        body: None,
        mode: mode::PAY_FEE,
        comment: None,
    };
    let sent = sending::send(on, owner, &[outgoing]).await?;
    super::await_config(on, root, |_| true).await?;
    Ok((root, Some(sent.fee)))
}

/// Four decimals of up to four places, exactly.
fn multipliers(text: &str) -> Result<Multipliers, String> {
    let one = |text: &str| {
        let (whole, decimals) = text.trim().split_once('.').unwrap_or((text.trim(), "0"));
        let digits = |part: &str| {
            !part.is_empty() && part.len() <= 5 && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        (digits(whole) && digits(decimals) && decimals.len() <= 4).then(|| {
            let whole: u32 = whole.parse().ok()?;
            let decimals: u32 = format!("{decimals:0<4}").parse().ok()?;
            whole.checked_mul(TENTHS)?.checked_add(decimals)
        })?
    };
    let numbers: Option<Vec<u32>> = text.split(',').map(one).collect();
    match numbers.as_deref() {
        Some(&[prompt, cached, completion, reasoning]) => Ok(Multipliers {
            prompt,
            cached,
            completion,
            reasoning,
        }),
        _ => Err("four numbers with up to four decimals, as 1.0,0.1,8.0,8.0".to_owned()),
    }
}

#[cfg(test)]
mod tests;
