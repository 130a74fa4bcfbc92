use super::*;

fn parse(members: &str) -> Result<Completion, Problem> {
    Completion::parse(format!(r#"{{"model":"m",{members}}}"#).as_bytes())
}

#[test]
fn prompts_come_in_four_forms() {
    let text = |text: &str| Prompt::Text(text.into());
    assert_eq!(parse(r#""prompt":"a""#).unwrap().prompts, [text("a")]);
    assert_eq!(
        parse(r#""prompt":["a","b"]"#).unwrap().prompts,
        [text("a"), text("b")]
    );
    assert_eq!(
        parse(r#""prompt":[1,2]"#).unwrap().prompts,
        [Prompt::Tokens(vec![1, 2])]
    );
    assert_eq!(
        parse(r#""prompt":[[1],[2,3]]"#).unwrap().prompts,
        [Prompt::Tokens(vec![1]), Prompt::Tokens(vec![2, 3])]
    );
}

#[test]
fn bad_members_are_named() {
    for (param, members) in [
        ("prompt", r#""x":1"#),
        ("prompt", r#""prompt":5"#),
        ("prompt", r#""prompt":[]"#),
        ("prompt", r#""prompt":[1,"a"]"#),
        ("prompt", r#""prompt":[[]]"#),
        ("prompt", r#""prompt":[1.5]"#),
        ("prompt", r#""prompt":["a","b","c","d","e"],"n":4"#),
        ("echo", r#""prompt":"a","echo":true"#),
        ("suffix", r#""prompt":"a","suffix":"b""#),
        ("best_of", r#""prompt":"a","best_of":2"#),
        ("logprobs", r#""prompt":"a","logprobs":true"#),
    ] {
        assert_eq!(parse(members).err().unwrap().param.unwrap(), param, "{members}");
    }
    assert!(parse(r#""prompt":"a","best_of":2,"n":2,"logprobs":2"#).is_ok());
}
