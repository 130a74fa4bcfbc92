//! The client leg: `connectToProxy`, then `authorizeWithProxyShort` or `Long` (spec/network.md 6.3).

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use cocoon_accounting::Party;
use cocoon_tl::{TlObject as _, TlString, client, peek_id, proxy};
use cocoon_types::Address;

use super::{Denied, Expected, Handshake, PROTOCOL, Step, address, agree, written};
use crate::accounting::{Books, Statement};

/// Version of the root configuration where there is no chain to have one from.
const NO_CONFIG: u32 = 0;
/// Registering on the chain takes up to 300 s (spec/ton.md 5.1), beside the ordinary time.
const REGISTRATION_DEADLINE: Duration = Duration::from_secs(330);

/// A client between its link and its session.
#[derive(Debug)]
pub(crate) struct ClientHandshake {
    expected: Expected,
    version: i32,
    connected: Option<Connected>,
}

/// A client that may ask.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Authorized {
    /// Whose account pays for it; `None` where nothing is paid.
    pub(crate) owner: Option<Address>,
    /// The protocol that was agreed on.
    pub(crate) version: i32,
}

/// Between the two questions.
#[derive(Clone, Copy, Debug)]
enum Connected {
    Unpaid,
    Account {
        owner: Address,
        secret_hash: Option<[u8; 32]>,
        nonce: u64,
    },
}

// === impl ClientHandshake ===

impl ClientHandshake {
    pub(crate) fn new(expected: Expected) -> Self {
        Self {
            expected,
            version: PROTOCOL,
            connected: None,
        }
    }

    async fn connect(&mut self, question: Bytes) -> Result<Bytes, Denied> {
        let question = client::ConnectToProxy::from_boxed(question)
            .map_err(|_| Denied::violation("client.connectToProxy does not parse"))?;
        let params = &question.params;
        // 1. flags bit 0; 2. the same kind of network; 3. owner; 4. configuration version; 5. protocol version.
        let is_test = params
            .is_test
            .ok_or_else(|| Denied::error("the client is too old: is_test is missing"))?;
        if is_test != self.expected.is_test {
            return Err(Denied::error(
                "is_test differs: this proxy belongs to another kind of network",
            ));
        }
        let owner = address::owner(params.client_owner_address.as_bytes())
            .ok_or_else(|| Denied::violation("the owner address does not parse"))?;
        let config = self.expected.books.as_ref().map_or(NO_CONFIG, Books::version);
        if question.min_config_version.cast_unsigned() > config {
            return Err(Denied::error("this proxy runs with an older root configuration"));
        }
        let version = agree(params.proto_versions.as_ref(), &self.expected)?;
        self.version = version;
        let own = &params.client_owner_address;
        let params = super::params(&self.expected, version, own);
        let Some(books) = &self.expected.books else {
            self.connected = Some(Connected::Unpaid);
            return Ok(client::ConnectedToProxy {
                params,
                client_sc_address: TlString::EMPTY,
                auth: client::ProxyConnectionAuth::Short(client::ProxyConnectionAuthShort {
                    secret_hash: sha256(b""),
                    nonce: 0,
                }),
                signed_payment: unpaid(),
            }
            .to_boxed());
        };
        let owner = owner.ok_or_else(|| Denied::error("a client without a wallet cannot pay here"))?;
        let greeting = books.greet(owner).await?;
        let nonce = greeting.nonce.cast_signed();
        self.connected = Some(Connected::Account {
            owner,
            secret_hash: greeting.secret_hash,
            nonce: greeting.nonce,
        });
        Ok(client::ConnectedToProxy {
            params,
            client_sc_address: written(&greeting.contract, version, own),
            auth: match greeting.secret_hash {
                Some(secret_hash) => client::ProxyConnectionAuth::Short(client::ProxyConnectionAuthShort {
                    secret_hash,
                    nonce,
                }),
                None => client::ProxyConnectionAuth::Long(client::ProxyConnectionAuthLong { nonce }),
            },
            signed_payment: greeting.statement.signed_payment(),
        }
        .to_boxed())
    }

    async fn authorize_short(
        &self,
        question: Bytes,
        connected: Connected,
    ) -> Result<Step<Authorized>, Denied> {
        let question = client::AuthorizeWithProxyShort::from_boxed(question)
            .map_err(|_| Denied::violation("client.authorizeWithProxyShort does not parse"))?;
        let expected = match connected {
            Connected::Unpaid => Some(sha256(b"")),
            // No secret is set, or one that everybody knows: only the chain can tell who this is.
            Connected::Account { secret_hash, .. } => secret_hash,
        };
        if expected != Some(sha256(&question.data)) {
            return Err(Denied::uncoded("sha256 mismatch"));
        }
        self.authorized(connected).await
    }

    async fn authorize_long(
        &self,
        question: Bytes,
        connected: Connected,
    ) -> Result<Step<Authorized>, Denied> {
        client::AuthorizeWithProxyLong::from_boxed(question)
            .map_err(|_| Denied::violation("client.authorizeWithProxyLong does not parse"))?;
        if let (Connected::Account { owner, nonce, .. }, Some(books)) = (connected, &self.expected.books) {
            books.registered(owner, nonce).await?;
        }
        self.authorized(connected).await
    }

    async fn authorized(&self, connected: Connected) -> Result<Step<Authorized>, Denied> {
        let (owner, statement) = match (connected, &self.expected.books) {
            (Connected::Account { owner, .. }, Some(books)) => {
                let statement = books.statement(Party::client(owner)).await?;
                (Some(owner), statement.unwrap_or_default())
            }
            _ => (None, Statement::default()),
        };
        let success = client::AuthorizationWithProxy::Success(client::AuthorizationWithProxySuccess {
            signed_payment: statement.signed_payment(),
            tokens_committed_to_db: statement.journal(),
            max_tokens: statement.memory(),
        });
        let version = self.version;
        Ok(Step::Done(success.to_boxed(), Authorized { owner, version }))
    }
}

impl Handshake for ClientHandshake {
    type Outcome = Authorized;

    async fn on(&mut self, question: Bytes) -> Result<Step<Authorized>, Denied> {
        match (peek_id(&question), self.connected) {
            (Some(client::ConnectToProxy::ID), None) => self.connect(question).await.map(Step::Answer),
            (Some(client::AuthorizeWithProxyShort::ID), Some(connected)) => {
                self.authorize_short(question, connected).await
            }
            (Some(client::AuthorizeWithProxyLong::ID), Some(connected)) => {
                self.authorize_long(question, connected).await
            }
            (_, None) => Err(Denied::uncoded("expected connect message")),
            (_, Some(_)) => Err(Denied::uncoded("expected auth message")),
        }
    }

    fn is_original(&self) -> bool {
        self.version < PROTOCOL
    }

    fn deadline(&self) -> Duration {
        if self.expected.books.is_some() {
            REGISTRATION_DEADLINE
        } else {
            super::DEADLINE
        }
    }
}

/// What the original says where nothing is paid (spec/network.md 6.3, TON-disabled mode).
pub(crate) fn unpaid() -> proxy::SignedPayment {
    proxy::SignedPayment::Empty(proxy::SignedPaymentEmpty {})
}

fn sha256(data: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, data).as_ref());
    hash
}
