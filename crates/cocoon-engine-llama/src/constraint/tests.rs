use super::*;

/// Compiles against a vocabulary of single bytes and follows a text; true when the text is a whole answer.
fn admits(schema: &Value, text: &str) -> bool {
    let schema = bounded(schema.clone(), "p").unwrap();
    let mut matcher = matcher(&bytes(), schema, "p").unwrap();
    let tokens: Vec<u32> = text.bytes().map(u32::from).collect();
    matcher.try_consume_tokens(&tokens).unwrap() == tokens.len()
        && (matcher.is_stopped() || matcher.is_accepting().unwrap())
}

fn bytes() -> ParserFactory {
    factory(&ApproximateTokEnv::single_byte_env()).unwrap()
}

fn refused(schema: Value) -> Problem {
    bounded(schema, "p")
        .and_then(|schema| matcher(&bytes(), schema, "p"))
        .err()
        .unwrap()
}

#[test]
fn a_schema_holds() {
    let schema = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 4},
            "age": {"type": "integer", "minimum": 0, "maximum": 150},
            "kind": {"enum": ["a", "b"]},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "maxItems": 2},
        },
        "required": ["name", "age"],
        "additionalProperties": false,
        "$defs": {"tag": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
    });
    assert!(admits(&schema, r#"{"name": "Mara", "age": 25}"#));
    assert!(admits(
        &schema,
        r#"{"name": "M", "age": 0, "kind": "b", "tags": ["x", null]}"#
    ));
    for wrong in [
        r#"{"name": "Maria", "age": 25}"#,
        r#"{"name": "M", "age": 151}"#,
        r#"{"name": "M"}"#,
        r#"{"name": "M", "age": 1, "more": 1}"#,
        r#"{"name": "M", "age": 1, "kind": "c"}"#,
        "Sure! {}",
        r#"{"name":   "M", "age": 1}"#,
    ] {
        assert!(!admits(&schema, wrong), "{wrong}");
    }
    assert!(admits(
        &json!({"type": "object"}),
        r#"{"anything": [1, {"goes": null}]}"#
    ));
}

#[test]
fn layout_is_ours_even_if_the_caller_brings_one() {
    let schema = json!({"type": "object", "x-guidance": {"whitespace_flexible": true}});
    assert!(!admits(&schema, "{  }"));
}

#[test]
fn what_cannot_be_held_to_is_refused_with_its_reason() {
    for (reason, schema) in [
        ("uniqueItems", json!({"type": "array", "uniqueItems": true})),
        ("admits no value", json!({"$ref": "#"})),
        (
            "admits no value",
            json!({"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}),
        ),
        ("$ref", json!({"$ref": "http://example.com/x"})),
        ("must be a string", json!({"type": 5})),
        ("multipleOf", json!({"type": "integer", "multipleOf": 1_000_003})),
        (
            "multipleOf",
            json!({"type": "integer", "allOf": [{"multipleOf": 97}, {"multipleOf": 89}]}),
        ),
        ("multipleOf", json!({"type": "number", "multipleOf": 1e-9})),
        ("properties at most", {
            let many: serde_json::Map<_, _> = (0..501).map(|i| (format!("p{i}"), json!({}))).collect();
            json!({"properties": many})
        }),
        ("bytes at most", json!({"const": "x".repeat(MAX_SCHEMA_BYTES)})),
        (
            "not supported",
            json!({"type": "string", "pattern": "(".repeat(3000)}),
        ),
    ] {
        let problem = refused(schema);
        let shown = String::from_utf8(problem.to_body().to_vec()).unwrap();
        assert!(shown.contains(reason), "{reason}: {shown}");
        assert!(shown.len() < 600, "{shown}");
        assert_eq!((problem.status(), problem.param.as_deref()), (400, Some("p")));
    }
}

#[test]
fn hostile_schemas_end() {
    let mut nested = json!({"type": "string"});
    for _ in 0..60 {
        nested = json!({"type": "object", "properties": {"a": nested}, "required": ["a"]});
    }
    let combinations: Vec<Value> = (0..40)
        .map(|i| {
            let left = json!({"properties": {format!("a{i}"): {"type": "string"}}});
            json!({"anyOf": [left, {"properties": {format!("b{i}"): {"type": "integer"}}}]})
        })
        .collect();
    for schema in [
        nested,
        json!({"type": "object", "allOf": combinations}),
        json!({"type": "array", "minItems": 100_000_000, "items": {}}),
        json!({"type": "string", "minLength": 100_000_000}),
        json!({"type": "string", "pattern": "((a{1,1000}){1,1000}){1,1000}"}),
        json!({"type": "string", "pattern": "(a|b)*a(a|b){30}"}),
        json!({"type": "string", "pattern": "(a|b)*a(a|b){30}", "maxLength": 1000}),
        json!({"allOf": [{"pattern": "^(a|b)*a(a|b){30}$"}, {"pattern": "^(a|b)*b(a|b){29}$"}], "type": "string"}),
        json!({"type": "integer", "minimum": -1_000_000_007_i64, "maximum": 999_999_937_i64, "multipleOf": 997}),
        json!({"type": "number", "allOf": [{"multipleOf": 0.31}, {"multipleOf": 29}]}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}, {}]}, "b": {"$ref": "#/$defs/a"}}}),
    ] {
        let _ = bounded(schema, "p").and_then(|schema| matcher(&bytes(), schema, "p"));
    }
}
