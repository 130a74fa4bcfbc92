//! What workers and clients can do with receipts, and what comes of it.

use std::net::{Ipv4Addr, SocketAddr};

use cocoon_attest::{EvidenceRule, ImageRule, Policy, Side, Simulated, VerifiedPeer, appraise_certificate};
use cocoon_link::{EnginePlace, Identity, Inbox, Incoming, Session};
use cocoon_types::{Coefficient, Fault};

use super::*;
use crate::{clients, sealed::Record, stated::Stated, teller::Teller};

fn somebody() -> VerifiedPeer {
    let policy = Policy {
        evidence: EvidenceRule::Optional {
            simulated: Simulated::AcceptOnTestNetwork,
        },
        image_hashes: ImageRule::Any,
        ..Policy::default()
    };
    let identity = Identity::simulated(0).unwrap();
    appraise_certificate(identity.certificate_der(), Side::Dialler, &policy, 0).unwrap()
}

async fn pair() -> [(Link, Inbox); 2] {
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    Link::pair(&somebody(), addr).await.unwrap()
}

async fn worker() -> Arc<WorkerPeer> {
    let [(link, inbox), _other] = pair().await;
    let (session, _events) = Session::start(link, inbox, clients::hello(), Fault::WorkerLost);
    Arc::new(WorkerPeer {
        session,
        teller: Teller::default(),
        owner: None,
        software: String::new(),
        context_length: 0,
        engine: EnginePlace::Outside,
        record: Record::default(),
        stated: Stated::default(),
        since: Instant::now(),
    })
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).unwrap()
}

const PROXY: u8 = 1;
const WORKER: u8 = 2;
const OTHER: u8 = 3;

struct Desk {
    receipts: Receipts,
    worker: Arc<WorkerPeer>,
    client: Link,
    /// The client's end.
    told: (Link, Inbox),
}

impl Desk {
    async fn new() -> Self {
        let [(client, _inbox), told] = pair().await;
        Self {
            receipts: Receipts::new(Arc::new(key(PROXY))),
            worker: worker().await,
            client,
            told,
        }
    }

    fn settle(&self, leaf: u8, asker: u64) {
        self.receipts.settled(Served {
            asker: Asker(asker),
            client: self.client.clone(),
            worker: Arc::clone(&self.worker),
            receipt_key: *key(WORKER).public(),
            charge: Charge {
                leaf: Digest([leaf; 32]),
                offer: Digest([0; 32]),
                coefficient: Coefficient::ONE,
                adjusted: 5,
                nanoton: 10,
                settled_at: 1,
            },
        });
    }

    /// What the client is told next.
    async fn charged(&mut self) -> Vec<v3::Charged> {
        let inbox = &mut self.told.1;
        let next = async {
            match inbox.recv().await {
                Some(Incoming::Packet(message)) => v3::Settled::from_boxed(message).unwrap().receipts,
                other => panic!("{other:?}"),
            }
        };
        let soon = Duration::from_secs(20);
        tokio::select! {
            charged = timeout(soon, next) => charged.unwrap(),
            () = self.receipts.run() => unreachable!(),
        }
    }
}

/// A batch of these leaves by this key; each sign is sent for the leaf beside it.
fn signs(by: u8, role: Role, leaves: &[(u8, u8)]) -> Bytes {
    let mut batch = Batch::default();
    for (leaf, _) in leaves {
        batch.push(Digest([*leaf; 32])).unwrap();
    }
    let signed = batch.sign(role, &key(by), 1);
    let signs = signed
        .into_iter()
        .zip(leaves)
        .map(|(sign, (_, said))| v3::Countersign {
            leaf: [*said; 32],
            worker: sign.encode().into(),
        });
    let signs = signs.collect();
    v3::Countersigns { signs }.to_boxed()
}

#[tokio::test(start_paused = true)]
async fn both_signatures_go_to_the_client_in_one_message() {
    let mut desk = Desk::new().await;
    desk.settle(1, 1);
    desk.settle(2, 1);
    assert!(
        desk.receipts
            .signed(signs(WORKER, Role::Worker, &[(1, 1), (2, 2)]))
    );
    let charged = desk.charged().await;
    assert_eq!(charged.len(), 2);
    for one in charged {
        let worker = Countersign::decode(&one.worker).unwrap();
        assert!(worker.is_signed() && worker.covers(Digest(one.leaf)));
        let charge = Charge::decode(&one.charge).unwrap();
        assert_eq!(charge.leaf.0, one.leaf);
        let proxy = Countersign::decode(&one.proxy).unwrap();
        assert!(proxy.is_signed() && proxy.covers(charge.charge_leaf()));
        assert_eq!((proxy.role, proxy.signer), (Role::Proxy, *key(PROXY).public()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_signature_that_comes_before_the_price_is_not_lost() {
    let mut desk = Desk::new().await;
    assert!(desk.receipts.signed(signs(WORKER, Role::Worker, &[(1, 1)])));
    // Somebody else's word for the same receipt is not taken for the worker's.
    assert!(desk.receipts.signed(signs(OTHER, Role::Worker, &[(2, 2)])));
    desk.settle(1, 1);
    desk.settle(2, 1);
    let first = desk.charged().await;
    assert!(first.len() == 1 && first[0].leaf == [1; 32] && !first[0].worker.is_empty());
    let late = desk.charged().await;
    assert!(
        late[0].leaf == [2; 32] && late[0].worker.is_empty(),
        "after five seconds"
    );
}

#[tokio::test(start_paused = true)]
async fn a_worker_signs_its_own_receipts_or_loses_its_link() {
    let desk = Desk::new().await;
    desk.settle(1, 1);
    for (what, message) in [
        ("another key", signs(OTHER, Role::Worker, &[(1, 1)])),
        ("as a proxy", signs(WORKER, Role::Proxy, &[(1, 1)])),
        (
            "a leaf that is not in the batch",
            signs(WORKER, Role::Worker, &[(9, 1)]),
        ),
        ("bytes", Bytes::from_static(b"\x97\xa2\xa2\x27\xff\xff\xff\xff")),
        (
            "no signature",
            v3::Countersigns {
                signs: vec![v3::Countersign {
                    leaf: [1; 32],
                    worker: Bytes::from_static(b"signed"),
                }],
            }
            .to_boxed(),
        ),
    ] {
        assert!(!desk.receipts.signed(message), "{what}");
    }
    assert!(desk.receipts.signed(signs(WORKER, Role::Worker, &[(1, 1)])));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_settles_is_bounded() {
    let desk = Desk::new().await;
    for round in 0..8 {
        let leaves: Vec<_> = (0..=255).map(|leaf| (leaf, leaf)).collect();
        assert!(desk.receipts.signed(signs(round + 10, Role::Worker, &leaves)));
    }
    assert_eq!(desk.receipts.lock().early.len(), MAX_EARLY);
}

fn receipt() -> Receipt {
    let none = Digest([0; 32]);
    Receipt {
        request_id: cocoon_types::RequestId([5; 32]),
        request_hash: none,
        answer_hash: none,
        key_id: none,
        offer: none,
        tier: cocoon_types::Tier::Open,
        coefficient: Coefficient::ONE,
        parts: 1,
        bytes: 1,
        closing: cocoon_seal::Closing {
            statement: none,
            model: none,
            engine: none,
            evidence: none,
            engine_place: cocoon_seal::EnginePlace::Outside,
            accelerators: cocoon_seal::Accelerators::None,
            outcome: cocoon_seal::Outcome::Complete,
            finish: cocoon_seal::Finish::Stop,
            usage: cocoon_types::Usage::default(),
            block_seqno: 1,
            block: none,
            started: 1,
            ended: 2,
        },
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_disputes_its_own_receipts_once() {
    let desk = Desk::new().await;
    let receipt = receipt();
    let dispute = v3::Dispute {
        leaf: receipt.leaf().0,
        field: "usage".into(),
        expected: Bytes::new(),
        receipt: receipt.encode().into(),
    };
    let say = |asker, dispute: &v3::Dispute| desk.receipts.disputed(Asker(asker), dispute.to_boxed());
    assert!(say(1, &dispute).is_none(), "nothing of it was served here");
    desk.receipts.settled(Served {
        asker: Asker(1),
        client: desk.client.clone(),
        worker: Arc::clone(&desk.worker),
        receipt_key: *key(WORKER).public(),
        charge: Charge {
            leaf: receipt.leaf(),
            offer: Digest([0; 32]),
            coefficient: Coefficient::ONE,
            adjusted: 5,
            nanoton: 10,
            settled_at: 1,
        },
    });
    assert!(say(2, &dispute).is_none(), "somebody else's");
    let mut bad = dispute.clone();
    bad.leaf[0] ^= 1;
    assert!(say(1, &bad).is_none(), "another leaf");
    let mut bad = dispute.clone();
    bad.expected = vec![0; MAX_DISPUTE + 1].into();
    assert!(say(1, &bad).is_none(), "too long");
    assert_eq!(say(1, &dispute).unwrap().1, "usage");
    assert!(say(1, &dispute).is_none(), "once");
    assert_eq!(desk.worker.record.disputes(), 1);
}
