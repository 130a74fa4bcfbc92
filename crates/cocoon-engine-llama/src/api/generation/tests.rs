use cocoon_types::Fault;

use super::*;

fn take(body: &str) -> Result<Generation, Problem> {
    Generation::take(&mut Fields::parse(body.as_bytes())?)
}

fn param(body: &str) -> String {
    take(body).err().and_then(|problem| problem.param).unwrap()
}

#[test]
fn defaults_are_stated() {
    let generation = take(r#"{"model":"m"}"#).unwrap();
    assert_eq!(generation.max_tokens, DEFAULT_MAX_TOKENS);
    assert_eq!(generation.choices, 1);
    assert!(!generation.stream && !generation.include_usage);
    assert_eq!(generation.sampling, Sampling::default());
}

#[test]
fn the_newer_name_of_the_limit_wins() {
    let generation = take(r#"{"model":"m","max_tokens":5,"max_completion_tokens":9}"#).unwrap();
    assert_eq!(generation.max_tokens, 9);
    assert_eq!(take(r#"{"model":"m","max_tokens":5}"#).unwrap().max_tokens, 5);
}

#[test]
fn each_bad_member_is_named() {
    for (member, body) in [
        ("model", r#"{}"#),
        ("model", r#"{"model":5}"#),
        ("max_tokens", r#"{"model":"m","max_tokens":0}"#),
        ("max_tokens", r#"{"model":"m","max_tokens":-1}"#),
        ("max_tokens", r#"{"model":"m","max_tokens":99999999999}"#),
        ("temperature", r#"{"model":"m","temperature":"hot"}"#),
        ("temperature", r#"{"model":"m","temperature":3}"#),
        ("top_p", r#"{"model":"m","top_p":1.5}"#),
        ("n", r#"{"model":"m","n":0}"#),
        ("n", r#"{"model":"m","n":17}"#),
        ("stop", r#"{"model":"m","stop":""}"#),
        ("stop", r#"{"model":"m","stop":[1]}"#),
        ("stream", r#"{"model":"m","stream":"yes"}"#),
        (
            "stream_options",
            r#"{"model":"m","stream_options":{"include_usage":true}}"#,
        ),
        (
            "stream_options",
            r#"{"model":"m","stream":true,"stream_options":1}"#,
        ),
        (
            "stream_options.include_usage",
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":1}}"#,
        ),
        ("logit_bias", r#"{"model":"m","logit_bias":{"x":1}}"#),
        ("logit_bias", r#"{"model":"m","logit_bias":{"1":101}}"#),
        ("seed", r#"{"model":"m","seed":1.5}"#),
        ("functions", r#"{"model":"m","functions":[{}]}"#),
        ("chat_template", r#"{"model":"m","chat_template":"{{1}}"}"#),
    ] {
        assert_eq!(param(body), member, "{body}");
    }
}

#[test]
fn what_the_engine_lacks_is_called_unsupported_and_the_unknown_is_ignored() {
    let problem = take(r#"{"model":"m","guided_regex":"a+"}"#).err().unwrap();
    assert_eq!(problem.fault, Fault::UnsupportedField);
    assert!(take(r#"{"model":"m","user":"u","metadata":{},"store":true,"whatever":1}"#).is_ok());
}

#[test]
fn seeds_of_any_size_fold_and_never_mean_random() {
    assert_eq!(fold_seed(42), 42);
    assert_ne!(fold_seed(i64::MAX), u32::MAX);
    assert_ne!(fold_seed(i64::from(u32::MAX)), u32::MAX);
    assert_eq!(
        take(r#"{"model":"m","seed":-1}"#).unwrap().sampling.seed,
        Some(fold_seed(-1))
    );
}

#[test]
fn stops_and_biases_are_read() {
    let generation = take(r#"{"model":"m","stop":["a","bb"],"logit_bias":{"5":-100,"7":1.5}}"#).unwrap();
    assert_eq!(generation.stop, ["a", "bb"]);
    assert_eq!(generation.sampling.bias, [(5, -100.0), (7, 1.5)]);
    assert_eq!(take(r#"{"model":"m","stop":"\n"}"#).unwrap().stop, ["\n"]);
}
