use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use bytes::{Bytes, BytesMut};
use cocoon_chain::{At, Chain as _, ProxyContract};
use cocoon_contracts::{Signed, SigningKey, client::Storage, signed::Kind};
use cocoon_link::Incoming;
use cocoon_tl::shared::TokensUsed;
use cocoon_tl::{TlObject as _, TlString, client, http, peek_id, proxy, worker};
use cocoon_types::Address;
use tokio::time::timeout;

use super::money::OldWallet;
use super::{PATIENCE, fresh_id, http_request, http_response};
use crate::hostile::{FakeProxy, Peer};
use crate::money::Money;

/// A proxy of the original with one client or one worker of ours at it; the test plays the other leg.
#[derive(Debug)]
pub struct OldProxy {
    listener: FakeProxy,
    key: SigningKey,
    contract: ProxyContract,
}

/// One link of such a proxy, past the handshake.
#[derive(Debug)]
pub struct OldServing {
    /// The link.
    pub peer: Peer,
    /// The peer's contract.
    contract: Address,
    kind: Kind,
    /// Adjusted tokens that it has used or earned.
    used: u64,
}

/// Where the rest of a submitted payment's coins goes; nobody submits one here.
const NOWHERE: Address = Address::new([0; 32]);

// === impl OldProxy ===

impl OldProxy {
    /// Deploys its contract and listens on a free port.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub async fn listen(money: &Money) -> anyhow::Result<Self> {
        let key = SigningKey::from_seed([7; 32])?;
        let wallet = OldWallet::open(money, "old-proxy").await?;
        let contract = ProxyContract::new(money.root, money.params.clone(), wallet.address, key.public())?;
        wallet.deploy(contract.init()).await?;
        Ok(Self {
            listener: FakeProxy::listen().await?,
            key,
            contract,
        })
    }

    /// Where to dial it.
    pub fn addr(&self) -> SocketAddr {
        self.listener.addr()
    }

    fn params(&self) -> proxy::Params {
        proxy::Params {
            proxy_public_key: self.key.public(),
            proxy_owner_address: TlString::from(self.contract.owner.non_bounceable()),
            proxy_sc_address: TlString::from(self.contract.address().non_bounceable()),
            is_test: Some(true),
            proto_version: Some(2),
        }
    }

    fn signed(&self, kind: Kind, contract: Address, tokens: u64) -> proxy::SignedPayment {
        let signed = Signed::sign(&self.key, kind, 1, tokens, contract, NOWHERE);
        proxy::SignedPayment::Payment(proxy::SignedPaymentData {
            data: Bytes::from(signed.to_boc()),
        })
    }

    /// The next client, after its authorisation. It may have to come several times: who has changed its contract waits
    /// until the proxy has seen that.
    ///
    /// # Errors
    /// When nobody comes, or it does not offer a version up to 2.
    pub async fn accept_client(&mut self, money: &Money) -> anyhow::Result<OldServing> {
        loop {
            let mut peer = self.listener.accept().await?;
            let (id, question) = peer.next_question().await?;
            let connect = client::ConnectToProxy::from_boxed(question)?;
            let versions = connect.params.proto_versions.context("a range of versions")?;
            if versions.min_proto_version > 2 {
                let refusal = (621, "no protocol version in common".to_owned());
                peer.link.answer(id, Err(refusal)).await?;
                anyhow::bail!("the client speaks {} at least", versions.min_proto_version);
            }
            let owner = connect.params.client_owner_address;
            let owner: Address = owner.as_str().context("an owner")?.parse()?;
            let contract = self.contract.client(&owner).address();
            let connected = client::ConnectedToProxy {
                params: self.params(),
                client_sc_address: TlString::from(contract.non_bounceable()),
                auth: auth(money, contract).await?,
                signed_payment: self.signed(Kind::Charge, contract, 0),
            };
            peer.link.answer(id, Ok(connected.to_boxed())).await?;
            let Ok((id, question)) = peer.next_question().await else {
                continue;
            };
            if let (client::ProxyConnectionAuth::Short(auth), Ok(shown)) = (
                connected.auth,
                client::AuthorizeWithProxyShort::from_boxed(question.clone()),
            ) {
                ensure!(
                    auth.secret_hash == *digest(&SHA256, &shown.data).as_ref(),
                    "sha256 mismatch"
                );
            } else {
                client::AuthorizeWithProxyLong::from_boxed(question)?;
            }
            let success = client::AuthorizationWithProxy::Success(client::AuthorizationWithProxySuccess {
                signed_payment: self.signed(Kind::Charge, contract, 0),
                tokens_committed_to_db: 0,
                max_tokens: 0,
            });
            peer.link.answer(id, Ok(success.to_boxed())).await?;
            return Ok(OldServing {
                peer,
                contract,
                kind: Kind::Charge,
                used: 0,
            });
        }
    }

    /// The next worker, after its handshake.
    ///
    /// # Errors
    /// When nobody comes, or it does not keep to the original's order.
    pub async fn accept_worker(&mut self) -> anyhow::Result<OldServing> {
        let mut peer = self.listener.accept().await?;
        let (id, question) = peer.next_question().await?;
        let connect = worker::ConnectToProxy::from_boxed(question)?;
        let versions = connect.params.proto_versions.context("a range of versions")?;
        ensure!(
            versions.min_proto_version <= 2,
            "the worker speaks {} at least",
            versions.min_proto_version
        );
        let owner: Address = connect
            .params
            .worker_owner_address
            .as_str()
            .context("text")?
            .parse()?;
        let contract = self.contract.worker(&owner).address();
        let connected = worker::ConnectedToProxy {
            params: self.params(),
            worker_sc_address: TlString::from(contract.non_bounceable()),
        };
        peer.link.answer(id, Ok(connected.to_boxed())).await?;
        let (id, question) = peer.next_question().await?;
        let claimed = worker::CompareBalanceWithProxy::from_boxed(question)?;
        ensure!(
            claimed.tokens_committed_to_db == 0,
            "a counter above the proxy's ends its process"
        );
        let compared = worker::CompareBalanceWithProxyResult {
            signed_payment: self.signed(Kind::Payout, contract, 0),
            tokens_committed_to_db: 0,
            max_tokens: 0,
            error_code: 0,
        };
        peer.link.answer(id, Ok(compared.to_boxed())).await?;
        let (id, question) = peer.next_question().await?;
        worker::ProxyHandshakeComplete::from_boxed(question)?;
        let completed = worker::ProxyHandshakeCompleted {};
        peer.link.answer(id, Ok(completed.to_boxed())).await?;
        Ok(OldServing {
            peer,
            contract,
            kind: Kind::Payout,
            used: 0,
        })
    }

    /// Pushes what a request of so many tokens came to.
    ///
    /// # Errors
    /// When the link has ended.
    pub async fn pay(&self, serving: &mut OldServing, id: [u8; 32], tokens: u64) -> anyhow::Result<()> {
        serving.used += tokens;
        let levels = i64::try_from(serving.used)?;
        let signed_payment = self.signed(serving.kind, serving.contract, serving.used);
        let request_tokens = i64::try_from(tokens)?;
        if serving.kind == Kind::Charge {
            let told = proxy::ClientRequestPayment {
                request_id: id,
                signed_payment,
                db_tokens: levels,
                max_tokens: levels,
                request_tokens,
            };
            serving.peer.say(&told).await
        } else {
            let told = proxy::WorkerRequestPaymentData {
                request_id: id,
                signed_payment,
                db_tokens: levels,
                max_tokens: levels,
                request_tokens,
                request_client_owner: TlString::from(NOWHERE.non_bounceable()),
            };
            serving.peer.say(&told).await
        }
    }
}

// === impl OldServing ===

impl OldServing {
    /// The next one-way message; questions are answered meanwhile.
    ///
    /// # Errors
    /// When none comes.
    pub async fn next(&mut self) -> anyhow::Result<Bytes> {
        loop {
            let incoming = timeout(PATIENCE, self.peer.inbox.recv())
                .await
                .context("silence")?;
            let (id, question) = match incoming.context("the link has ended")? {
                Incoming::Packet(packet) => return Ok(packet),
                Incoming::Query { id, question } => (id, question),
            };
            let answer = match peek_id(&question) {
                Some(client::GetWorkerTypesV2::ID) => Ok(models().to_boxed()),
                _ => Err((0, "Lost promise".to_owned())),
            };
            self.peer.link.answer(id, answer).await?;
        }
    }

    /// The next request of a client.
    ///
    /// # Errors
    /// When none comes.
    pub async fn next_request(&mut self) -> anyhow::Result<client::RunQueryEx> {
        Ok(client::RunQueryEx::from_boxed(self.next().await?)?)
    }

    /// Answers a client's request with a whole JSON body, in two parts, and what was used.
    ///
    /// # Errors
    /// When the link has ended.
    pub async fn serve(
        &self,
        request: &client::RunQueryEx,
        body: &'static str,
        used: TokensUsed,
    ) -> anyhow::Result<()> {
        let (one, two) = body.split_at(body.len() / 2);
        let request_id = request.request_id;
        let head = client::QueryAnswerExData {
            request_id,
            answer: http_response("application/json"),
            final_info: None,
        };
        self.peer.say(&head).await?;
        for (text, tokens_used) in [(one, None), (two, Some(used))] {
            let part = client::QueryAnswerPartEx {
                request_id,
                answer: Bytes::from_static(text.as_bytes()),
                final_info: tokens_used.map(|tokens_used| client::QueryFinalInfo {
                    tokens_used,
                    debug: None,
                    times: None,
                }),
            };
            self.peer.say(&part).await?;
        }
        Ok(())
    }

    /// Gives a worker a chat request; its id.
    ///
    /// # Errors
    /// When the link has ended.
    pub async fn run(&self, body: &str) -> anyhow::Result<[u8; 32]> {
        let request_id = fresh_id()?;
        self.peer
            .say(&proxy::RunQueryEx {
                query: http_request(body),
                signed_payment: proxy::SignedPayment::Empty(proxy::SignedPaymentEmpty {}),
                coefficient: 1000,
                timeout: 19.0,
                request_id,
                enable_debug: Some(false),
            })
            .await?;
        Ok(request_id)
    }

    /// A worker's whole answer: status, body, what was used. Everything that ends the original's process is an error.
    ///
    /// # Errors
    /// When it is none.
    pub async fn answer(&mut self, id: [u8; 32]) -> anyhow::Result<(i32, Bytes, TokensUsed)> {
        let mut status = None;
        let mut body = BytesMut::new();
        loop {
            let packet = self.next().await?;
            if !is_step(&packet) {
                continue;
            }
            let (of, last) = match proxy::QueryAnswerEx::from_boxed(packet)? {
                proxy::QueryAnswerEx::Answer(answer) => {
                    ensure!(status.is_none(), "a second answer");
                    let response =
                        http::Response::from_boxed(answer.answer).context("the proxy dies of it")?;
                    status = Some(response.status_code);
                    body.extend_from_slice(&response.payload);
                    (answer.request_id, answer.final_info)
                }
                proxy::QueryAnswerEx::Part(part) => {
                    ensure!(status.is_some(), "a part before the answer");
                    body.extend_from_slice(&part.answer);
                    (part.request_id, part.final_info)
                }
                proxy::QueryAnswerEx::Error(error) => {
                    ensure!(
                        error.final_info.is_some(),
                        "the proxy dies of an error without final_info"
                    );
                    status = Some(error.error_code);
                    (error.request_id, error.final_info)
                }
            };
            ensure!(of == id, "an answer to what was not asked");
            if let (Some(info), Some(status)) = (last, status) {
                return Ok((status, body.freeze(), info.tokens_used));
            }
        }
    }
}

/// The short way for whose secret is known from the chain.
async fn auth(money: &Money, contract: Address) -> anyhow::Result<client::ProxyConnectionAuth> {
    let nonce = 5;
    let account = money.chain.account(contract, At::Latest).await?;
    let storage = account.data.map(|data| Storage::parse(&data)).transpose()?;
    Ok(match storage {
        Some(storage) => client::ProxyConnectionAuth::Short(client::ProxyConnectionAuthShort {
            secret_hash: storage.secret_hash,
            nonce,
        }),
        None => client::ProxyConnectionAuth::Long(client::ProxyConnectionAuthLong { nonce }),
    })
}

fn is_step(packet: &Bytes) -> bool {
    [
        proxy::QueryAnswerExData::ID,
        proxy::QueryAnswerPartEx::ID,
        proxy::QueryAnswerErrorEx::ID,
    ]
    .contains(&peek_id(packet).unwrap_or(0))
}

fn models() -> client::WorkerTypesV2 {
    client::WorkerTypesV2 {
        types: vec![client::WorkerTypeV2 {
            name: TlString::from("canned"),
            workers: vec![client::WorkerInstanceV2 {
                flags: 0,
                coefficient: 1000,
                active_requests: 0,
                max_active_requests: 2,
            }],
        }],
    }
}
