use std::time::Duration;

use super::{KeyError, KeyFile, KeyRing};

fn file() -> (tempfile::TempDir, KeyFile) {
    let dir = tempfile::tempdir().unwrap();
    let file = KeyFile::in_dir(&dir.path().join("state"));
    (dir, file)
}

#[tokio::test]
async fn a_new_key_opens_and_a_changed_one_does_not() {
    let (_dir, file) = file();
    let new = file.create("laptop", 7).unwrap();
    let ring = KeyRing::open(file).unwrap();
    let key = new.key.expose();
    assert_eq!(ring.verify(key).await.as_ref(), Some(&new.record.id));
    let last = if key.ends_with('0') { "1" } else { "0" };
    let changed = format!("{}{last}", &key[..key.len() - 1]);
    for wrong in [
        changed.as_str(),
        "",
        "ck_",
        "ck__",
        "sk-1234",
        &key[..key.len() - 2],
        &format!("{key}00"),
        &key.replace("ck_", "CK_"),
    ] {
        assert_eq!(ring.verify(wrong).await, None);
    }
}

#[test]
fn the_file_is_private_and_holds_no_secret() {
    let (_dir, file) = file();
    let new = file.create("laptop", 7).unwrap();
    let text = std::fs::read_to_string(file.path()).unwrap();
    let secret = new.key.expose().rsplit('_').next().unwrap();
    assert!(text.contains("laptop") && !text.contains(secret));
    assert!(!format!("{new:?}").contains(secret));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test(start_paused = true)]
async fn a_revoked_key_stops_within_a_second_without_a_restart() {
    let (_dir, file) = file();
    let new = file.create("laptop", 7).unwrap();
    let ring = KeyRing::open(file.clone()).unwrap();
    assert!(ring.has_active());
    let record = file.revoke(new.record.id.as_str(), 9).unwrap();
    assert_eq!((record.created, record.revoked), (7, Some(9)));
    tokio::time::advance(Duration::from_millis(1100)).await;
    assert_eq!(ring.verify(new.key.expose()).await, None);
    assert!(!ring.has_active());
    let second = file.create("phone", 11).unwrap();
    tokio::time::advance(Duration::from_millis(1100)).await;
    assert_eq!(ring.verify(second.key.expose()).await, Some(second.record.id));
}

#[tokio::test(start_paused = true)]
async fn a_damaged_file_opens_for_nobody() {
    let (_dir, file) = file();
    let new = file.create("laptop", 7).unwrap();
    let ring = KeyRing::open(file.clone()).unwrap();
    std::fs::write(file.path(), "version = 1\nnonsense = true\n").unwrap();
    tokio::time::advance(Duration::from_millis(1100)).await;
    assert_eq!(ring.verify(new.key.expose()).await, None);
    assert!(matches!(file.list(), Err(KeyError::Damaged { .. })));
    std::fs::write(file.path(), "version = 2\n").unwrap();
    assert!(matches!(file.list(), Err(KeyError::Version { version: 2, .. })));
}

#[test]
fn labels_and_ids_are_checked() {
    let (_dir, file) = file();
    for label in ["", "a\nb", &"x".repeat(65)] {
        assert!(matches!(file.create(label, 0), Err(KeyError::Label)));
    }
    assert!(matches!(
        file.revoke("0123456789abcdef", 0),
        Err(KeyError::UnknownKey(_))
    ));
    assert!(file.list().unwrap().is_empty());
}

#[test]
fn two_makers_at_once_lose_no_key() {
    let (_dir, file) = file();
    std::thread::scope(|scope| {
        for maker in 0..4 {
            let file = file.clone();
            scope.spawn(move || {
                for turn in 0..5 {
                    file.create(&format!("{maker}/{turn}"), 0).unwrap();
                }
            });
        }
    });
    assert_eq!(file.list().unwrap().len(), 20);
}
