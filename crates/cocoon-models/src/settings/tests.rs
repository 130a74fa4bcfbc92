use std::collections::HashMap;

use super::*;

/// An environment of exactly these variables.
fn environment(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> + use<> {
    let map: HashMap<String, String> = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    move |name| map.get(name).cloned()
}

fn texts(indexes: &Indexes) -> Vec<&str> {
    indexes.urls.iter().map(Url::as_str).collect()
}

fn put(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn the_cache_is_where_xdg_says() {
    let dir = |pairs| dir_from(&environment(pairs));
    assert_eq!(dir(&[("HOME", "/h")]), Ok("/h/.cache/cocoon/models".into()));
    assert_eq!(
        dir(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]),
        Ok("/x/cocoon/models".into())
    );
    assert_eq!(
        dir(&[("HOME", "/h"), ("XDG_CACHE_HOME", "rel")]),
        Ok("/h/.cache/cocoon/models".into())
    );
    assert_eq!(
        dir(&[("HOME", "/h"), ("COCOON_CACHE", "/c")]),
        Ok("/c/models".into())
    );
    assert_eq!(dir(&[]), Err(NoHome));
}

#[test]
fn pypi_when_nobody_says_otherwise() {
    assert_eq!(
        texts(&Indexes::find(&environment(&[]), &[])),
        ["https://pypi.org/simple/"]
    );
}

#[test]
fn files_in_pips_order_and_variables_over_them() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().to_str().unwrap();
    let global = dir.path().join("etc/pip.conf");
    let user = dir.path().join(".config/pip/pip.conf");
    let env = dir.path().join("env/pip.conf");
    put(
        &global,
        "[global]\nindex-url = https://global.example/simple\ncert = /g.pem\n",
    );
    let find = |more: &[(&str, &str)]| {
        let pairs: Vec<_> = std::iter::once(("HOME", home))
            .chain(more.iter().copied())
            .collect();
        Indexes::find(&environment(&pairs), std::slice::from_ref(&global))
    };
    assert_eq!(texts(&find(&[])), ["https://global.example/simple/"]);
    assert_eq!(find(&[]).certificates, Some("/g.pem".into()));

    put(
        &user,
        "# mine\n[global]\nindex_url: https://user.example/simple/\nextra-index-url =\n    https://one.example/s\n    https://two.example/s ftp://three/x\n",
    );
    let three = [
        "https://user.example/simple/",
        "https://one.example/s/",
        "https://two.example/s/",
    ];
    assert_eq!(texts(&find(&[])), three);

    put(
        &env,
        "[download]\nindex-url=https://env.example/simple\n[other]\nindex-url=https://other.example\n",
    );
    let virtual_env = dir.path().join("env");
    let virtual_env = ("VIRTUAL_ENV", virtual_env.to_str().unwrap());
    assert_eq!(
        texts(&find(&[virtual_env])).first(),
        Some(&"https://env.example/simple/")
    );

    let named = ("PIP_CONFIG_FILE", env.to_str().unwrap());
    assert_eq!(
        texts(&find(&[named])),
        ["https://env.example/simple/"],
        "a named file silences the user's"
    );
    assert_eq!(
        texts(&find(&[("PIP_CONFIG_FILE", "/dev/null")])),
        ["https://pypi.org/simple/"]
    );

    let variables = [
        ("PIP_INDEX_URL", "https://v.example/s"),
        ("PIP_EXTRA_INDEX_URL", "https://w.example/s"),
    ];
    assert_eq!(
        texts(&find(&variables)),
        ["https://v.example/s/", "https://w.example/s/"]
    );
    assert!(find(&[("PIP_NO_INDEX", "1")]).urls.is_empty());
    assert_eq!(
        find(&[("PIP_CERT", "/p.pem")]).certificates,
        Some("/p.pem".into())
    );
}

#[test]
fn passwords_are_not_shown() {
    let indexes = Indexes::only([Url::parse("https://user:secret@host.example/simple").unwrap()]);
    let shown = format!("{indexes:?}");
    assert!(
        shown.contains("host.example") && !shown.contains("secret") && !shown.contains("user"),
        "{shown}"
    );
}

#[test]
fn garbage_in_a_file_is_passed_over() {
    let mut options = ini::Options::default();
    options.read("index-url = https://no.section\n[global\n]\nfoo\n  more\n[global]\n= x\nindex-url = https://a\n\u{0}\n");
    assert_eq!(options.get("index-url"), Some("https://a"));
}
