//! Downloads that go on where they stopped.

use super::*;

fn from_of(asked: &[Ask]) -> Vec<Option<usize>> {
    asked.iter().map(Ask::from).collect()
}

#[tokio::test]
async fn a_broken_download_goes_on_in_the_same_pull() {
    let bytes = model_bytes(1);
    let site = Site::new(|ask: &Ask| match ask.number {
        0 => Reply::cut(&model_bytes(1)[..200_000], 300_000).with("etag", "\"v1\""),
        _ => Reply::ranged(ask, &model_bytes(1), "\"v1\""),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let path = store(&dir, limits())
        .pull(&entry(&bytes, &[site.url("/m")]), &mut Quiet)
        .await
        .unwrap();
    assert_eq!(std::fs::read(path).unwrap(), bytes);
    let asked = site.asked();
    assert_eq!(from_of(&asked), [None, Some(200_000)]);
    assert_eq!(asked[1].header("if-range"), Some("\"v1\""));
}

#[tokio::test]
async fn a_dropped_pull_leaves_nothing_in_the_way() {
    let bytes = model_bytes(1);
    let site = Site::new(|ask: &Ask| match ask.number {
        0 => Reply::stall(&model_bytes(1)[..200_000], 300_000).with("etag", "\"v1\""),
        _ => Reply::ranged(ask, &model_bytes(1), "\"v1\""),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir, limits());
    let entry = entry(&bytes, &[site.url("/m")]);
    let halfway = tokio::sync::Notify::new();
    let mut watch = |event: Event<'_>| {
        if matches!(event, Event::Bytes { done: 200_000, .. }) {
            halfway.notify_one();
        }
    };
    tokio::select! {
        _ = store.pull(&entry, &mut watch) => panic!("it stalls"),
        () = halfway.notified() => {}
    }
    let path = store.pull(&entry, &mut Quiet).await.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), bytes);
}

#[tokio::test]
async fn a_pull_that_failed_goes_on_in_the_next() {
    let bytes = model_bytes(1);
    let site = Site::new(|ask: &Ask| match ask.number {
        0 => Reply::cut(&model_bytes(1)[..200_000], 300_000).with("etag", "\"v1\""),
        1 => Reply::status(404),
        _ => Reply::ranged(ask, &model_bytes(1), "\"v1\""),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir, limits());
    let entry = entry(&bytes, &[site.url("/m")]);
    assert!(store.pull(&entry, &mut Quiet).await.is_err());
    assert_eq!(store.state(&entry), State::Partial { bytes: 200_000 });
    store.pull(&entry, &mut Quiet).await.unwrap();
    assert_eq!(from_of(&site.asked()), [None, Some(200_000), Some(200_000)]);
    assert_eq!(files(&store).len(), 3, "partial file and sidecar are gone");
}

/// First reply cut at 200,000 bytes, then what the test says.
async fn after_a_cut(then: impl Fn(&Ask) -> Reply + Send + Sync + 'static) -> Vec<Option<usize>> {
    let bytes = model_bytes(1);
    let site = Site::new(move |ask: &Ask| match ask.number {
        0 => Reply::cut(&model_bytes(9)[..200_000], 300_000).with("etag", "\"old\""),
        _ => then(ask),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir, limits());
    let path = store
        .pull(&entry(&bytes, &[site.url("/m")]), &mut Quiet)
        .await
        .unwrap();
    assert_eq!(std::fs::read(path).unwrap(), bytes);
    from_of(&site.asked())
}

#[tokio::test]
async fn a_server_without_ranges_starts_anew() {
    assert_eq!(
        after_a_cut(|_| Reply::file(&model_bytes(1))).await,
        [None, Some(200_000)]
    );
}

#[tokio::test]
async fn a_changed_file_starts_anew() {
    assert_eq!(
        after_a_cut(|ask| Reply::ranged(ask, &model_bytes(1), "\"new\"")).await,
        [None, Some(200_000)]
    );
}

#[tokio::test]
async fn a_server_that_passes_over_if_range_starts_anew() {
    let asked = after_a_cut(|ask| match ask.from() {
        Some(from) => Reply::range(&model_bytes(1)[from..], from, 300_000).with("etag", "\"new\""),
        None => Reply::file(&model_bytes(1)),
    });
    assert_eq!(asked.await, [None, Some(200_000), None]);
}

#[tokio::test]
async fn a_range_from_the_wrong_place_starts_anew() {
    let asked = after_a_cut(|ask| match ask.from() {
        Some(from) => Reply::range(&model_bytes(1)[from - 1..], from - 1, 300_000),
        None => Reply::file(&model_bytes(1)),
    });
    assert_eq!(asked.await, [None, Some(200_000), None]);
}

#[tokio::test]
async fn a_range_that_is_refused_starts_anew() {
    let asked = after_a_cut(|ask| match ask.from() {
        Some(_) => Reply::status(416),
        None => Reply::file(&model_bytes(1)),
    });
    assert_eq!(asked.await, [None, Some(200_000), None]);
}

#[tokio::test]
async fn old_bytes_that_spoil_the_digest_are_given_up() {
    // The old version's bytes and the new version's rest, under one etag: only the digest can tell.
    let bytes = model_bytes(1);
    let site = Site::new(|ask: &Ask| match ask.number {
        0 => Reply::cut(&model_bytes(9)[..200_000], 300_000).with("etag", "\"v1\""),
        1 => Reply::status(404),
        _ => Reply::ranged(ask, &model_bytes(1), "\"v1\""),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir, limits());
    let entry = entry(&bytes, &[site.url("/m")]);
    assert!(store.pull(&entry, &mut Quiet).await.is_err());
    let path = store.pull(&entry, &mut Quiet).await.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), bytes);
    assert_eq!(from_of(&site.asked()), [None, Some(200_000), Some(200_000), None]);
}

#[tokio::test]
async fn a_partial_file_without_its_sidecar_is_not_trusted() {
    let bytes = model_bytes(1);
    let site = Site::with_file(&bytes).await;
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir, limits());
    let entry = entry(&bytes, &[site.url("/m")]);
    std::fs::create_dir_all(store.dir()).unwrap();
    let partial = store.partial(&entry, &entry.sources[0]);
    std::fs::write(&partial, [9; 1000]).unwrap();
    for garbage in [&b""[..], b"{\"address\":1}", b"[]"] {
        std::fs::write(partial.with_extension("partial.json"), garbage).unwrap();
    }
    store.pull(&entry, &mut Quiet).await.unwrap();
    assert_eq!(from_of(&site.asked()), [None]);
}
