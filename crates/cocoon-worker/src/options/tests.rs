use clap::Parser;
use cocoon_engine::EngineKind;

use super::{Config, ConfigError, EngineChoice, Options};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
}

fn flags(line: &[&str]) -> Options {
    Line::try_parse_from([&["worker"], line].concat())
        .unwrap()
        .options
}

fn file(text: &str) -> Options {
    toml::from_str(text).unwrap()
}

fn config(text: &str) -> Result<Config, ConfigError> {
    file(&format!("proxies = ['p:1']\n{text}")).build()
}

#[test]
fn flags_win_over_the_file_and_the_file_over_defaults() {
    let options = flags(&["--proxy", "a:1,b:2", "--proxies", "a:1", "--coefficient", "7"])
        .or(file("proxies = ['c:3']\ncoefficient = 9\nmodel = 'm'"));
    let config = options.build().unwrap();
    assert_eq!(config.proxies, ["a:1", "b:2"]);
    assert_eq!((config.coefficient.per_mille(), config.max_pow), (7, 28));
    assert_eq!(config.model.unwrap().as_str(), "m");
    assert_eq!((config.engine, config.admin.port()), (EngineChoice::Auto, 12000));
}

#[test]
fn every_key_of_the_file_is_kept_when_the_flags_are_silent() {
    let all = file(
        "proxies = ['p:1']\nengine = 'e'\nengine_kind = 'k'\nengine_key_file = 'f'\nengine_model = 'n'\nmodel = 'm'\n\
         model_file = 'g'\nengine_binary = 'b'\nengine_threads = 1\nengine_context = 2\nendpoints = ['x']\n\
         context_length = 3\ncoefficient = 4\nmax_active_requests = 5\nadmin = '127.0.0.1:6'\nis_test = true\n\
         accept_simulated = true\ntee = 't'\ndevelopment_tee = '/t'\ncollateral_url = 'u'\nproxy_images = ['00']\nmax_pow = 7\nmax_timeout_s = 8\ndrain_s = 9\nstate_dir = '/x'",
    );
    assert_eq!(Options::default().or(all.clone()), all);
    assert_eq!(all.clone().or(Options::default()), all);
}

#[test]
fn unknown_keys_are_refused_by_name() {
    let error = toml::from_str::<Options>("coeficient = 1")
        .unwrap_err()
        .to_string();
    assert!(error.contains("coeficient"), "{error}");
}

#[test]
fn engines_are_named_in_three_ways() {
    assert_eq!(config("").unwrap().engine, EngineChoice::Auto);
    let EngineChoice::Url { address, kind } = config("engine = 'http://gpu:8000/v1'\nengine_kind = 'vllm'")
        .unwrap()
        .engine
    else {
        panic!("expected a URL");
    };
    assert_eq!(
        (address.to_string().as_str(), kind),
        ("http://gpu:8000", Some(EngineKind::Vllm))
    );
    assert!(matches!(
        config("engine = 'builtin'\nmodel_file = '/m.gguf'").unwrap().engine,
        EngineChoice::BuiltIn { binary, .. } if binary.as_os_str() == "cocoon-engine"
    ));
}

#[test]
fn a_value_that_cannot_be_is_refused_with_its_key() {
    assert_eq!(Options::default().build().unwrap_err(), ConfigError::NoProxies);
    for (text, key) in [
        ("engine = 'https://x'", "engine"),
        ("engine = 'x'", "engine"),
        ("engine = 'http://x'\nengine_kind = 'y'", "engine_kind"),
        ("engine_kind = 'vllm'", "engine_kind"),
        ("model_file = '/m'", "model_file"),
        ("engine = 'builtin'", "model_file"),
        ("model = 'a b'", "model"),
        ("endpoints = ['/v1/images']", "endpoints"),
        ("coefficient = 1000000000", "coefficient"),
        ("max_active_requests = 0", "max_active_requests"),
        ("accept_simulated = true", "accept_simulated"),
        ("proxy_images = ['zz']", "proxy_images"),
        ("max_pow = 41", "max_pow"),
        ("max_timeout_s = 0", "max_timeout_s"),
    ] {
        let error = config(text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{key}:")), "{text}: {error}");
    }
    for proxy in ["p", "p:", ":1", "p:x", "p:0", "p:65536"] {
        let error = file(&format!("proxies = ['{proxy}']")).build().unwrap_err();
        assert_eq!(error, ConfigError::Proxy(proxy.to_owned()));
    }
}
