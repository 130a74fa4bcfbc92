//! Owner's messages to the registry.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use cocoon_contracts::root::{Change, Message, model_hash};
use cocoon_contracts::wallet::{Outgoing, Wallet, mode};
use cocoon_contracts::{RegisteredProxy, RootConfig};
use cocoon_types::{Address, ModelName, Nanoton};

use crate::chain::Opened;
use crate::exit::Hinted;
use crate::text::say;
use crate::wallet::{FileArgs, sending};

#[derive(Debug, Args)]
pub(super) struct ImageArgs {
    /// The image's hash: 64 hexadecimal digits
    #[arg(value_name = "HASH", value_parser = hash)]
    hash: [u8; 32],
    /// Which role may run it
    #[arg(long, value_name = "ROLE")]
    of: ImageRole,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ImageRole {
    Proxy,
    Worker,
}

#[derive(Debug, Args)]
pub(super) struct ModelArgs {
    /// The model's full name (name@commit:hash), or its SHA-256 as 64 hexadecimal digits
    #[arg(value_name = "NAME")]
    model: String,
}

#[derive(Debug, Args)]
pub(super) struct ProxyArgs {
    /// Where workers connect
    #[arg(long, value_name = "IP:PORT", value_parser = endpoint)]
    workers: SocketAddrV4,
    /// Where clients connect
    #[arg(long, value_name = "IP:PORT", value_parser = endpoint)]
    clients: SocketAddrV4,
    /// Change the proxy of this number instead of adding one
    #[arg(long, value_name = "N")]
    seqno: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct SeqnoArgs {
    /// The proxy's number, as `cocoon network show` lists it
    #[arg(value_name = "N")]
    seqno: u32,
}

/// Travels with a message to the root contract, which sends back what it did not use.
const MESSAGE_VALUE: Nanoton = Nanoton::new(50_000_000);

// === impl Args ===

impl ImageArgs {
    pub(super) fn change(&self, allow: bool) -> Change {
        match (self.of, allow) {
            (ImageRole::Proxy, true) => Change::AddProxyHash(self.hash),
            (ImageRole::Proxy, false) => Change::DeleteProxyHash(self.hash),
            (ImageRole::Worker, true) => Change::AddWorkerHash(self.hash),
            (ImageRole::Worker, false) => Change::DeleteWorkerHash(self.hash),
        }
    }
}

impl ModelArgs {
    pub(super) fn change(&self, allow: bool) -> anyhow::Result<Change> {
        let hash = match hash(&self.model) {
            Ok(hash) => hash,
            Err(_) => model_hash(&ModelName::new(&self.model).map_err(|error| {
                Hinted::usage(
                    error.to_string(),
                    "as a worker announces it: name@commit:hash, or only the name",
                )
            })?),
        };
        Ok(if allow {
            Change::AddModelHash(hash)
        } else {
            Change::DeleteModelHash(hash)
        })
    }
}

impl ProxyArgs {
    pub(super) fn change(&self) -> Change {
        let proxy = RegisteredProxy {
            seqno: self.seqno.unwrap_or(0),
            workers: self.workers.to_string(),
            clients: self.clients.to_string(),
        };
        match self.seqno {
            Some(_) => Change::UpdateProxy(proxy),
            None => Change::RegisterProxy(proxy),
        }
    }
}

impl SeqnoArgs {
    pub(super) fn change(&self) -> Change {
        Change::UnregisterProxy(self.seqno)
    }
}

pub(super) async fn run(
    change: Change,
    root: Address,
    wallet: &FileArgs,
    on: &Opened,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let before = super::read(on, root).await?;
    if let Change::UpdateProxy(RegisteredProxy { seqno, .. }) | Change::UnregisterProxy(seqno) = &change
        && !before.proxies.iter().any(|proxy| proxy.seqno == *seqno)
    {
        return Err(Hinted::failed(
            format!("the registry lists no proxy {seqno}"),
            "`cocoon network show` lists the numbers",
        ));
    }
    let file = wallet.open()?;
    let after = apply(change, root, &before, file.wallet(), on).await?;
    say!("done: the registry is at version {}", after.version);
    super::show::print(root, &after, as_json);
    Ok(ExitCode::SUCCESS)
}

/// Sends one change and waits until the registry shows it.
pub(crate) async fn apply(
    change: Change,
    root: Address,
    before: &RootConfig,
    owner: &Wallet,
    on: &Opened,
) -> anyhow::Result<RootConfig> {
    if before.owner != owner.address() {
        return Err(Hinted::failed(
            format!(
                "only the owner {} may change this registry, not {}",
                before.owner,
                owner.address()
            ),
            "--wallet-file names the owner's wallet",
        ));
    }
    let message = Message {
        query_id: cocoon_web::clock::unix_now(),
        change,
    };
    let outgoing = Outgoing {
        to: root,
        value: MESSAGE_VALUE,
        bounce: true,
        state_init: None,
        body: Some(message.to_cell()),
        mode: mode::PAY_FEE,
        comment: None,
    };
    sending::send(on, owner, &[outgoing]).await?;
    let version = before.version;
    super::await_config(on, root, |config| config.version > version).await
}

fn hash(text: &str) -> Result<[u8; 32], String> {
    let wrong = || "64 hexadecimal digits".to_owned();
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let mut hash = [0; 32];
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).map_err(|_| wrong())?;
    }
    Ok(hash)
}

fn endpoint(text: &str) -> Result<SocketAddrV4, String> {
    let address: SocketAddrV4 = text
        .parse()
        .map_err(|_| "an IPv4 address and a port, as 203.0.113.5:11001".to_owned())?;
    if address.port() == 0 || *address.ip() == Ipv4Addr::UNSPECIFIED {
        return Err("the address that others dial, not 0".to_owned());
    }
    Ok(address)
}
