use clap::Parser;

use cocoon_accounting::When;
use cocoon_trust::TrustKeysError;

use super::{Config, ConfigError, Options};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
}

fn flags(line: &[&str]) -> Options {
    Line::try_parse_from([&["proxy"], line].concat()).unwrap().options
}

fn file(text: &str) -> Options {
    toml::from_str(text).unwrap()
}

fn config(text: &str) -> Result<Config, ConfigError> {
    file(text).build()
}

#[test]
fn flags_win_over_the_file_and_the_file_over_defaults() {
    let options = flags(&["--pow-difficulty", "3", "--is-test"]).or(file(
        "pow_difficulty = 7\nis_test = false\nqueue = 9\nlisten_clients = '127.0.0.1:1'",
    ));
    let config = options.build().unwrap();
    assert_eq!(
        (config.pow_difficulty, config.is_test, config.queue),
        (3, true, 9)
    );
    assert_eq!(config.listen_clients.port(), 1);
    assert_eq!(
        (config.listen_workers.port(), config.admin.port()),
        (11001, 11000)
    );
    assert!(config.admin.ip().is_loopback());
}

#[test]
fn every_key_of_the_file_is_kept_when_the_flags_are_silent() {
    let all = file(
        "listen_clients = '127.0.0.1:1'\nlisten_workers = '127.0.0.1:2'\nadmin = '127.0.0.1:3'\nis_test = true\n\
         accept_simulated = true\ntee = 't'\ndevelopment_tee = '/t'\ncollateral_url = 'u'\nworker_images = ['00']\npow_difficulty = 1\nqueue = 2\nqueue_wait_s = 3\n\
         max_timeout_s = 4\nmax_links = 5\ndrain_s = 6\nstate_dir = '/x'\nchain = 'c'\nroot = 'r'\nwallet_file = '/w'\nowner = 'o'\n\
         settle = 'each'\ncommit_age_s = 7",
    );
    assert_eq!(Options::default().or(all.clone()), all);
    assert_eq!(all.clone().or(Options::default()), all);
}

#[test]
fn unknown_keys_are_refused_by_name() {
    let error = toml::from_str::<Options>("quue = 1").unwrap_err().to_string();
    assert!(error.contains("quue"), "{error}");
    assert!(Line::try_parse_from(["proxy", "--quue", "1"]).is_err());
}

#[test]
fn the_default_accepts_no_simulated_evidence_and_no_image() {
    let config = Options::default().build().unwrap();
    assert!(!config.is_test && !config.trust.accept_simulated && config.trust.worker_images.is_empty());
    assert_eq!(config.pow_difficulty, 20);
}

#[test]
fn simulated_evidence_needs_a_test_network() {
    assert_eq!(
        config("accept_simulated = true").unwrap_err(),
        ConfigError::Trust(TrustKeysError::SimulatedNeedsTest)
    );
    // Nothing but this machine is reached without a registry.
    let both = "accept_simulated = true\nis_test = true";
    let open = config(both).unwrap_err().to_string();
    assert!(
        open.starts_with("listen_clients: 0.0.0.0 is not loopback"),
        "{open}"
    );
    let local = "listen_clients = '127.0.0.1:1'\nlisten_workers = '127.0.0.1:2'";
    assert!(config(&format!("{both}\n{local}")).is_ok());
}

#[test]
fn a_value_that_cannot_be_is_refused_with_its_key() {
    for (text, key) in [
        ("pow_difficulty = 29", "pow_difficulty"),
        ("worker_images = ['abc']", "worker_images"),
        ("max_timeout_s = 0", "max_timeout_s"),
        ("max_links = 0", "max_links"),
        ("queue = 100001", "queue"),
    ] {
        let error = config(text).unwrap_err().to_string();
        assert!(error.starts_with(key), "{text}: {error}");
    }
}

const CHAIN: &str = "is_test = true\nchain = 'http://127.0.0.1:1'\n\
    root = '0:714db5bbc8ee8bbb40f82c233cbe60a92201566d8f6ac1492551d518617ee59d'\n";

#[test]
fn without_a_chain_nothing_is_paid_and_nothing_about_it_can_be_set() {
    assert_eq!(config("").unwrap().money, None);
    for (text, key) in [
        ("owner = 'x'", "owner"),
        ("settle = 'each'", "settle"),
        ("commit_age_s = 1", "commit_age_s"),
    ] {
        assert_eq!(config(text).unwrap_err(), ConfigError::WithoutChain(key));
    }
}

#[test]
fn a_proxy_settles_when_it_is_told_to() {
    let settle = |when: &str| {
        config(&format!("{CHAIN}settle = '{when}'")).map(|config| config.money.unwrap().policy.settle)
    };
    assert_eq!(settle("each"), Ok(When::Each));
    assert_eq!(settle("threshold"), Ok(When::Threshold));
    assert_eq!(settle("manual"), Ok(When::Manual));
    assert_eq!(settle("30"), Ok(When::Every(30)));
    for wrong in ["", "0", "-1", "sometimes", "86401"] {
        assert_eq!(settle(wrong), Err(ConfigError::Settle(wrong.to_owned())));
    }
    assert!(matches!(
        config(&format!("{CHAIN}owner = 'x'")),
        Err(ConfigError::Owner { .. })
    ));
}
