use serde_json::json;

use super::*;
use crate::api::Fields;

const CHATML: &str = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + \
                      '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

fn template(source: &str) -> ChatTemplate {
    ChatTemplate::new(source, "<s>".into(), "</s>".into()).unwrap()
}

fn render(source: &str, messages: Value) -> Result<String, Problem> {
    let messages: Vec<Value> = serde_json::from_value(messages).unwrap();
    template(source).render(&messages, &Tools::default(), &Map::new(), 1_790_000_000)
}

fn shown(problem: &Problem) -> String {
    String::from_utf8(problem.to_body().to_vec()).unwrap()
}

#[test]
fn chatml_renders_as_written() {
    let prompt = render(CHATML, json!([{"role": "user", "content": "a<b>&'\""}])).unwrap();
    assert_eq!(
        prompt,
        "<|im_start|>user\na<b>&'\"<|im_end|>\n<|im_start|>assistant\n"
    );
}

#[test]
fn python_methods_blocks_and_tokens_work() {
    let source = "{{ bos_token }}\n  {%- for m in messages %}\n    {% if m.content.startswith('x') %}\n[{{ m.content.strip() | upper }}]\n    {% endif %}\n  {% endfor %}{{ eos_token }}";
    let prompt = render(
        source,
        json!([{"role": "user", "content": "x y "}, {"role": "user", "content": "z"}]),
    );
    assert_eq!(prompt.unwrap(), "<s>[X Y]\n</s>");
    let source = "{% set ns = namespace(n=0) %}{% for m in messages[::-1] %}{% set ns.n = ns.n + 1 %}{{ ns.n }}{{ m.get('x', '-') }}{% break %}{% endfor %}";
    assert_eq!(
        render(source, json!([{"role": "user", "content": ""}])).unwrap(),
        "1-"
    );
    assert_eq!(
        render("{{ strftime_now('%d %b %Y, %A %H:%M') }}", json!([])).unwrap(),
        "21 Sep 2026, Monday 14:13"
    );
}

#[test]
fn generation_marks_are_nothing() {
    let source = "{% generation %}a{% endgeneration %}{%- generation -%} b {%- endgeneration -%} c";
    assert_eq!(render(source, json!([])).unwrap(), "abc");
}

#[test]
fn tools_are_handed_over_as_python_would_print_them() {
    let source = "{% if tools %}{% for t in tools %}{{ t | tojson }}{% endfor %}{% endif %}<tool_call>";
    let tools = r#"{"tools":[{"type":"function","function":{"name":"f","description":"a<b 'é'"}}]}"#;
    let tools = Tools::take(&mut Fields::parse(tools.as_bytes()).unwrap()).unwrap();
    let made = template(source);
    assert!(made.knows_tools() && made.hermes_calls());
    let prompt = made.render(&[], &tools, &Map::new(), 0).unwrap();
    assert_eq!(
        prompt,
        "{\"type\": \"function\", \"function\": {\"name\": \"f\", \"description\": \"a<b 'é'\"}}<tool_call>"
    );
    assert!(!template(CHATML).knows_tools());
    assert_eq!(
        render("{{ {'a': [1, none]} | tojson(indent=2) }}", json!([])).unwrap(),
        "{\n  \"a\": [\n    1,\n    null\n  ]\n}"
    );
}

#[test]
fn callers_add_variables_but_replace_none() {
    let variables = json!({"enable_thinking": false, "messages": "mine", "bos_token": "mine"});
    let Value::Object(variables) = variables else {
        unreachable!()
    };
    let prompt = template("{{ enable_thinking }}{{ bos_token }}{{ messages | length }}")
        .render(&[], &Tools::default(), &variables, 0)
        .unwrap();
    assert_eq!(prompt, "False<s>0");
}

#[test]
fn a_refusal_of_the_template_is_the_callers_mistake() {
    let problem = render("{{ raise_exception('roles must alternate') }}", json!([])).unwrap_err();
    assert_eq!(problem.param.as_deref(), Some("messages"));
    assert!(shown(&problem).contains("roles must alternate"));
    // Other errors say nothing of the content.
    let problem = render(
        "{{ messages[0].content.planted() }}",
        json!([{"content": "secret"}]),
    )
    .unwrap_err();
    assert!(!shown(&problem).contains("secret"), "{}", shown(&problem));
}

#[test]
fn hostile_templates_end() {
    for source in [
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(x='aaaaaaaa') %}{% for a in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ 'a' * 1000000000000 }}",
        "{% for a in range(100000) %}{% for m in messages %}{{ m.content }}{% endfor %}{% endfor %}",
    ] {
        let problem = render(source, json!([{"role": "user", "content": "x".repeat(10_000)}])).unwrap_err();
        assert_eq!(problem.status(), 400, "{source}");
    }
    assert!(ChatTemplate::new("{% for %}", String::new(), String::new()).is_err());
    assert!(ChatTemplate::new("{% generation", String::new(), String::new()).is_err());
}
