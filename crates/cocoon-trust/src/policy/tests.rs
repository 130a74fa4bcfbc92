use cocoon_contracts::{Params, code};
use cocoon_types::{Address, Multipliers, Nanoton};

use super::*;
use crate::TrustKeys;

const WORKER: [u8; 32] = [1; 32];
const PROXY: [u8; 32] = [2; 32];
const STRANGER: [u8; 32] = [3; 32];

fn registry(is_test: bool) -> RootConfig {
    RootConfig {
        owner: Address::new([0; 32]),
        version: 1,
        proxies: Vec::new(),
        last_proxy_seqno: 0,
        proxy_hashes: BTreeSet::from([PROXY]),
        worker_hashes: BTreeSet::from([WORKER]),
        model_hashes: BTreeSet::new(),
        params: Params {
            struct_version: Params::STRUCT_VERSION,
            params_version: 1,
            unique_id: 0,
            is_test,
            price_per_token: Nanoton::new(20),
            worker_fee_per_token: Nanoton::new(19),
            multipliers: Multipliers {
                prompt: 1,
                cached: 1,
                completion: 1,
                reasoning: 1,
            },
            proxy_delay_before_close: 1,
            client_delay_before_close: 1,
            min_proxy_stake: Nanoton::ZERO,
            min_client_stake: Nanoton::ZERO,
            codes: code::codes(),
        },
        key_manager: None,
    }
}

fn config(is_test: bool, images: &[[u8; 32]]) -> TrustConfig {
    TrustKeys {
        is_test,
        accept_simulated: is_test,
        worker_images: images.iter().map(hex::encode).collect(),
        proxy_images: images.iter().map(hex::encode).collect(),
        has_registry: true,
        ..TrustKeys::default()
    }
    .build()
    .unwrap()
}

const PROXIES: Peers = Peers::Proxies { or_open: false };

#[test]
fn simulated_needs_the_registrys_word_whatever_the_configuration_says() {
    let accepts = |policy: &Policy| match policy.evidence {
        EvidenceRule::Required { simulated } | EvidenceRule::Optional { simulated } => {
            simulated == Simulated::AcceptOnTestNetwork
        }
    };
    for peers in [
        Peers::Clients,
        Peers::Workers,
        PROXIES,
        Peers::Proxies { or_open: true },
    ] {
        let test = config(true, &[]);
        assert!(accepts(&peers.policy(&test, Some(&registry(true)))));
        assert!(
            !accepts(&peers.policy(&test, Some(&registry(false)))),
            "{peers:?}"
        );
        let real = config(false, &[]);
        assert!(!accepts(&peers.policy(&real, Some(&registry(true)))), "{peers:?}");
        assert!(!accepts(&peers.policy(&real, None)), "{peers:?}");
    }
}

#[test]
fn the_registry_lists_and_the_operator_narrows() {
    let images = |peers: Peers, local: &[[u8; 32]]| {
        peers
            .policy(&config(true, local), Some(&registry(true)))
            .image_hashes
    };
    assert_eq!(images(Peers::Workers, &[]), ImageRule::Listed(vec![WORKER]));
    assert_eq!(images(PROXIES, &[]), ImageRule::Listed(vec![PROXY]));
    assert_eq!(
        images(Peers::Workers, &[WORKER, STRANGER]),
        ImageRule::Listed(vec![WORKER])
    );
    assert_eq!(images(Peers::Workers, &[STRANGER]), ImageRule::Listed(Vec::new()));
    // One list says nothing about the other kind of peer.
    let mut one = config(true, &[PROXY]);
    one.worker_images.clear();
    let rule = |peers: Peers| peers.policy(&one, Some(&registry(true))).image_hashes;
    assert_eq!(rule(Peers::Workers), ImageRule::Listed(vec![WORKER]));
    assert_eq!(rule(PROXIES), ImageRule::Listed(vec![PROXY]));
    let mut empty = registry(true);
    empty.worker_hashes.clear();
    let policy = Peers::Workers.policy(&config(true, &[WORKER]), Some(&empty));
    assert_eq!(
        policy.image_hashes,
        ImageRule::Listed(Vec::new()),
        "empty refuses"
    );
    // Who also takes `open` proxies asks for no evidence; the tier decides.
    assert_eq!(images(Peers::Proxies { or_open: true }, &[]), ImageRule::Any);
    assert_eq!(images(Peers::Clients, &[STRANGER]), ImageRule::Any);
}

#[test]
fn without_a_registry_the_local_list_counts() {
    let alone = |is_test, local: &[[u8; 32]]| Peers::Workers.policy(&config(is_test, local), None);
    assert_eq!(alone(true, &[]).image_hashes, ImageRule::Any);
    assert_eq!(
        alone(true, &[WORKER]).image_hashes,
        ImageRule::Listed(vec![WORKER])
    );
    assert_eq!(alone(false, &[]).image_hashes, ImageRule::Listed(Vec::new()));
    assert!(matches!(alone(true, &[]).evidence, EvidenceRule::Required { .. }));
    let mut bare = config(true, &[]);
    bare.accept_simulated = false;
    let policy = Peers::Workers.policy(&bare, None);
    assert_eq!(
        policy.evidence,
        EvidenceRule::Optional {
            simulated: Simulated::Refuse
        }
    );
}
