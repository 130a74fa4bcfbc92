//! `cocoon attest verify` with the real evidence that the repository keeps.

use serde_json::Value;

use crate::network::{cocoon, root};

fn tdx(name: &str, more: &[&str]) -> (Option<i32>, Value, String) {
    let data = root().join("crates/cocoon-attest/testdata/tdx");
    let (quote, collateral) = (data.join(name), data.join(format!("{name}_collateral.json")));
    let arguments = [
        "attest",
        "verify",
        quote.to_str().unwrap(),
        "--collateral",
        collateral.to_str().unwrap(),
        "--json",
    ];
    let (code, out, err) = cocoon(&[&arguments, more].concat());
    (code, serde_json::from_str(&out).unwrap_or_default(), err)
}

const THEN: &str = "2025-06-20T00:00:00Z";

#[test]
fn a_real_quote_is_genuine_at_its_time_and_refused_at_another() {
    let (code, report, err) = tdx("tdx_quote", &["--at", THEN, "--platform", "server"]);
    assert_eq!(code, Some(0), "{report} {err}");
    assert_eq!(
        (&report["genuine"], &report["holds"]),
        (&true.into(), &true.into())
    );
    assert_eq!(report["facts"]["tcb_status"], "UpToDate");
    assert_eq!(report["not_judged"].as_array().unwrap().len(), 3, "{report}");

    let image = report["facts"]["image"].as_str().unwrap().to_owned();
    let known = ["--at", THEN, "--platform", "server", "--image", &image];
    assert_eq!(tdx("tdx_quote", &known).0, Some(0));
    let other = "00".repeat(32);
    let unknown = ["--at", THEN, "--platform", "server", "--image", &other];
    let (code, report, _) = tdx("tdx_quote", &unknown);
    assert_eq!(
        (code, &report["broken"][0]),
        (Some(1), &"image".into()),
        "{report}"
    );

    for (more, what) in [
        (
            &["--at", "2020-01-01T00:00:00Z", "--platform", "server"][..],
            "before its time",
        ),
        (
            &["--at", "2026-11-22T00:00:00Z", "--platform", "server"],
            "after it",
        ),
        (&["--at", THEN], "on a platform that the strict policy refuses"),
    ] {
        let (code, report, err) = tdx("tdx_quote", more);
        assert_eq!(
            (code, &report["genuine"]),
            (Some(1), &false.into()),
            "{what}: {report} {err}"
        );
        assert!(
            report["refusal"].as_str().is_some_and(|text| !text.is_empty()),
            "{report}"
        );
    }
}

#[test]
fn what_is_no_evidence_gets_a_clear_word() {
    let page = root().join("README.md");
    let (code, _, err) = cocoon(&["attest", "verify", page.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(err.contains("hint:"), "{err}");
    let (code, _, err) = cocoon(&["attest", "verify", "/nowhere/at/all"]);
    assert!(code == Some(1) && err.contains("cannot open"), "{err}");
    // This machine has no TEE, or gives a quote: one or the other, and no panic.
    let (code, out, err) = cocoon(&["attest", "show"]);
    assert!(
        code == Some(0) && !out.is_empty() || err.contains("hint:"),
        "{err}"
    );
}

/// A file of these contents, and its path.
fn file(contents: &[u8]) -> (tempfile::NamedTempFile, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), contents).unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    (file, path)
}

#[test]
fn a_policy_file_allows_what_it_says() {
    let (_, report, _) = tdx("tdx_quote", &["--at", THEN, "--platform", "server"]);
    let image = report["facts"]["image"].as_str().unwrap();
    let (_kept, good) = file(format!("platform = \"server\"\nimages = [\"{image}\"]\n").as_bytes());
    let (code, report, err) = tdx("tdx_quote", &["--at", THEN, "--policy", &good]);
    assert_eq!(code, Some(0), "{report} {err}");
    assert!(!report["not_judged"].to_string().contains("image"), "{report}");
    let other = "00".repeat(32);
    let (_kept, strange) = file(format!("platform = \"server\"\nimages = [\"{other}\"]\n").as_bytes());
    let (code, report, _) = tdx("tdx_quote", &["--at", THEN, "--policy", &strange]);
    assert_eq!(
        (code, &report["broken"][0]),
        (Some(1), &"image".into()),
        "{report}"
    );
    for bad in [
        "image = []",
        "images = []",
        "images = [\"zz\"]",
        "platform = \"lax\"",
        "tier = \"high\"",
        "tcb_statuses = [\"Fine\"]",
    ] {
        let (_kept, path) = file(bad.as_bytes());
        let (code, _, err) = tdx("tdx_quote", &["--at", THEN, "--policy", &path]);
        assert!(code == Some(2) && err.contains("hint:"), "{bad}: {err}");
    }
}

/// A bundle is everything in one file: what one command wrote, the other verifies alone.
#[test]
fn a_bundle_of_a_real_quote_needs_nothing_else() {
    let (_kept, bundle) = file(b"");
    let (code, _, err) = tdx(
        "tdx_quote",
        &["--at", THEN, "--platform", "server", "--bundle", &bundle],
    );
    assert_eq!(code, Some(0), "{err}");
    let verify = |more: &[&str]| {
        let (code, out, err) = cocoon(&[&["attest", "verify", &bundle, "--json"], more].concat());
        (code, serde_json::from_str::<Value>(&out).unwrap_or_default(), err)
    };
    let (code, report, err) = verify(&["--at", THEN, "--platform", "server"]);
    assert_eq!(code, Some(0), "{report} {err}");
    assert_eq!(report["facts"]["tcb_status"], "UpToDate");
    let (code, report, _) = verify(&["--at", "2026-11-22T00:00:00Z", "--platform", "server"]);
    assert_eq!((code, &report["genuine"]), (Some(1), &false.into()));
    // One byte of the quote's report changed.
    let json = std::fs::read_to_string(&bundle).unwrap();
    let at = json.find("\"quote\": \"").unwrap() + 400;
    let mut bytes = json.into_bytes();
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    std::fs::write(&bundle, bytes).unwrap();
    let (code, report, _) = verify(&["--at", THEN, "--platform", "server"]);
    assert_eq!((code, &report["genuine"]), (Some(1), &false.into()), "{report}");
}

/// A link's certificate with the simulated quote of development: nothing unless it is named, and never more than it is.
#[test]
fn a_proxys_certificate_is_looked_at() {
    use cocoon_link::{Identity, LinkOptions, Listener, PowOptions};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (address, run) = {
        let _inside = runtime.enter();
        let identity = Identity::simulated(cocoon_web::clock::unix_now()).unwrap();
        let policy = cocoon_attest::Policy::default();
        let options =
            LinkOptions::new(identity, policy, cocoon_web::clock::unix_now).with_pow(PowOptions::NONE);
        let mut listener = runtime
            .block_on(Listener::bind(
                std::net::SocketAddr::from(([127, 0, 0, 1], 0)),
                std::sync::Arc::new(options),
            ))
            .unwrap();
        (listener.local_addr().to_string(), async move {
            listener.accept().await
        })
    };
    let _serving = std::thread::spawn(move || drop(runtime.block_on(run)));
    let verify = |more: &[&str]| {
        let (code, out, err) = cocoon(&[&["attest", "verify", &address, "--json"], more].concat());
        (code, serde_json::from_str::<Value>(&out).unwrap_or_default(), err)
    };
    let (code, report, err) = verify(&[]);
    assert_eq!((code, &report["genuine"]), (Some(1), &false.into()), "{err}");
    assert!(
        report["refusal"]
            .as_str()
            .is_some_and(|text| text.contains("simulated")),
        "{report}"
    );
    let (_kept, named) = file(b"tier = \"open+simulated\"");
    let (_kept_too, bundle) = file(b"");
    let (code, report, err) = verify(&["--policy", &named, "--bundle", &bundle]);
    assert_eq!(code, Some(0), "{report} {err}");
    assert_eq!(report["facts"]["tier"], "simulated");
    assert!(report["facts"]["held_by"].is_string(), "{report}");
    // From the bundle, nobody has proved to hold the key.
    let (code, out, _) = cocoon(&["attest", "verify", &bundle, "--policy", &named, "--json"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(0), "{report}");
    assert!(report["facts"]["held_by"].is_null(), "{report}");
    let (_kept, floor) = file(b"tier = \"attested+simulated\"");
    assert_eq!(verify(&["--policy", &floor]).0, Some(0), "simulated is named");
    let (_kept, floor) = file(b"tier = \"attested\"");
    assert_eq!(verify(&["--policy", &floor]).0, Some(1));
    // Nobody there, in words.
    let (code, _, err) = cocoon(&["attest", "verify", "127.0.0.1:1"]);
    assert!(code == Some(1) && err.contains("hint:"), "{err}");
}
