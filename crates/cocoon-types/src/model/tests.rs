use super::{ModelName, ModelNameError};

#[test]
fn the_base_is_what_stands_before_the_at_sign() {
    let name = ModelName::new("Qwen/Qwen3-32B@abc:def").unwrap();
    assert_eq!(name.base(), "Qwen/Qwen3-32B");
    assert_eq!(ModelName::new("plain").unwrap().base(), "plain");
}

#[test]
fn names_that_could_break_json_headers_or_logs_are_refused() {
    for bad in ["a\"b", "a\\b", "a\nb", "a b", "é", "a\u{1b}[31m"] {
        assert_eq!(ModelName::new(bad), Err(ModelNameError::Character), "{bad:?}");
    }
    assert_eq!(ModelName::new(""), Err(ModelNameError::Empty));
    assert_eq!(ModelName::new("@x"), Err(ModelNameError::Empty));
    assert_eq!(ModelName::new("x".repeat(257)), Err(ModelNameError::TooLong));
}
