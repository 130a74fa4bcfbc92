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
