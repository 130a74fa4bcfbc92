use super::{ObjectError, depth_is_bounded, fold_name, members};

#[test]
fn doubles_are_found_however_they_are_spelled() {
    for text in [
        r#"{"model":1,"model":2}"#,
        r#"{"model":1,"mod\u0065l":2}"#,
        r#"{"model":1,"Model":2}"#,
        r#"{"tokens":1,"token\u017f":2}"#,
        "{\"tokens\":1,\"to\u{212a}ens\":2}",
    ] {
        assert_eq!(
            members(text.as_bytes(), 8).unwrap_err(),
            ObjectError::Duplicate,
            "{text}"
        );
    }
}

#[test]
fn what_is_not_one_object_is_refused() {
    for text in ["[]", "1", "null", "\"{}\""] {
        assert_eq!(
            members(text.as_bytes(), 8).unwrap_err(),
            ObjectError::NotAnObject,
            "{text}"
        );
    }
    for text in ["", "{", "{}{}", "{} x", "{\"a\":}", "{'a':1}", "\u{feff}{}"] {
        let refused = members(text.as_bytes(), 8).unwrap_err();
        assert!(
            matches!(refused, ObjectError::Syntax { .. }),
            "{text} {refused:?}"
        );
    }
    assert!(members(b"{\"a\":\"\xff\"}", 8).is_err());
}

#[test]
fn members_and_names_are_bounded() {
    assert_eq!(
        members(br#"{"a":1,"b":2}"#, 1).unwrap_err(),
        ObjectError::TooManyMembers
    );
    let long = format!("{{\"{}\":1}}", "x".repeat(257));
    assert_eq!(members(long.as_bytes(), 8).unwrap_err(), ObjectError::NameTooLong);
}

#[test]
fn nesting_is_counted_outside_strings_only() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(depth_is_bounded(nested(128).as_bytes()));
    assert!(!depth_is_bounded(nested(129).as_bytes()));
    assert!(depth_is_bounded(
        format!("[\"{}\\\"{}\"]", "[".repeat(500), "{".repeat(500)).as_bytes()
    ));
    assert!(!depth_is_bounded(
        format!("[\"\\\\\",{}]", nested(128)).as_bytes()
    ));
}

#[test]
fn folding_is_gos() {
    assert_eq!(fold_name("Max_To\u{212a}en\u{17f}"), "max_tokens");
    assert_eq!(fold_name("é"), "é");
}
