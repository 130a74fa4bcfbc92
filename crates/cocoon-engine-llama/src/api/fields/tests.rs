use super::*;

fn fields(text: &str) -> Fields {
    Fields::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_body_that_is_no_object_is_refused_without_quoting_it() {
    for body in ["", "{", "[1]", "\"planted\"", "{\"planted\": }"] {
        let problem = Fields::parse(body.as_bytes()).err().unwrap();
        assert_eq!(problem.status(), 400);
        let shown = String::from_utf8(problem.to_body().to_vec()).unwrap();
        assert!(!shown.contains("planted"), "{shown}");
        assert!(shown.contains("\"code\":\"invalid_value\""), "{shown}");
    }
}

#[test]
fn null_is_absent_and_wrong_types_name_the_member() {
    let mut members = fields(r#"{"a":null,"b":"x","c":1.5,"d":7,"e":true}"#);
    assert_eq!(members.string("a").unwrap(), None);
    assert_eq!(members.boolean("e").unwrap(), Some(true));
    assert_eq!(members.integer("d", 1, 7).unwrap(), Some(7));
    assert_eq!(members.number("c", 0.0, 2.0).unwrap(), Some(1.5));
    let problem = members.integer("b", 0, 1).unwrap_err();
    assert_eq!(problem.param.as_deref(), Some("b"));
}

#[test]
fn limits_hold_at_both_ends() {
    for (text, good) in [
        ("0", true),
        ("2", true),
        ("2.01", false),
        ("-0.1", false),
        ("1e40", false),
    ] {
        let mut members = fields(&format!("{{\"temperature\":{text}}}"));
        assert_eq!(members.number("temperature", 0.0, 2.0).is_ok(), good, "{text}");
    }
    assert!(fields(r#"{"n":1.0}"#).integer("n", 1, 4).is_err());
}

#[test]
fn members_that_ask_for_nothing_are_not_refused() {
    assert!(
        fields(r#"{"echo":false,"suffix":"","tools":[]}"#)
            .refuse(&["echo", "suffix", "tools", "audio"])
            .is_ok()
    );
    let problem = fields(r#"{"echo":true}"#).refuse(&["echo"]).unwrap_err();
    assert_eq!(problem.fault, Fault::UnsupportedField);
}
