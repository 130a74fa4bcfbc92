use crate::{Peers, StateError, StatedContent, StatedEvidence, StatementError, Trust, TrustKeys};

const NOW: u64 = 1_795_400_000;

async fn trust(tee: &str) -> Trust {
    let keys = TrustKeys {
        tee: Some(tee.into()),
        is_test: true,
        ..TrustKeys::default()
    };
    let config = keys.build().unwrap();
    Trust::start(&config, "worker", None, || NOW).await.unwrap()
}

#[tokio::test]
async fn without_a_chain_nothing_is_stated_and_nothing_believed() {
    let trust = trust("none").await;
    let stated = trust.state(&StatedContent::default()).await;
    assert!(matches!(stated, Err(StateError::NoChain)), "{stated:?}");
    let evidence = StatedEvidence {
        statement: vec![1; 200].into(),
        quote: bytes::Bytes::new(),
        endorsements: bytes::Bytes::new(),
        gpu_evidence: bytes::Bytes::new(),
    };
    let judged = trust.appraise_presented(Peers::Workers, b"", &evidence).await;
    let error = judged.unwrap_err();
    assert!(matches!(error, StatementError::NoChain) && !error.is_refusal());
    // What is too long is refused before anything else.
    let long = StatedEvidence {
        quote: vec![0; 100_000].into(),
        ..evidence
    };
    let error = trust
        .appraise_presented(Peers::Workers, b"", &long)
        .await
        .unwrap_err();
    assert!(error.is_refusal(), "{error}");
}
