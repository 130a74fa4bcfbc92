use bytes::Bytes;
use cocoon_tl::{TlObject, TlString, client, proxy, shared::ProtoVersions, worker};
use cocoon_types::{Tier, TierPolicy};
use futures_util::FutureExt as _;

use super::{
    Denied, ERROR, Expected, Handshake, PROTOVIOLATION, Step, UNCODED,
    client::{Authorized, ClientHandshake},
    worker::{Announced, WorkerHandshake},
};

fn expected() -> Expected {
    Expected {
        is_test: true,
        public_key: [7; 32],
        books: None,
        original: Some(TierPolicy::at_least(Tier::Attested)),
    }
}

fn versions(least: i32, most: i32) -> Option<ProtoVersions> {
    Some(ProtoVersions {
        min_proto_version: least,
        max_proto_version: most,
    })
}

fn connect_client() -> client::ConnectToProxy {
    client::ConnectToProxy {
        params: client::Params {
            client_owner_address: TlString::EMPTY,
            is_test: Some(true),
            proto_versions: versions(3, 3),
        },
        min_config_version: 0,
    }
}

fn connect_worker() -> worker::ConnectToProxy {
    worker::ConnectToProxy {
        params: worker::Params {
            worker_owner_address: TlString::EMPTY,
            model: TlString::from("m@c:h"),
            coefficient: 1000,
            setup: Some(worker::Setup {
                is_test: true,
                proxy_cnt: 2,
                max_active_requests: 5,
            }),
            proto_versions: versions(1, 4),
        },
    }
}

fn complete() -> Bytes {
    worker::ProxyHandshakeComplete { is_disabled: false }.to_boxed()
}

fn short(secret: &'static [u8]) -> Bytes {
    client::AuthorizeWithProxyShort {
        data: Bytes::from_static(secret),
    }
    .to_boxed()
}

fn long() -> Bytes {
    client::AuthorizeWithProxyLong {}.to_boxed()
}

/// The answers, and what came of the last question.
fn talk<H: Handshake>(
    mut handshake: H,
    questions: Vec<Bytes>,
) -> Result<(Vec<Bytes>, Option<H::Outcome>), Denied> {
    let mut answers = Vec::new();
    for question in questions {
        match handshake
            .on(question)
            .now_or_never()
            .expect("nothing to wait for")?
        {
            Step::Answer(answer) => answers.push(answer),
            Step::Done(answer, outcome) => {
                answers.push(answer);
                return Ok((answers, Some(outcome)));
            }
        }
    }
    Ok((answers, None))
}

fn client(questions: Vec<Bytes>) -> Result<(Vec<Bytes>, Option<Authorized>), Denied> {
    talk(ClientHandshake::new(expected()), questions)
}

fn worker(questions: Vec<Bytes>) -> Result<(Vec<Bytes>, Option<Announced>), Denied> {
    talk(WorkerHandshake::new(expected()), questions)
}

fn denied_client(change: impl FnOnce(&mut client::ConnectToProxy)) -> (i32, String) {
    let mut question = connect_client();
    change(&mut question);
    let denied = client(vec![question.to_boxed()]).unwrap_err();
    (denied.code, denied.message)
}

fn denied_worker(change: impl FnOnce(&mut worker::Params)) -> (i32, String) {
    let mut question = connect_worker();
    change(&mut question.params);
    let denied = worker(vec![question.to_boxed()]).unwrap_err();
    (denied.code, denied.message)
}

#[test]
fn a_client_is_authorized_as_in_the_mode_without_ton() {
    let (answers, outcome) = client(vec![connect_client().to_boxed(), short(b"")]).unwrap();
    assert_eq!(
        outcome,
        Some(Authorized {
            owner: None,
            version: 3
        })
    );
    let connected = client::ConnectedToProxy::from_boxed(answers[0].clone()).unwrap();
    assert_eq!(
        (connected.params.is_test, connected.params.proto_version),
        (Some(true), Some(3))
    );
    assert_eq!(connected.params.proxy_public_key, [7; 32]);
    assert!(matches!(connected.signed_payment, proxy::SignedPayment::Empty(_)));
    let client::ProxyConnectionAuth::Short(auth) = connected.auth else {
        panic!("expected the short way");
    };
    // spec/network.md 11: auth Short, hash e3b0c442…b855, nonce 0.
    assert_eq!(
        hex::encode(auth.secret_hash),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert_eq!(auth.nonce, 0);
    assert!(matches!(
        client::AuthorizationWithProxy::from_boxed(answers[1].clone()).unwrap(),
        client::AuthorizationWithProxy::Success(success) if success.max_tokens == 0
    ));
    let (_, outcome) = client(vec![connect_client().to_boxed(), long()]).unwrap();
    assert_eq!(
        outcome,
        Some(Authorized {
            owner: None,
            version: 3
        }),
        "the long way is accepted at once"
    );
}

#[test]
fn each_check_of_a_client_has_its_code() {
    let codes = [
        denied_client(|question| question.params.is_test = None).0,
        denied_client(|question| question.params.is_test = Some(false)).0,
        denied_client(|question| question.params.client_owner_address = TlString::from("x")).0,
        denied_client(|question| question.min_config_version = 1).0,
        denied_client(|question| question.min_config_version = -1).0,
        denied_client(|question| question.params.proto_versions = versions(4, 9)).0,
        denied_client(|question| question.params.proto_versions = versions(-3, -1)).0,
        denied_client(|question| question.params.proto_versions = versions(3, 2)).0,
    ];
    assert_eq!(
        codes,
        [
            ERROR,
            ERROR,
            PROTOVIOLATION,
            ERROR,
            ERROR,
            PROTOVIOLATION,
            PROTOVIOLATION,
            PROTOVIOLATION
        ]
    );
}

#[test]
fn checks_come_in_the_order_of_the_specification() {
    let (_, message) = denied_client(|question| {
        question.params.is_test = Some(false);
        question.params.proto_versions = versions(9, 9);
        question.min_config_version = 5;
    });
    assert!(message.contains("is_test"), "{message}");
    let (_, message) = denied_worker(|params| {
        params.coefficient = -1;
        params.proto_versions = None;
        params.worker_owner_address = TlString::from("x");
    });
    assert!(message.contains("coefficient"), "{message}");
}

#[test]
fn protocols_0_to_2_are_refused_for_what_is_missing() {
    for old in [None, versions(0, 0), versions(1, 2)] {
        let expected = (
            ERROR,
            "protocol 0 to 2 needs payments, and nothing is paid here".to_owned(),
        );
        assert_eq!(
            denied_client(|question| question.params.proto_versions = old.clone()),
            expected
        );
        assert_eq!(
            denied_worker(|params| params.proto_versions = old.clone()),
            expected
        );
    }
}

#[test]
fn a_client_out_of_order_is_denied() {
    let types = client::GetWorkerTypesV2 {}.to_boxed();
    let connect = connect_client().to_boxed();
    let denied = |questions| client(questions).unwrap_err();
    assert_eq!(denied(vec![short(b"")]).code, UNCODED);
    assert_eq!(denied(vec![types.clone()]).message, "expected connect message");
    assert_eq!(
        denied(vec![connect.clone(), types]).message,
        "expected auth message"
    );
    assert_eq!(denied(vec![connect.clone(), connect.clone()]).code, UNCODED);
    assert_eq!(denied(vec![connect, short(b"guess")]).message, "sha256 mismatch");
    assert_eq!(denied(vec![Bytes::from_static(b"ab")]).code, UNCODED);
}

#[test]
fn a_worker_is_taken_with_its_part_of_the_capacity() {
    let (answers, outcome) = worker(vec![connect_worker().to_boxed(), complete()]).unwrap();
    let announced = outcome.unwrap();
    assert_eq!(announced.capacity.get(), 3, "ceil(5 / 2)");
    assert_eq!((announced.model.base(), announced.enabled), ("m", true));
    let connected = worker::ConnectedToProxy::from_boxed(answers[0].clone()).unwrap();
    assert_eq!(connected.params.proto_version, Some(3));
    assert!(worker::ProxyHandshakeCompleted::from_boxed(answers[1].clone()).is_ok());
}

#[test]
fn each_check_of_a_worker_has_its_code() {
    let setup =
        |change: fn(&mut worker::Setup)| denied_worker(|params| change(params.setup.as_mut().unwrap())).0;
    let codes = [
        denied_worker(|params| params.setup = None).0,
        setup(|setup| setup.is_test = false),
    ];
    assert_eq!(codes, [ERROR; 2]);
    let codes = [
        denied_worker(|params| params.model = TlString::EMPTY).0,
        denied_worker(|params| params.model = TlString::from("a\"b")).0,
        denied_worker(|params| params.coefficient = -1).0,
        denied_worker(|params| params.coefficient = 1_000_000_000).0,
        denied_worker(|params| params.coefficient = i32::MIN).0,
        setup(|setup| setup.max_active_requests = 0),
        setup(|setup| setup.max_active_requests = i32::MIN),
        setup(|setup| setup.proxy_cnt = 0),
        setup(|setup| setup.proxy_cnt = -1),
        denied_worker(|params| params.proto_versions = versions(9, 9)).0,
        denied_worker(|params| params.worker_owner_address = TlString::from("x")).0,
    ];
    assert_eq!(codes, [PROTOVIOLATION; 11]);
}

#[test]
fn a_capacity_past_every_link_is_cut() {
    let mut question = connect_worker();
    let setup = question.params.setup.as_mut().unwrap();
    (setup.max_active_requests, setup.proxy_cnt) = (i32::MAX, 1);
    let (_, outcome) = worker(vec![question.to_boxed(), complete()]).unwrap();
    assert_eq!(outcome.unwrap().capacity.get(), 4096);
}

#[test]
fn a_worker_out_of_order_is_denied() {
    let connect = connect_worker().to_boxed();
    let compare = worker::CompareBalanceWithProxy {
        tokens_committed_to_blockchain: i64::MAX,
        tokens_committed_to_db: -1,
        max_tokens: 0,
    }
    .to_boxed();
    let denied = |questions| worker(questions).unwrap_err();
    assert_eq!(denied(vec![complete()]).code, UNCODED);
    assert_eq!(denied(vec![connect.clone(), connect.clone()]).code, UNCODED);
    // spec/network.md 10.1, 2: a counter above the proxy's aborted the original.
    assert_eq!(denied(vec![connect.clone(), compare]).code, ERROR);
    let mut trailing = connect.to_vec();
    trailing.extend([0; 4]);
    assert_eq!(denied(vec![trailing.into()]).code, PROTOVIOLATION);
}
