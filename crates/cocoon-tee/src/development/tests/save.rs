use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::development::SaveError;

#[test]
fn what_was_saved_makes_the_same_evidence() {
    let home = tempfile::tempdir().unwrap();
    let place = home.path().join("a/b");
    let first = DevelopmentTee::open_or_create(&place, NOW).unwrap();
    let second = DevelopmentTee::open_or_create(&place, NOW + 1000).unwrap();
    assert_eq!(first.root_der(), second.root_der());
    assert_eq!(first.to_bytes(), second.to_bytes());
    // A quote of the one with collateral of the other, under the root of the first.
    for format in FORMATS {
        let quote = second.quote(format, &REPORT_DATA, &image()).unwrap();
        let collateral = first.collateral(NOW + 1000).unwrap();
        let policy = TdxPolicy::default();
        assert!(verify(&quote, &collateral, first.root_der(), &policy, NOW + 1000).is_ok());
        let collateral = second.collateral(NOW + 1000).unwrap();
        assert!(verify(&quote, &collateral, first.root_der(), &policy, NOW + 1000).is_ok());
    }
    let files: Vec<_> = std::fs::read_dir(&place).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 1, "nothing is left behind");
    assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(place.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn those_who_begin_at_once_agree() {
    let home = tempfile::tempdir().unwrap();
    let place = home.path().join("tee");
    let roots: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let begun: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    DevelopmentTee::open_or_create(&place, NOW)
                        .unwrap()
                        .root_der()
                        .to_vec()
                })
            })
            .collect();
        begun.into_iter().map(|begun| begun.join().unwrap()).collect()
    });
    assert!(roots.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn another_fault_under_the_same_root() {
    let home = tempfile::tempdir().unwrap();
    let good = DevelopmentTee::open_or_create(home.path(), NOW).unwrap();
    let open = || DevelopmentTee::open(home.path()).unwrap();
    let bad = open().with_other_fault(Some(Fault::TcbInfo(TextFault::Expired)));
    let quote = bad.quote(QuoteFormat::V4, &REPORT_DATA, &image()).unwrap();
    let found = verify(
        &quote,
        &bad.collateral(NOW).unwrap(),
        good.root_der(),
        &TdxPolicy::default(),
        NOW,
    );
    assert!(
        matches!(
            found,
            Err(TdxRefusal::Expired {
                item: Item::TcbInfo,
                ..
            })
        ),
        "{found:?}"
    );
}

#[test]
fn what_is_none_is_refused_and_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let whole = DevelopmentTee::new(NOW).unwrap().to_bytes();
    let path = home.path().join("development-tee");
    let mut other_version = whole.clone();
    let head = whole.iter().position(|byte| *byte == b'\n').unwrap();
    other_version[head - 1] = b'2';
    let cases: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"something else".to_vec(),
        other_version,
        [&whole[..], &[0]].concat(),
        [&whole[..], &[0, 0]].concat(),
        [&whole[..], &vec![0; 64 * 1024]].concat(),
    ];
    for (index, bytes) in cases.iter().enumerate() {
        std::fs::write(&path, bytes).unwrap();
        let opened = DevelopmentTee::open_or_create(home.path(), NOW);
        assert!(matches!(opened, Err(SaveError::Malformed(_))), "{index}");
        assert_eq!(&std::fs::read(&path).unwrap(), bytes);
    }
    for length in 0..whole.len() {
        assert!(
            matches!(DevelopmentTee::from_bytes(&whole[..length]), Ok(None)),
            "{length}"
        );
    }
}
