use super::*;

fn take(body: &str) -> Result<Tools, Problem> {
    Tools::take(&mut Fields::parse(body.as_bytes())?)
}

const WEATHER: &str = r#"{"type":"function","function":{"name":"weather","parameters":
    {"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}"#;

#[test]
fn choices_are_read() {
    let with = |choice: &str| take(&format!("{{\"tools\":[{WEATHER}],\"tool_choice\":{choice}}}"));
    assert_eq!(with("null").unwrap().choice, ToolChoice::Auto);
    assert!(!with("\"none\"").unwrap().offered());
    assert!(with("\"auto\"").unwrap().forced_schema().is_none());
    let forced = with("\"required\"").unwrap().forced_schema().unwrap();
    assert_eq!(forced["anyOf"][0]["properties"]["name"]["const"], "weather");
    let named = with(r#"{"type":"function","function":{"name":"weather"}}"#).unwrap();
    assert_eq!(named.choice, ToolChoice::Named("weather".into()));
    assert_eq!(
        with(r#"{"function":{"name":"other"}}"#)
            .err()
            .unwrap()
            .param
            .unwrap(),
        "tool_choice"
    );
    assert!(with("\"sometimes\"").is_err());
    assert!(take(r#"{"tool_choice":"required"}"#).is_err());
}

#[test]
fn bad_tools_are_named() {
    for (param, body) in [
        ("tools", r#"{"tools":{}}"#),
        ("tools[0].type", r#"{"tools":[{"type":"code"}]}"#),
        (
            "tools[0].function.name",
            r#"{"tools":[{"type":"function","function":{"name":"a b"}}]}"#,
        ),
        ("tools[0].function.name", r#"{"tools":[5]}"#),
        (
            "tools[0].function.parameters",
            r#"{"tools":[{"type":"function","function":{"name":"a","parameters":5}}]}"#,
        ),
    ] {
        assert_eq!(take(body).err().unwrap().param.unwrap(), param, "{body}");
    }
}

#[test]
fn calls_are_found_wherever_the_text_is_cut() {
    let text = "Let me see.\n<tool_call>\n{\"name\": \"a\", \"arguments\": {\"x\": 1}}\n</tool_call>\n\
                <tool_call>{\"name\":\"b\"}</tool_call>";
    for cut in 0..text.len() {
        let mut scanner = ToolScanner::default();
        let first = scanner.push(&text[..cut], false);
        let second = scanner.push(&text[cut..], true);
        assert_eq!(first.text + &second.text, "Let me see.\n", "cut at {cut}");
        let calls: Vec<_> = first.calls.into_iter().chain(second.calls).collect();
        assert_eq!(calls.len(), 2);
        assert_eq!(
            (calls[0].name.as_str(), calls[0].arguments.as_str()),
            ("a", "{\"x\":1}")
        );
        assert_eq!((calls[1].name.as_str(), calls[1].arguments.as_str()), ("b", "{}"));
    }
}

#[test]
fn what_is_no_call_stays_text() {
    let mut scanner = ToolScanner::default();
    let scanned = scanner.push("a <tool <tool_call>not json</tool_call> b", true);
    assert_eq!(scanned.text, "a <tool <tool_call>not json</tool_call> b");
    assert!(scanned.calls.is_empty());
    let mut scanner = ToolScanner::default();
    assert_eq!(scanner.push("x <tool_c", false).text, "x ");
    assert_eq!(scanner.push("", true).text, "<tool_c");
}

#[test]
fn a_missing_closing_tag_is_forgiven() {
    let scanned = ToolScanner::default().push("<tool_call>{\"name\":\"a\",\"arguments\":{}}", true);
    assert_eq!(scanned.calls.len(), 1);
}
