use cocoon_chain::{Ledger, LedgerChain, LedgerOptions};

use super::*;

const NOW: u64 = 1_795_400_000;

fn ledger() -> LedgerChain {
    let ledger = Ledger::in_memory(LedgerOptions::default(), NOW).unwrap();
    LedgerChain::new(ledger, || NOW)
}

#[tokio::test]
async fn named_blocks_are_looked_up_and_others_are_not_there() {
    let chain = ledger();
    chain.block().await.unwrap();
    let first = chain.head().await.unwrap();
    chain.block().await.unwrap();
    let blocks = Blocks::new(Arc::new(chain.clone()));
    for _ in 0..2 {
        let view = blocks.view(1).await.unwrap();
        assert_eq!(view.named, Some(block(first)));
        assert_eq!(view.head.seqno, 2);
    }
    let beyond = blocks.view(1000).await.unwrap();
    assert_eq!((beyond.named, beyond.head.seqno), (None, 2));
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_is_a_moment_behind_is_waited_for() {
    let chain = ledger();
    let blocks = Blocks::new(Arc::new(chain.clone()));
    let maker = async {
        sleep(Duration::from_millis(700)).await;
        chain.block().await.unwrap();
    };
    let (view, ()) = tokio::join!(blocks.view(1), maker);
    let view = view.unwrap();
    assert_eq!(view.named, Some(block(chain.head().await.unwrap())));
}

#[tokio::test]
async fn what_is_remembered_is_bounded() {
    let chain = ledger();
    for _ in 0..=MAX_NAMED + 5 {
        chain.block().await.unwrap();
    }
    let blocks = Blocks::new(Arc::new(chain));
    for seqno in 0..=u32::try_from(MAX_NAMED).unwrap() {
        assert!(blocks.view(seqno).await.unwrap().named.is_some());
    }
    assert_eq!(blocks.known().named.len(), MAX_NAMED);
}
