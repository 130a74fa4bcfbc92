use std::fs::Permissions;

use super::*;

fn made() -> (tempfile::TempDir, PathBuf, WalletFile) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("below").join(WalletFile::NAME);
    let file = WalletFile::create(&path, WalletFile::draw().unwrap()).unwrap();
    (dir, path, file)
}

#[test]
fn a_wallet_is_found_again_and_only_its_owner_may_read_it() {
    let (_dir, path, file) = made();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let again = WalletFile::open(&path).unwrap();
    assert_eq!(again.address(), file.address());
    assert_eq!(again.words(), file.words());
    assert_eq!(again.words().split(' ').count(), 24);
    assert_eq!(
        fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1,
        "no draft stays"
    );
}

#[test]
fn a_wallet_is_never_written_over() {
    let (_dir, path, file) = made();
    let error = WalletFile::create(&path, WalletFile::draw().unwrap()).unwrap_err();
    assert!(matches!(error, WalletFileError::Exists { .. }), "{error}");
    assert_eq!(
        WalletFile::open_or_create(&path).unwrap().address(),
        file.address()
    );
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    let (_dir, path, _) = made();
    for mode in [0o640, 0o604, 0o620, 0o601, 0o666] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let error = WalletFile::open_or_create(&path).unwrap_err();
        assert!(
            matches!(error, WalletFileError::Permissions { mode: seen, .. } if seen == mode),
            "{error}"
        );
    }
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    WalletFile::open(&path).unwrap();
}

#[test]
fn what_is_not_a_wallet_is_named_and_never_quoted() {
    let (_dir, path, file) = made();
    let good = fs::read_to_string(&path).unwrap();
    let words = file.words();
    let first = words.split(' ').next().unwrap();
    let other = WalletFile::draw().unwrap().words();
    let bad = [
        String::new(),
        "words".into(),
        "\0".repeat(5000),
        good.replace("words = \"", "words = "),
        good.replace("words = ", "wordz = "),
        good.replace("version = 1", "version = 2"),
        good.replace("\"permissions\"", "\"password\""),
        good.replace(words.as_str(), other.as_str()),
        good.replace(words.as_str(), &words.replacen(first, "notaword", 1)),
        good.replace(words.as_str(), words.rsplit_once(' ').unwrap().0),
        good.replace("address = \"", "address = \"x"),
        good.clone() + "more = 1\n",
    ];
    for (index, text) in bad.iter().enumerate() {
        fs::write(&path, text).unwrap();
        let error = WalletFile::open(&path).unwrap_err();
        let shown = format!(
            "{error} {error:?} {}",
            std::error::Error::source(&error)
                .map(ToString::to_string)
                .unwrap_or_default()
        );
        assert!(shown.contains("wallet.toml"), "{index}: {shown}");
        let parts = words.split(' ').chain(other.split(' ')).chain(["notaword"]);
        // These are words of wallets and of our messages.
        let longer = parts.filter(|word| {
            word.len() > 6 && !["address", "already", "another", "protect", "version"].contains(word)
        });
        for word in longer {
            assert!(!shown.contains(word), "{index}: {shown}");
        }
    }
    fs::write(&path, &good).unwrap();
    WalletFile::open(&path).unwrap();
}

#[test]
fn a_missing_file_and_a_directory_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.toml");
    assert!(matches!(
        WalletFile::open(&path),
        Err(WalletFileError::Missing { .. })
    ));
    fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
    assert!(matches!(
        WalletFile::open(dir.path()),
        Err(WalletFileError::Damaged { .. })
    ));
    assert!(matches!(
        WalletFile::create(dir.path(), WalletFile::draw().unwrap()),
        Err(WalletFileError::Exists { .. })
    ));
}

#[test]
fn debug_shows_no_words() {
    let (_dir, _, file) = made();
    let shown = format!("{file:?} {:?}", file.wallet());
    assert!(shown.contains(&file.address().to_string()));
    assert!(!shown.contains(file.words().as_str()));
}
