//! The client leg: `connectToProxy`, then `authorizeWithProxyShort` or `Long` (spec/network.md 6.3).

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use cocoon_tl::{TlObject as _, TlString, client, peek_id, proxy};

use super::{Denied, Expected, Handshake, Step, address, agree};

/// Version of the root configuration that this proxy runs with; there is no chain to have a newer one from.
const CONFIG_VERSION: u32 = 0;

/// A client between its link and its session.
#[derive(Debug)]
pub(crate) struct ClientHandshake {
    expected: Expected,
    connected: bool,
}

/// A client that may ask. Nothing is known of it beside its link: accounts come with the money issue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Authorized;

// === impl ClientHandshake ===

impl ClientHandshake {
    pub(crate) fn new(expected: Expected) -> Self {
        Self {
            expected,
            connected: false,
        }
    }

    fn connect(&mut self, question: Bytes) -> Result<Bytes, Denied> {
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
        if !address::is_owner(params.client_owner_address.as_bytes()) {
            return Err(Denied::violation("the owner address does not parse"));
        }
        if question.min_config_version.cast_unsigned() > CONFIG_VERSION {
            return Err(Denied::error("this proxy runs with an older root configuration"));
        }
        let version = agree(params.proto_versions.as_ref())?;
        self.connected = true;
        Ok(client::ConnectedToProxy {
            params: super::params(&self.expected, version),
            client_sc_address: TlString::EMPTY,
            auth: client::ProxyConnectionAuth::Short(client::ProxyConnectionAuthShort {
                secret_hash: sha256(b""),
                nonce: 0,
            }),
            signed_payment: unpaid(),
        }
        .to_boxed())
    }

    fn authorize_short(question: Bytes) -> Result<Bytes, Denied> {
        let question = client::AuthorizeWithProxyShort::from_boxed(question)
            .map_err(|_| Denied::violation("client.authorizeWithProxyShort does not parse"))?;
        if sha256(&question.data) != sha256(b"") {
            return Err(Denied::uncoded("sha256 mismatch"));
        }
        Ok(success())
    }
}

impl Handshake for ClientHandshake {
    type Outcome = Authorized;

    fn on(&mut self, question: Bytes) -> Result<Step<Authorized>, Denied> {
        match (peek_id(&question), self.connected) {
            (Some(client::ConnectToProxy::ID), false) => self.connect(question).map(Step::Answer),
            (Some(client::AuthorizeWithProxyShort::ID), true) => {
                Ok(Step::Done(Self::authorize_short(question)?, Authorized))
            }
            (Some(client::AuthorizeWithProxyLong::ID), true) => {
                client::AuthorizeWithProxyLong::from_boxed(question)
                    .map_err(|_| Denied::violation("client.authorizeWithProxyLong does not parse"))?;
                Ok(Step::Done(success(), Authorized))
            }
            (_, false) => Err(Denied::uncoded("expected connect message")),
            (_, true) => Err(Denied::uncoded("expected auth message")),
        }
    }
}

/// What the original says where nothing is paid (spec/network.md 6.3, TON-disabled mode).
pub(crate) fn unpaid() -> proxy::SignedPayment {
    proxy::SignedPayment::Empty(proxy::SignedPaymentEmpty {})
}

fn success() -> Bytes {
    client::AuthorizationWithProxy::Success(client::AuthorizationWithProxySuccess {
        signed_payment: unpaid(),
        tokens_committed_to_db: 0,
        max_tokens: 0,
    })
    .to_boxed()
}

fn sha256(data: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, data).as_ref());
    hash
}
