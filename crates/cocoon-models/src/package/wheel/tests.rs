use std::sync::Arc;

use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::digest::Gauge;

fn wheel(dir: &Path, name: &str, members: &[(&str, &[u8])]) -> PathBuf {
    let path = dir.join(name);
    let mut zip = ZipWriter::new(File::create(&path).unwrap());
    for (name, bytes) in members {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
    path
}

fn run(wheels: &[(&PathBuf, &str)], to: &Path, size: Size) -> Result<(), SourceError> {
    let wheels: Vec<_> = wheels
        .iter()
        .map(|(path, member)| ((*path).clone(), (*member).to_owned()))
        .collect();
    let gauge = Gauge::default();
    let shared: Arc<Shared> = gauge.shared();
    extract(&wheels, to, size, &shared)
}

#[test]
fn members_are_joined_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let one = wheel(
        dir.path(),
        "1.whl",
        &[("a/x.1", b"hello "), ("a/__init__.py", b"")],
    );
    let two = wheel(dir.path(), "2.whl", &[("b/x.2", b"world")]);
    let to = dir.path().join("out");
    run(&[(&one, "a/x.1"), (&two, "b/x.2")], &to, Size::Exactly(11)).unwrap();
    assert_eq!(std::fs::read(&to).unwrap(), b"hello world");
    let short = run(&[(&one, "a/x.1")], &to, Size::Exactly(11));
    assert!(matches!(
        short,
        Err(SourceError::WrongLength {
            expected: 11,
            offered: 6
        })
    ));
}

#[test]
fn a_bomb_is_stopped_at_the_agreed_size() {
    let dir = tempfile::tempdir().unwrap();
    let zeros = vec![0; 4 * 1024 * 1024];
    let bomb = wheel(dir.path(), "bomb.whl", &[("x", &zeros)]);
    assert!(
        std::fs::metadata(&bomb).unwrap().len() < 100_000,
        "it is small on the wire"
    );
    let to = dir.path().join("out");
    let result = run(&[(&bomb, "x")], &to, Size::AtMost(1_000_000));
    assert!(matches!(result, Err(SourceError::TooLong { limit: 1_000_000 })));
    assert!(std::fs::metadata(&to).unwrap().len() <= 1_000_000);
}

#[test]
fn what_is_missing_or_damaged_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("out");
    let good = wheel(dir.path(), "1.whl", &[("x", &[7; 5000])]);
    let missing = run(&[(&good, "y")], &to, Size::AtMost(5000)).unwrap_err();
    assert_eq!(missing.to_string(), "the wheel has no file y");

    let stored = dir.path().join("stored.whl");
    let mut zip = ZipWriter::new(File::create(&stored).unwrap());
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("x", options).unwrap();
    zip.write_all(&[7; 5000]).unwrap();
    zip.finish().unwrap();
    let mut bytes = std::fs::read(&stored).unwrap();
    *bytes.get_mut(2000).unwrap() ^= 1;
    std::fs::write(&stored, &bytes).unwrap();
    assert!(matches!(
        run(&[(&stored, "x")], &to, Size::AtMost(5000)),
        Err(SourceError::BadWheel(_))
    ));

    std::fs::write(&stored, b"<html>not found</html>").unwrap();
    assert!(matches!(
        run(&[(&stored, "x")], &to, Size::AtMost(5000)),
        Err(SourceError::BadWheel(_))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_wheel_can_harm(cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8)) {
        let dir = tempfile::tempdir().unwrap();
        let path = wheel(dir.path(), "1.whl", &[("x", &[7; 300]), ("y", b"abc")]);
        let mut bytes = std::fs::read(&path).unwrap();
        for (at, value) in cuts {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        std::fs::write(&path, &bytes).unwrap();
        let _ = run(&[(&path, "x")], &dir.path().join("out"), Size::AtMost(300));
    }
}
