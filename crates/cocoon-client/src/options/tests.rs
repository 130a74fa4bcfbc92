use clap::{Args as _, FromArgMatches as _};
use cocoon_types::{Tier, TierPolicy};

use super::{ConfigError, Options};

fn flags(args: &[&str]) -> Options {
    let command = Options::augment_args(clap::Command::new("client").no_binary_name(true));
    Options::from_arg_matches(&command.try_get_matches_from(args).unwrap()).unwrap()
}

fn minimal() -> Options {
    Options {
        proxies: vec!["proxy.example.org:11002".into()],
        ..Options::default()
    }
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let config = minimal().build().unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:10000");
    assert_eq!(config.tier, TierPolicy::CONFIDENTIAL);
    assert_eq!(config.max_coefficient.per_mille(), 4000);
    assert_eq!(
        (config.timeout.as_secs(), config.max_timeout.as_secs()),
        (600, 1800)
    );
    assert_eq!(config.max_body_bytes, 16 * 1024 * 1024);
    assert!(!config.is_test && !config.trust.accept_simulated && !config.api_keys);
    assert_eq!(config.drain.as_secs(), 10);
}

#[test]
fn a_flag_beats_the_file_and_the_file_beats_the_default() {
    let file: Options =
        toml::from_str("listen = \"127.0.0.1:1\"\nproxies = [\"a:1\"]\ntier = \"open\"\ntimeout_s = 7\n")
            .unwrap();
    let config = flags(&["--listen", "127.0.0.1:2", "--proxy", "b:1,c:1", "--proxy", "b:1"])
        .or(file.clone())
        .build()
        .unwrap();
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.proxies, ["b:1", "c:1"]);
    assert_eq!(config.tier, TierPolicy::at_least(Tier::Open));
    assert_eq!(config.timeout.as_secs(), 7);
    assert_eq!(config.drain.as_secs(), 10);
    assert_eq!(flags(&[]).or(file).build().unwrap().proxies, ["a:1"]);
}

#[test]
fn every_option_has_its_variable_which_clap_puts_between_flag_and_default() {
    let command = Options::augment_args(clap::Command::new("client"));
    for arg in command.get_arguments() {
        let name = arg.get_id().as_str().to_uppercase();
        let variable = arg.get_env().and_then(|name| name.to_str());
        assert_eq!(variable, Some(format!("COCOON_CLIENT_{name}").as_str()));
        assert!(arg.get_help().is_some(), "{name} is not documented");
    }
}

#[test]
fn an_unknown_key_in_the_file_is_refused_by_its_name() {
    // The binary reads the file and adds its path.
    for text in ["lissten = \"127.0.0.1:1\"", "timeout_s = \"long\""] {
        let error = toml::from_str::<Options>(text).unwrap_err().to_string();
        assert!(error.contains(text.split(' ').next().unwrap()), "{error}");
    }
}

#[test]
fn switches_work_with_and_without_a_value() {
    assert_eq!(flags(&["--is-test"]).is_test, Some(true));
    assert_eq!(flags(&["--is-test", "false"]).is_test, Some(false));
    assert_eq!(flags(&[]).is_test, None);
}

#[test]
fn bad_values_are_refused_by_the_name_of_their_key() {
    type Change = fn(&mut Options);
    let with = |change: Change| {
        let mut options = minimal();
        change(&mut options);
        options.build().unwrap_err().to_string()
    };
    let cases: &[(&str, Change)] = &[
        ("proxies", |o| o.proxies.clear()),
        ("proxies", |o| o.proxies = vec!["proxy".into()]),
        ("proxies", |o| o.proxies = vec![":1".into()]),
        ("proxies", |o| o.proxies = vec!["http://proxy:1".into()]),
        ("proxies", |o| o.proxies = vec!["a:0".into()]),
        ("tier", |o| o.tier = Some("best".into())),
        ("tier", |o| o.tier = Some("simulated".into())),
        ("accept_simulated", |o| o.accept_simulated = Some(true)),
        ("max_coefficient", |o| o.max_coefficient = Some(u32::MAX)),
        ("timeout_s", |o| o.timeout_s = Some(0)),
        ("timeout_s", |o| o.timeout_s = Some(3600)),
        ("max_timeout_s", |o| o.max_timeout_s = Some(u64::MAX)),
        ("max_body_bytes", |o| o.max_body_bytes = Some(usize::MAX)),
        ("max_pow_difficulty", |o| o.max_pow_difficulty = Some(29)),
        ("proxy_images", |o| o.proxy_images = vec!["00".into()]),
    ];
    for (key, change) in cases {
        let message = with(*change);
        assert!(message.starts_with(&format!("{key}:")), "{key}: {message}");
    }
    assert_eq!(Options::default().build().unwrap_err(), ConfigError::NoProxy);
}

#[test]
fn simulated_needs_a_test_network_and_its_name() {
    let options = Options {
        is_test: Some(true),
        accept_simulated: Some(true),
        tier: Some("open+simulated".into()),
        ..minimal()
    };
    assert!(options.build().unwrap().tier.accepts_simulated());
    let options = Options {
        is_test: Some(true),
        accept_simulated: Some(true),
        ..minimal()
    };
    // What links accept is not what requests accept.
    assert!(!options.build().unwrap().tier.accepts_simulated());
}
