//! Servers that lie, loiter and never end.

use super::*;

/// Pulls a 300,000-byte model from a site whose sole path behaves like this, and gives the source's failure.
async fn failure(
    limits: Limits,
    answer: impl Fn(&Ask) -> Reply + Send + Sync + 'static,
) -> (SourceError, usize) {
    let site = Site::new(answer).await;
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir, limits);
    let entry = entry(&model_bytes(1), &[site.url("/m")]);
    let error = store.pull(&entry, &mut Quiet).await.unwrap_err();
    let PullError::NoSource { mut failures, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(store.path_if_present(&entry), None);
    (failures.remove(0).error, site.asked().len())
}

/// Deadlines as short as a busy test machine allows.
fn hasty() -> Limits {
    Limits {
        stall: Duration::from_millis(300),
        ..limits()
    }
}

#[tokio::test]
async fn a_wrong_length_is_noticed_before_the_body() {
    for length in [299_999, 300_001, 1 << 50] {
        let (error, asked) = failure(limits(), move |_| Reply::stall(b"x", length)).await;
        let SourceError::WrongLength {
            expected: 300_000,
            offered,
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!((offered, asked), (length as u64, 1));
    }
}

#[tokio::test]
async fn an_endless_body_ends_at_the_size_of_the_model() {
    let piece = &[0; 65536];
    let (error, asked) = failure(limits(), |_| Reply::endless(piece, Duration::ZERO)).await;
    assert!(
        matches!(error, SourceError::TooLong { limit: 300_000 }),
        "{error}"
    );
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn silence_is_a_stall() {
    let (error, asked) = failure(hasty(), |_| Reply::stall(&[1; 1000], 300_000)).await;
    assert!(matches!(error, SourceError::Stalled), "{error}");
    assert_eq!(asked, 1, "a source that brought nothing is not asked again");
    let (error, _) = failure(hasty(), |_| Reply::status(200).after(Duration::from_secs(60))).await;
    assert!(matches!(error, SourceError::Stalled), "{error}");
}

#[tokio::test]
async fn a_trickle_is_a_stall() {
    let (error, _) = failure(hasty(), |_| Reply::endless(b"x", Duration::from_millis(20))).await;
    assert!(matches!(error, SourceError::Stalled), "{error}");
}

#[tokio::test]
async fn redirects_have_an_end() {
    let (error, asked) = failure(limits(), |ask| Reply::redirect(&format!("/{}", ask.number))).await;
    assert!(matches!(error, SourceError::Redirects), "{error}");
    assert_eq!(asked, 11);
    let (error, _) = failure(limits(), |_| Reply::redirect("file:///etc/passwd")).await;
    assert!(!error.to_string().contains("root:"), "{error}");
}

#[tokio::test]
async fn a_few_redirects_are_followed() {
    let bytes = model_bytes(1);
    let site = Site::new(|ask: &Ask| match ask.number {
        0..=2 => Reply::redirect(&format!("/{}", ask.number)),
        _ => Reply::file(&model_bytes(1)),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    store(&dir, limits())
        .pull(&entry(&bytes, &[site.url("/m")]), &mut Quiet)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_busy_server_is_asked_again_but_not_for_ever() {
    let (error, asked) = failure(limits(), |_| Reply::status(503)).await;
    assert!(matches!(error, SourceError::Status(503)), "{error}");
    assert_eq!(asked, 3);
    let (error, asked) = failure(limits(), |_| Reply::cut(b"abc", 300_000)).await;
    assert!(matches!(error, SourceError::Cut(_)), "{error}");
    assert_eq!(asked, 3);
}

#[tokio::test]
async fn what_is_no_answer_is_refused() {
    for code in [204, 206, 304, 401, 404, 410, 416, 500] {
        let (error, _) = failure(limits(), move |_| Reply::status(code)).await;
        assert!(
            matches!(error, SourceError::Status(found) if found == code),
            "{code}: {error}"
        );
    }
    let (error, _) = failure(limits(), |_| Reply::file(b"")).await;
    assert!(
        matches!(error, SourceError::WrongLength { offered: 0, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_body_without_length_that_ends_early_is_not_taken() {
    let (error, _) = failure(limits(), |_| {
        let pieces =
            futures_util::stream::iter([Ok::<_, std::io::Error>(axum::body::Bytes::from_static(b"short"))]);
        axum::response::Response::new(axum::body::Body::from_stream(pieces)).into()
    })
    .await;
    assert!(
        matches!(
            error,
            SourceError::Short {
                got: 5,
                expected: 300_000
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_disk_that_is_too_small_ends_the_pull() {
    let huge = 1 << 60;
    let site = Site::new(move |_| Reply::stall(b"x", huge)).await;
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir, limits());
    let mut entry = entry(b"x", &[site.url("/1"), site.url("/2")]);
    entry.size = Some(huge as u64);
    let error = store.pull(&entry, &mut Quiet).await.unwrap_err();
    let PullError::NoRoom { needed, free, .. } = error else {
        panic!("{error}")
    };
    assert!(needed > huge as u64 && free < needed);
    assert_eq!(site.asked().len(), 1, "another source would not help");
}

#[tokio::test]
async fn a_model_of_unstated_size_needs_a_length() {
    let bytes = model_bytes(1);
    let site = Site::new(|ask: &Ask| match ask.path.as_str() {
        "/endless" => Reply::endless(b"xxxx", Duration::ZERO),
        _ => Reply::file(&model_bytes(1)),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir, limits());
    let mut entry = entry(&bytes, &[site.url("/endless"), site.url("/m")]);
    entry.size = None;
    let lines = Mutex::default();
    store.pull(&entry, &mut lines_into(&lines)).await.unwrap();
    let lines = lines.into_inner().unwrap();
    assert!(
        lines
            .iter()
            .any(|line| line.contains("does not say how long the file is")),
        "{lines:#?}"
    );
}
