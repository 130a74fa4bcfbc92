use std::time::Duration;

use cocoon_types::Nanoton;

use super::{KeyError, KeyFile, KeyLimits, KeyRing, SpendingError, SpendingFile};

fn file() -> (tempfile::TempDir, KeyFile) {
    let dir = tempfile::tempdir().unwrap();
    let file = KeyFile::in_dir(&dir.path().join("state"));
    (dir, file)
}

#[tokio::test]
async fn a_new_key_opens_and_a_changed_one_does_not() {
    let (_dir, file) = file();
    let new = file.create("laptop", KeyLimits::default(), 7).unwrap();
    let ring = KeyRing::open(file).unwrap();
    let key = new.key.expose();
    assert_eq!(
        ring.verify(key).await.map(|holder| holder.id).as_ref(),
        Some(&new.record.id)
    );
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
    let new = file.create("laptop", KeyLimits::default(), 7).unwrap();
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
    let new = file.create("laptop", KeyLimits::default(), 7).unwrap();
    let ring = KeyRing::open(file.clone()).unwrap();
    assert!(ring.has_active());
    let record = file.revoke(new.record.id.as_str(), 9).unwrap();
    assert_eq!((record.created, record.revoked), (7, Some(9)));
    tokio::time::advance(Duration::from_millis(1100)).await;
    assert_eq!(ring.verify(new.key.expose()).await, None);
    assert!(!ring.has_active());
    let second = file.create("phone", KeyLimits::default(), 11).unwrap();
    tokio::time::advance(Duration::from_millis(1100)).await;
    assert_eq!(
        ring.verify(second.key.expose()).await.map(|holder| holder.id),
        Some(second.record.id)
    );
}

#[tokio::test(start_paused = true)]
async fn a_damaged_file_opens_for_nobody() {
    let (_dir, file) = file();
    let new = file.create("laptop", KeyLimits::default(), 7).unwrap();
    let ring = KeyRing::open(file.clone()).unwrap();
    std::fs::write(file.path(), "version = 1\nnonsense = true\n").unwrap();
    tokio::time::advance(Duration::from_millis(1100)).await;
    assert_eq!(ring.verify(new.key.expose()).await, None);
    assert!(matches!(file.list(), Err(KeyError::Damaged { .. })));
    std::fs::write(file.path(), "version = 3\n").unwrap();
    assert!(matches!(file.list(), Err(KeyError::Version { version: 3, .. })));
}

#[test]
fn labels_and_ids_are_checked() {
    let (_dir, file) = file();
    for label in ["", "a\nb", &"x".repeat(65)] {
        assert!(matches!(
            file.create(label, KeyLimits::default(), 0),
            Err(KeyError::Label)
        ));
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
                    file.create(&format!("{maker}/{turn}"), KeyLimits::default(), 0)
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(file.list().unwrap().len(), 20);
}

#[tokio::test(start_paused = true)]
async fn limits_are_kept_changed_and_told() {
    let (_dir, file) = file();
    let limits = |daily, total| KeyLimits {
        daily: Some(Nanoton::new(daily)),
        total: Some(Nanoton::new(total)),
        min_tier: Some("attested".parse().unwrap()),
    };
    let new = file.create("app", limits(5, 9), 7).unwrap();
    let ring = KeyRing::open(file.clone()).unwrap();
    let told = ring.verify(new.key.expose()).await.unwrap();
    assert_eq!(told.limits, limits(5, 9));
    file.limit(new.record.id.as_str(), KeyLimits::default()).unwrap();
    tokio::time::advance(Duration::from_millis(1100)).await;
    assert!(ring.verify(new.key.expose()).await.unwrap().limits.is_none());
}

#[test]
fn a_file_without_limits_is_read_still() {
    let (_dir, file) = file();
    file.create("laptop", KeyLimits::default(), 7).unwrap();
    let text = std::fs::read_to_string(file.path()).unwrap();
    std::fs::write(file.path(), text.replace("version = 2", "version = 1")).unwrap();
    assert!(file.list().unwrap()[0].limits.is_none());
}

#[test]
fn what_was_spent_is_of_a_day_and_of_all_days() {
    const DAY: u64 = 86_400;
    let (_dir, keys) = file();
    let key = keys.create("app", KeyLimits::default(), 0).unwrap().record.id;
    let file = SpendingFile::in_dir(keys.path().parent().unwrap());
    let mut spending = file.read().unwrap();
    let ton = Nanoton::new;
    spending.add(&key, ton(3), 10 * DAY);
    spending.add(&key, ton(4), 11 * DAY);
    spending.add(&key, ton(5), 11 * DAY + 9);
    // A clock that goes back gives nobody the day again.
    spending.add(&key, ton(6), 10 * DAY);
    file.write(&spending).unwrap();
    let spent = file.read().unwrap().of(&key);
    assert_eq!((spent.today(11 * DAY), spent.total()), (ton(15), ton(18)));
    assert_eq!(spent.today(12 * DAY), ton(0));
    let limits = KeyLimits {
        daily: Some(ton(20)),
        total: Some(ton(25)),
        min_tier: None,
    };
    let left = |held, day| spent.left(&limits, ton(held), day * DAY).map(Nanoton::nano);
    assert_eq!(
        [left(0, 11), left(3, 11), left(9, 11)],
        [Some(5), Some(2), Some(0)]
    );
    assert_eq!(left(0, 12), Some(7), "a new day, but not a new budget");
    assert_eq!(spent.left(&KeyLimits::default(), ton(1), 0), None);

    std::fs::write(keys.path().with_file_name(SpendingFile::NAME), "version = 9").unwrap();
    assert!(matches!(file.read(), Err(SpendingError::Damaged { .. })));
}
