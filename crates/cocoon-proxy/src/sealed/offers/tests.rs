//! What survives a start.

use super::*;

fn file(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("offers-epoch")
}

#[tokio::test]
async fn a_proxy_that_starts_again_offers_nothing_else_in_the_same_epoch() {
    let directory = tempfile::tempdir().unwrap();
    let mut first = LastEpoch::open(file(&directory), 100).await;
    first.reach(3).await.unwrap();
    first.reach(3).await.unwrap();
    first.reach(4).await.unwrap();
    let mut second = LastEpoch::open(file(&directory), 130).await;
    assert_eq!(second.reach(4).await, Err(NoOffers::NextEpoch));
    second.reach(5).await.unwrap();
}

#[tokio::test]
async fn a_file_that_cannot_be_read_costs_an_epoch() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(file(&directory), "garbage").unwrap();
    let mut last = LastEpoch::open(file(&directory), 150).await;
    assert_eq!(last.reach(5).await, Err(NoOffers::NextEpoch));
    last.reach(6).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_remembered_is_not_offered() {
    let directory = tempfile::tempdir().unwrap();
    let mut last = LastEpoch::open(directory.path().join("no/such/place"), 150).await;
    assert_eq!(last.reach(5).await, Err(NoOffers::Disk));
}
