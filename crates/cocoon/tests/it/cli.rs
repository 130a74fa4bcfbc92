use crate::network::cocoon;

#[test]
fn every_command_has_help_with_examples() {
    for command in [
        "up", "chat", "client", "proxy", "worker", "ledger", "model", "key", "account", "earnings", "settle",
        "wallet", "network", "attest", "receipt", "verify", "doctor",
    ] {
        let (code, out, _) = cocoon(&[command, "--help"]);
        assert_eq!(code, Some(0), "{command}");
        assert!(out.to_lowercase().contains("usage"), "{command}: {out}");
    }
}

#[test]
fn a_wrong_word_or_configuration_is_code_2_with_a_hint() {
    assert_eq!(cocoon(&["serve"]).0, Some(2));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("proxy.toml");
    std::fs::write(&path, "lissten = 1\n").unwrap();
    let (code, _, err) = cocoon(&["proxy", "--config", path.to_str().unwrap()]);
    assert_eq!(code, Some(2), "{err}");
    assert!(
        err.contains("lissten") && err.contains("proxy.toml") && err.contains("hint:"),
        "{err}"
    );
}

#[test]
fn chat_without_a_gateway_says_what_to_start() {
    let (code, out, err) = cocoon(&["chat", "--api", "http://127.0.0.1:9/v1", "hello"]);
    assert_eq!(code, Some(1));
    assert!(
        out.is_empty() && err.contains("127.0.0.1:9") && err.contains("hint:"),
        "{err}"
    );
}

#[test]
fn doctor_speaks_json_and_names_a_tier() {
    let (_, out, _) = cocoon(&["doctor", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["tier"], "open");
    assert!(report["findings"].as_array().unwrap().len() > 5);
}
