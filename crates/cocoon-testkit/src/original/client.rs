use std::net::SocketAddr;

use anyhow::{Context as _, bail, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use bytes::{Bytes, BytesMut};
use cocoon_contracts::client::Action;
use cocoon_contracts::signed::Kind;
use cocoon_tl::shared::TokensUsed;
use cocoon_tl::{TlObject as _, TlString, client, http, peek_id, proxy};
use cocoon_types::{Address, Nanoton};
use serde_json::Value;

use super::money::{OldAccount, OldWallet};
use super::{PATIENCE, fresh_id, http_request, packet, versions};
use crate::hostile::Peer;
use crate::money::Money;

/// A client of the original, past its authorisation.
#[derive(Debug)]
pub struct OldClient {
    /// Its link.
    pub peer: Peer,
    version: i32,
    wallet: OldWallet,
    account: OldAccount,
}

/// What its caller asks.
#[derive(Clone, Debug)]
pub struct OldRequest {
    /// On the client leg.
    pub id: [u8; 32],
    /// The whole `http.request`.
    pub query: Bytes,
    /// The reservation.
    pub max_tokens: i32,
    /// The most that is paid.
    pub max_coefficient: i32,
    /// In seconds.
    pub timeout: f64,
}

/// What its caller gets.
#[derive(Clone, Debug)]
pub struct OldAnswer {
    /// The HTTP status, or the code of an error that has none.
    pub status: i32,
    /// The body.
    pub body: Bytes,
    /// Messages that brought it.
    pub parts: usize,
    /// As told in the last message.
    pub used: TokensUsed,
    /// Whether an error cut it off.
    pub broken: bool,
}

// === impl OldClient ===

impl OldClient {
    /// Dials and authorises the long way: a message on the chain carries the proxy's number. Speaks versions up to `most`.
    ///
    /// # Errors
    /// When the proxy does not do what the original's client insists on.
    pub async fn connect(money: &Money, proxy: SocketAddr, name: &str, most: i32) -> anyhow::Result<Self> {
        let wallet = OldWallet::open(money, name).await?;
        let (peer, connected) = Self::dial(proxy, wallet.address, most).await?;
        let mut account = account(money, wallet.address, &connected)?;
        let client::ProxyConnectionAuth::Long(auth) = connected.auth else {
            bail!("a client that the proxy does not know is asked for the long way");
        };
        wallet.register(money, &account, auth.nonce).await?;
        let answer = peer.ask(&client::AuthorizeWithProxyLong {}).await?;
        authorized(&mut account, answer)?;
        let version = connected.params.proto_version.unwrap_or(0);
        ensure!(version == most, "the highest common version: {version}");
        Ok(Self {
            peer,
            version,
            wallet,
            account,
        })
    }

    /// Leaves, sets a secret on the chain, and comes back with the short authorisation.
    ///
    /// # Errors
    /// When the proxy does not let it in.
    pub async fn reconnect_with_secret(self, money: &Money, proxy: SocketAddr) -> anyhow::Result<Self> {
        let secret = "a secret of high entropy";
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
        let Self {
            peer,
            version,
            wallet,
            mut account,
        } = self;
        peer.link.close("comes back");
        let set = Action::ChangeSecretHash { hash };
        wallet.request(money, &account, set, Nanoton::ZERO).await?;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let (peer, connected) = Self::dial(proxy, wallet.address, version).await?;
            if let client::ProxyConnectionAuth::Short(auth) = connected.auth
                && auth.secret_hash == hash
            {
                account.take(&connected.signed_payment, account.told[1], account.told[2])?;
                let data = Bytes::from_static(secret.as_bytes());
                let answer = peer.ask(&client::AuthorizeWithProxyShort { data }).await?;
                authorized(&mut account, answer)?;
                return Ok(Self {
                    peer,
                    version,
                    wallet,
                    account,
                });
            }
            ensure!(
                tokio::time::Instant::now() < deadline,
                "the proxy does not see the secret's hash"
            );
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }

    async fn dial(
        proxy: SocketAddr,
        owner: Address,
        most: i32,
    ) -> anyhow::Result<(Peer, client::ConnectedToProxy)> {
        let peer = Peer::dial_without_evidence(proxy).await?;
        let connected = peer
            .ask(&client::ConnectToProxy {
                params: client::Params {
                    client_owner_address: TlString::from(owner.non_bounceable()),
                    is_test: Some(true),
                    proto_versions: versions(most),
                },
                min_config_version: 1,
            })
            .await?;
        Ok((peer, connected))
    }

    /// Its owner.
    pub fn owner(&self) -> Address {
        self.account.owner
    }

    /// Its contract.
    pub fn contract(&self) -> Address {
        self.account.contract()
    }

    /// Its wallet's address, which is its owner.
    pub fn wallet(&self) -> Address {
        self.wallet.address
    }

    /// What the proxy has told: signed, in its database, in its memory.
    pub fn told(&self) -> [i64; 3] {
        self.account.told
    }

    /// Sends a request and does not wait.
    ///
    /// # Errors
    /// When the link has ended.
    pub async fn send(&self, request: &OldRequest) -> anyhow::Result<()> {
        let request = request.clone();
        if self.version == 0 {
            self.peer
                .say(&client::RunQuery {
                    model_name: TlString::from("canned"),
                    query: request.query,
                    max_coefficient: request.max_coefficient,
                    max_tokens: request.max_tokens,
                    timeout: request.timeout,
                    request_id: request.id,
                    min_config_version: 1,
                })
                .await
        } else {
            self.peer
                .say(&client::RunQueryEx {
                    model_name: TlString::from("canned"),
                    query: request.query,
                    max_coefficient: request.max_coefficient,
                    max_tokens: request.max_tokens,
                    timeout: request.timeout,
                    request_id: request.id,
                    min_config_version: 1,
                    enable_debug: Some(false),
                })
                .await
        }
    }

    /// Asks and reads to the end. Payments that come meanwhile are taken.
    ///
    /// # Errors
    /// When anything comes that the original's client does not survive.
    pub async fn ask(&mut self, request: &OldRequest) -> anyhow::Result<OldAnswer> {
        self.send(request).await?;
        self.read(request.id, usize::MAX).await
    }

    /// Reads the answer of one request, or so many messages of it.
    ///
    /// # Errors
    /// When anything comes that the original's client does not survive.
    pub async fn read(&mut self, id: [u8; 32], messages: usize) -> anyhow::Result<OldAnswer> {
        let mut answer = OldAnswer {
            status: 0,
            body: Bytes::new(),
            parts: 0,
            used: NOTHING,
            broken: false,
        };
        let mut body = BytesMut::new();
        while answer.parts < messages {
            let packet = packet(&mut self.peer).await?;
            if self.pay(&packet)?.is_some() {
                continue;
            }
            let step = if self.version == 0 {
                step_0(packet, answer.parts > 0)?
            } else {
                step(packet, answer.parts > 0)?
            };
            ensure!(step.id == id, "an answer to what was not asked");
            answer.parts += 1;
            match step.said {
                Ok(payload) if answer.parts == 1 => {
                    let response = http::Response::from_boxed(payload).context("no http.response")?;
                    let version = response.http_version.as_str().unwrap_or_default();
                    ensure!(
                        ["HTTP/1.0", "HTTP/1.1"].contains(&version),
                        "the client dies of {version}"
                    );
                    ensure!(
                        (100..=999).contains(&response.status_code),
                        "the client dies of the status"
                    );
                    answer.status = response.status_code;
                    body.extend_from_slice(&response.payload);
                }
                Ok(payload) => body.extend_from_slice(&payload),
                Err(code) => {
                    answer.broken = answer.parts > 1;
                    if !answer.broken {
                        answer.status = code;
                    }
                }
            }
            if let Some(used) = step.last {
                answer.used = used;
                break;
            }
        }
        answer.body = body.freeze();
        Ok(answer)
    }

    /// Takes a payment, if the message is one; of which request.
    fn pay(&mut self, packet: &Bytes) -> anyhow::Result<Option<[u8; 32]>> {
        if peek_id(packet) != Some(proxy::ClientRequestPayment::ID) {
            return Ok(None);
        }
        let told = proxy::ClientRequestPayment::from_boxed(packet.clone())?;
        self.account
            .take(&told.signed_payment, told.db_tokens, told.max_tokens)?;
        Ok(Some(told.request_id))
    }

    /// Waits for the payment of this request.
    ///
    /// # Errors
    /// When it does not come, or is none.
    pub async fn paid(&mut self, id: [u8; 32]) -> anyhow::Result<()> {
        loop {
            let packet = packet(&mut self.peer).await?;
            if self.pay(&packet)? == Some(id) {
                return Ok(());
            }
        }
    }

    /// Asks for the payment's status.
    ///
    /// # Errors
    /// When the answer is none.
    pub async fn update(&mut self) -> anyhow::Result<()> {
        let status = self.peer.ask(&client::UpdatePaymentStatus {}).await?;
        self.account
            .take(&status.signed_payment, status.db_tokens, status.max_tokens)
    }
}

// === impl OldRequest ===

impl OldRequest {
    /// A chat request with the defaults of the original's client, but for a small token limit.
    ///
    /// # Errors
    /// Without random bytes.
    pub fn chat(body: &Value) -> anyhow::Result<Self> {
        Ok(Self {
            id: fresh_id()?,
            query: http_request(&body.to_string()),
            max_tokens: 100,
            max_coefficient: 4000,
            timeout: 19.0,
        })
    }
}

const NOTHING: TokensUsed = TokensUsed {
    prompt_tokens_used: 0,
    cached_tokens_used: 0,
    completion_tokens_used: 0,
    reasoning_tokens_used: 0,
    total_tokens_used: 0,
};

struct Step {
    id: [u8; 32],
    /// The payload, or the code of an error.
    said: Result<Bytes, i32>,
    /// There in the last message.
    last: Option<TokensUsed>,
}

/// Versions 1 and 2. An error as the first message ends the original's process, and version-0 errors hang it
/// (spec/network.md 6.13).
fn step(packet: Bytes, begun: bool) -> anyhow::Result<Step> {
    let (id, said, info) =
        match client::QueryAnswerEx::from_boxed(packet).context("the client ignores it and hangs")? {
            client::QueryAnswerEx::Answer(answer) => {
                ensure!(!begun, "a second answer");
                (answer.request_id, Ok(answer.answer), answer.final_info)
            }
            client::QueryAnswerEx::Part(part) => {
                ensure!(begun, "a part before the answer");
                (part.request_id, Ok(part.answer), part.final_info)
            }
            client::QueryAnswerEx::Error(error) => {
                ensure!(begun, "the client dies of an error before the answer");
                ensure!(
                    error.final_info.is_some(),
                    "the client dies of an error without final_info"
                );
                (error.request_id, Err(error.error_code), error.final_info)
            }
        };
    ensure!(
        info.as_ref().is_none_or(|info| info.debug.is_none()),
        "debug texts that nobody asked for"
    );
    Ok(Step {
        id,
        said,
        last: info.map(|info| info.tokens_used),
    })
}

fn step_0(packet: Bytes, begun: bool) -> anyhow::Result<Step> {
    let of = |id, said, used, last: bool| Step {
        id,
        said,
        last: last.then_some(used),
    };
    if begun {
        return Ok(match client::QueryAnswerPart::from_boxed(packet)? {
            client::QueryAnswerPart::Part(part) => of(
                part.request_id,
                Ok(part.answer),
                part.request_tokens_used,
                part.is_completed,
            ),
            client::QueryAnswerPart::Error(error) => of(
                error.request_id,
                Err(error.error_code),
                error.request_tokens_used,
                true,
            ),
        });
    }
    Ok(match client::QueryAnswer::from_boxed(packet)? {
        client::QueryAnswer::Answer(answer) => of(
            answer.request_id,
            Ok(answer.answer),
            answer.request_tokens_used,
            answer.is_completed,
        ),
        client::QueryAnswer::Error(error) => of(
            error.request_id,
            Err(error.error_code),
            error.request_tokens_used,
            true,
        ),
    })
}

fn account(
    money: &Money,
    owner: Address,
    connected: &client::ConnectedToProxy,
) -> anyhow::Result<OldAccount> {
    ensure!(connected.params.is_test == Some(true), "is_test");
    OldAccount::at(
        money,
        owner,
        Kind::Charge,
        &connected.params,
        &connected.client_sc_address,
    )
}

fn authorized(account: &mut OldAccount, answer: client::AuthorizationWithProxy) -> anyhow::Result<()> {
    let client::AuthorizationWithProxy::Success(success) = answer else {
        bail!("not authorised");
    };
    account.take(
        &success.signed_payment,
        success.tokens_committed_to_db,
        success.max_tokens,
    )
}
