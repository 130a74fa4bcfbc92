use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use cocoon_contracts::signed::Kind;
use cocoon_tl::shared::TokensUsed;
use cocoon_tl::{TlObject as _, TlString, http, peek_id, proxy, worker};
use cocoon_types::Address;

use super::money::{OldAccount, OldWallet};
use super::{http_response, packet, versions};
use crate::hostile::Peer;
use crate::money::Money;

/// A worker of the original, past its handshake; the test plays its engine.
#[derive(Debug)]
pub struct OldWorker {
    /// Its link.
    pub peer: Peer,
    version: i32,
    account: OldAccount,
}

/// A request that it got.
#[derive(Clone, Debug)]
pub struct OldWork {
    /// On the worker leg.
    pub id: [u8; 32],
    /// What it is paid, in per mille.
    pub coefficient: i64,
    /// In seconds.
    pub timeout: f64,
    /// The request for its engine.
    pub request: http::Request,
}

// === impl OldWorker ===

impl OldWorker {
    /// Dials, compares balances and comes on the proxy's board, enabled, for `canned`. Speaks versions up to `most`.
    ///
    /// # Errors
    /// When the proxy does not do what the original's worker insists on.
    pub async fn connect(money: &Money, proxy: SocketAddr, name: &str, most: i32) -> anyhow::Result<Self> {
        let wallet = OldWallet::open(money, name).await?;
        let peer = Peer::dial(proxy).await?;
        let connected = peer
            .ask(&worker::ConnectToProxy {
                params: worker::Params {
                    worker_owner_address: TlString::from(wallet.address.non_bounceable()),
                    model: TlString::from("canned@0123:4567"),
                    coefficient: 1000,
                    setup: Some(worker::Setup {
                        is_test: true,
                        proxy_cnt: 1,
                        max_active_requests: 2,
                    }),
                    proto_versions: versions(most),
                },
            })
            .await?;
        let version = connected.params.proto_version.unwrap_or(0);
        ensure!(version == most, "the highest common version: {version}");
        let mut account = OldAccount::at(
            money,
            wallet.address,
            Kind::Payout,
            &connected.params,
            &connected.worker_sc_address,
        )?;
        let compared = peer
            .ask(&worker::CompareBalanceWithProxy {
                tokens_committed_to_blockchain: 0,
                tokens_committed_to_db: 0,
                max_tokens: 0,
            })
            .await?;
        ensure!(compared.error_code == 0, "nothing was forgotten");
        account.take(
            &compared.signed_payment,
            compared.tokens_committed_to_db,
            compared.max_tokens,
        )?;
        peer.ask(&worker::ProxyHandshakeComplete { is_disabled: false })
            .await?;
        Ok(Self {
            peer,
            version,
            account,
        })
    }

    /// Whose money it earns.
    pub fn owner(&self) -> Address {
        self.account.owner
    }

    /// What the proxy has told: signed, in its database, in its memory.
    pub fn told(&self) -> [i64; 3] {
        self.account.told
    }

    /// The next request.
    ///
    /// # Errors
    /// When none comes, or one that ends the original's process.
    pub async fn next(&mut self) -> anyhow::Result<OldWork> {
        let packet = loop {
            let packet = packet(&mut self.peer).await?;
            if self.pay(&packet)?.is_none() {
                break packet;
            }
        };
        let (id, coefficient, timeout, query) = if self.version == 0 {
            let run = proxy::RunQuery::from_boxed(packet)?;
            (run.request_id, run.coefficient, run.timeout, run.query)
        } else {
            let run = proxy::RunQueryEx::from_boxed(packet)?;
            ensure!(run.enable_debug == Some(false), "flags are 1");
            (run.request_id, run.coefficient, run.timeout, run.query)
        };
        Ok(OldWork {
            id,
            coefficient,
            timeout,
            request: http::Request::from_boxed(query)?,
        })
    }

    /// Answers with a head, each of the parts, and what was used.
    ///
    /// # Errors
    /// When the link has ended.
    pub async fn serve(
        &self,
        work: &OldWork,
        parts: &[&'static str],
        used: TokensUsed,
    ) -> anyhow::Result<()> {
        self.begin(work).await?;
        for part in parts {
            self.part(work, *part, None).await?;
        }
        self.part(work, "", Some(used)).await
    }

    /// Sends the head of an answer.
    ///
    /// # Errors
    /// When the link has ended.
    pub async fn begin(&self, work: &OldWork) -> anyhow::Result<()> {
        let answer = http_response("application/json");
        if self.version == 0 {
            let said = proxy::QueryAnswerData {
                answer,
                is_completed: false,
                request_id: work.id,
                tokens_used: NOTHING,
            };
            self.peer.say(&said).await
        } else {
            let said = proxy::QueryAnswerExData {
                request_id: work.id,
                answer,
                final_info: None,
            };
            self.peer.say(&said).await
        }
    }

    /// Sends bytes of an answer, the last ones with what was used.
    ///
    /// # Errors
    /// When the link has ended.
    pub async fn part(
        &self,
        work: &OldWork,
        bytes: impl Into<Bytes>,
        used: Option<TokensUsed>,
    ) -> anyhow::Result<()> {
        let answer = bytes.into();
        if self.version == 0 {
            let said = proxy::QueryAnswerPartData {
                answer,
                is_completed: used.is_some(),
                request_id: work.id,
                tokens_used: used.unwrap_or(NOTHING),
            };
            self.peer.say(&said).await
        } else {
            let times = (self.version == 2).then_some(proxy::Times {
                worker_start_time: 1.0,
                worker_end_time: 2.0,
            });
            let said = proxy::QueryAnswerPartEx {
                request_id: work.id,
                answer,
                final_info: used.map(|tokens_used| proxy::QueryFinalInfo {
                    tokens_used,
                    worker_debug: None,
                    times,
                }),
            };
            self.peer.say(&said).await
        }
    }

    /// Fails a request.
    ///
    /// # Errors
    /// When the link has ended.
    pub async fn fail(&self, work: &OldWork, code: i32) -> anyhow::Result<()> {
        self.peer
            .say(&proxy::QueryAnswerErrorEx {
                request_id: work.id,
                error_code: code,
                error: TlString::from("worker: it failed"),
                final_info: Some(proxy::QueryFinalInfo {
                    tokens_used: NOTHING,
                    worker_debug: None,
                    times: None,
                }),
            })
            .await
    }

    /// Waits for the payment of this request.
    ///
    /// # Errors
    /// When it does not come, or is none.
    pub async fn paid(&mut self, id: [u8; 32]) -> anyhow::Result<()> {
        loop {
            let packet = packet(&mut self.peer).await?;
            if self.pay(&packet).context("the worker leaves")? == Some(id) {
                return Ok(());
            }
        }
    }

    fn pay(&mut self, packet: &Bytes) -> anyhow::Result<Option<[u8; 32]>> {
        if peek_id(packet) != Some(proxy::WorkerRequestPaymentData::ID) {
            return Ok(None);
        }
        let told = proxy::WorkerRequestPaymentData::from_boxed(packet.clone())?;
        self.account
            .take(&told.signed_payment, told.db_tokens, told.max_tokens)?;
        Ok(Some(told.request_id))
    }
}

const NOTHING: TokensUsed = TokensUsed {
    prompt_tokens_used: 0,
    cached_tokens_used: 0,
    completion_tokens_used: 0,
    reasoning_tokens_used: 0,
    total_tokens_used: 0,
};
