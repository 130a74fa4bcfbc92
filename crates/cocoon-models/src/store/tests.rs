use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use site::{Ask, Reply, Site};

use super::*;
use crate::settings::{Indexes, Limits};
use crate::{Quiet, Source};

mod hostile;
mod package;
mod resume;
mod site;

/// Bytes of a model, different for each seed, long enough to arrive in several pieces.
fn model_bytes(seed: u8) -> Vec<u8> {
    (0..300_000u32).map(|n| (n % 251) as u8 ^ seed).collect()
}

fn limits() -> Limits {
    Limits {
        pause: Duration::from_millis(1),
        ..Limits::default()
    }
}

fn store(dir: &tempfile::TempDir, limits: Limits) -> Store {
    Store::with_settings(
        dir.path().join("models"),
        Settings {
            indexes: Indexes::default(),
            limits,
        },
    )
}

fn entry(bytes: &[u8], sources: &[String]) -> ModelEntry {
    ModelEntry {
        name: "tiny".into(),
        title: String::new(),
        licence: "MIT".into(),
        size: Some(bytes.len() as u64),
        sha256: Sha256::of(bytes),
        context_length: None,
        chat: true,
        sources: sources
            .iter()
            .map(|text| text.parse::<Source>().unwrap())
            .collect(),
    }
}

/// Gathers the lines that a person would see.
fn lines_into(lines: &Mutex<Vec<String>>) -> impl Progress + '_ {
    move |event: Event<'_>| {
        if !matches!(
            event,
            Event::Bytes { .. } | Event::Checking { .. } | Event::Unpacking { .. }
        ) {
            lines.lock().unwrap().push(event.to_string());
        }
    }
}

/// The names of all files in the store.
fn files(store: &Store) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(store.dir())
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_model_is_fetched_once() {
    let bytes = model_bytes(1);
    let site = Site::with_file(&bytes).await;
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir, limits());
    let entry = entry(&bytes, &[site.url("/m.gguf")]);
    assert_eq!(
        (store.path_if_present(&entry), store.state(&entry)),
        (None, State::Absent)
    );

    let last = AtomicU64::new(0);
    let mut progress = |event: Event<'_>| {
        if let Event::Bytes { done, total } = event {
            assert_eq!(total, Some(300_000));
            assert!(last.swap(done, Ordering::Relaxed) <= done);
        }
    };
    let path = store.pull(&entry, &mut progress).await.unwrap();
    assert_eq!(last.load(Ordering::Relaxed), 300_000);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(
        (store.path_if_present(&entry), store.state(&entry)),
        (Some(path.clone()), State::Ready)
    );
    let short = entry.sha256.short();
    let expected = ["gguf", "lock", "verified"].map(|ending| format!("tiny-{short}.{ending}"));
    assert_eq!(files(&store), expected);

    assert_eq!(store.pull(&entry, &mut Quiet).await.unwrap(), path);
    assert_eq!(site.asked().len(), 1);
}

#[tokio::test]
async fn a_failing_source_is_named_and_the_next_one_tried() {
    let bytes = model_bytes(1);
    let site = Site::new(move |ask: &Ask| match ask.path.as_str() {
        "/right" => Reply::file(&model_bytes(1)),
        "/wrong" => Reply::file(&model_bytes(2)),
        _ => Reply::status(404),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir, limits());
    let closed = format!("http://127.0.0.1:{}/x", site::closed_port().await);
    let sources = [
        closed,
        site.url("/missing"),
        site.url("/wrong"),
        site.url("/right"),
    ];
    let lines = Mutex::default();
    store
        .pull(&entry(&bytes, &sources), &mut lines_into(&lines))
        .await
        .unwrap();
    let lines = lines.into_inner().unwrap();
    assert_eq!(lines.len(), 7, "{lines:#?}");
    assert!(
        lines[1].starts_with("source 1 (127.0.0.1): could not connect ("),
        "{}",
        lines[1]
    );
    assert!(lines[1].ends_with("; trying source 2"), "{}", lines[1]);
    assert_eq!(
        lines[3],
        "source 2 (127.0.0.1): answered with HTTP status 404; trying source 3"
    );
    let found = Sha256::of(&model_bytes(2)).to_string();
    assert!(
        lines[5].starts_with("source 3 (127.0.0.1): sent a file with the wrong digest"),
        "{}",
        lines[5]
    );
    assert!(
        lines[5].contains(&found) && lines[5].contains("it was removed"),
        "{}",
        lines[5]
    );
    assert_eq!(files(&store).len(), 3, "nothing of the wrong file is left");
}

#[tokio::test]
async fn when_every_source_fails_all_reasons_are_told() {
    let site = Site::new(|ask: &Ask| match ask.path.as_str() {
        "/wrong" => Reply::file(&model_bytes(2)),
        _ => Reply::status(403),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir, limits());
    let entry = entry(&model_bytes(1), &[site.url("/wrong"), site.url("/secret")]);
    let error = store.pull(&entry, &mut Quiet).await.unwrap_err();
    let PullError::NoSource { failures, .. } = &error else {
        panic!("{error}")
    };
    assert!(matches!(failures[0].error, SourceError::WrongDigest { .. }));
    assert!(matches!(failures[1].error, SourceError::Status(403)));
    let text = error.to_string();
    assert!(
        text.contains("no source delivered `tiny`:\n  source 1 (127.0.0.1): sent a file with"),
        "{text}"
    );
    assert_eq!(
        (store.path_if_present(&entry), store.state(&entry)),
        (None, State::Absent)
    );
}

#[tokio::test]
async fn two_pulls_at_once_fetch_once() {
    let bytes = model_bytes(1);
    let site = Site::new(move |_: &Ask| Reply::file(&model_bytes(1)).after(Duration::from_millis(300))).await;
    let dir = tempfile::tempdir().unwrap();
    let entry = entry(&bytes, &[site.url("/m")]);
    // Two stores on one directory: the lock works between processes, hence between files.
    let (one, two) = (store(&dir, limits()), store(&dir, limits()));
    let lines = Mutex::default();
    let (mut watch_one, mut watch_two) = (lines_into(&lines), lines_into(&lines));
    let (first, second) = tokio::join!(one.pull(&entry, &mut watch_one), two.pull(&entry, &mut watch_two));
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(site.asked().len(), 1);
    drop((watch_one, watch_two));
    assert!(
        lines
            .into_inner()
            .unwrap()
            .iter()
            .any(|line| line.contains("another process is fetching"))
    );
}

#[tokio::test]
async fn a_lock_that_is_never_freed_is_no_hang() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(
        &dir,
        Limits {
            wait_for_other: Duration::from_millis(50),
            ..limits()
        },
    );
    let entry = entry(b"x", &["http://127.0.0.1:1/x".into()]);
    std::fs::create_dir_all(store.dir()).unwrap();
    let _held = try_lock(&store.beside(&entry, "lock")).unwrap().unwrap();
    assert!(matches!(
        store.pull(&entry, &mut Quiet).await,
        Err(PullError::Busy { .. })
    ));
}

#[tokio::test]
async fn a_changed_file_is_not_given_out() {
    let bytes = model_bytes(1);
    let site = Site::with_file(&bytes).await;
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir, limits());
    let entry = entry(&bytes, &[site.url("/m")]);
    assert!(matches!(
        store.verify(&entry, &mut Quiet).await,
        Err(VerifyError::Absent { .. })
    ));
    let path = store.pull(&entry, &mut Quiet).await.unwrap();
    assert_eq!(store.verify(&entry, &mut Quiet).await.unwrap(), path);

    // One byte, same length, and the time of change put back: only `verify` can see it, and does.
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    let mut changed = bytes.clone();
    changed[1000] ^= 1;
    std::fs::write(&path, &changed).unwrap();
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    assert_eq!(store.path_if_present(&entry), Some(path.clone()));
    let error = store.verify(&entry, &mut Quiet).await.unwrap_err();
    assert!(matches!(error, VerifyError::WrongDigest { .. }), "{error}");
    assert_eq!(
        (store.path_if_present(&entry), store.state(&entry)),
        (None, State::Unchecked)
    );

    assert_eq!(store.pull(&entry, &mut Quiet).await.unwrap(), path);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(site.asked().len(), 2);
}

#[tokio::test]
async fn a_file_that_was_put_there_is_checked_and_taken() {
    let bytes = model_bytes(1);
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir, limits());
    let entry = entry(&bytes, &[]);
    std::fs::create_dir_all(store.dir()).unwrap();
    std::fs::write(store.path(&entry), &bytes).unwrap();
    assert_eq!(store.state(&entry), State::Unchecked);
    assert_eq!(store.pull(&entry, &mut Quiet).await.unwrap(), store.path(&entry));
    assert_eq!(store.state(&entry), State::Ready);

    std::fs::write(store.path(&entry), b"something else").unwrap();
    let error = store.pull(&entry, &mut Quiet).await.unwrap_err();
    assert_eq!(error.to_string(), "no source delivered `tiny`: it has none");
    assert!(!store.path(&entry).exists());
}

#[tokio::test]
async fn a_stamp_that_is_garbage_counts_as_none() {
    let bytes = model_bytes(1);
    let site = Site::with_file(&bytes).await;
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir, limits());
    let entry = entry(&bytes, &[site.url("/m")]);
    store.pull(&entry, &mut Quiet).await.unwrap();
    for garbage in [&b""[..], b"{}", b"null", &[b'['; 100_000]] {
        std::fs::write(store.beside(&entry, "verified"), garbage).unwrap();
        assert_eq!(store.path_if_present(&entry), None);
        store.pull(&entry, &mut Quiet).await.unwrap();
        assert_eq!(store.state(&entry), State::Ready);
    }
    assert_eq!(site.asked().len(), 1);
}

#[tokio::test]
async fn the_list_says_what_is_here() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir, limits());
    let catalogue = Catalogue::built_in();
    let listed = store.list(&catalogue);
    assert_eq!(listed.len(), catalogue.models().len());
    assert!(listed.iter().all(|listed| listed.state == State::Absent));
    let first = &listed[0];
    std::fs::create_dir_all(store.dir()).unwrap();
    std::fs::write(store.beside(&first.entry, "0badcafe.partial"), [0; 77]).unwrap();
    assert_eq!(store.list(&catalogue)[0].state, State::Partial { bytes: 77 });
    let name = first.path.file_name().unwrap().to_str().unwrap();
    assert_eq!(name, "smollm2-135m-instruct-b179c9523d0e.gguf");
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("models"), b"a file").unwrap();
    let store = store(&dir, limits());
    let error = store.pull(&entry(b"x", &[]), &mut Quiet).await.unwrap_err();
    assert!(matches!(error, PullError::Disk { .. }), "{error}");
}
