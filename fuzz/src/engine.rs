//! `cocoon-engine`: what engines may not receive.

use std::sync::OnceLock;

use bytes::Bytes;
use cocoon_engine::{Engine, EngineKind, EngineOptions};
use cocoon_openai::RequestBody;
use cocoon_types::Endpoint;
use serde_json::Value;

/// The name of a target and of its corpus directory, and its entry function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this module.
pub const TARGETS: &[Target] = &[("engine_check", check)];

/// A chat request that each kind of engine is asked to take; what passes refers to nothing outside of it.
pub fn check(data: &[u8]) {
    static ENGINES: OnceLock<Vec<Engine>> = OnceLock::new();
    let engines = ENGINES.get_or_init(|| {
        let address = "http://127.0.0.1:1".parse().expect("a good address");
        let engine = |kind| Engine::new(address, kind, &EngineOptions::default());
        EngineKind::ALL.map(|kind| engine.clone()(kind)).to_vec()
    });
    let Ok(body) = RequestBody::parse(Endpoint::ChatCompletions, &Bytes::copy_from_slice(data)) else {
        return;
    };
    let mut all = true;
    for engine in engines {
        let passes = match engine.check(&body) {
            Ok(()) => true,
            Err(refusal) => {
                assert!(refusal.param.is_some() && refusal.fault.http_status() == 400);
                false
            }
        };
        if engine.kind() == EngineKind::Generic {
            assert!(!passes || all, "an unknown server is refused what any is");
        }
        all &= passes;
        if passes {
            let text = body.to_bytes();
            let body: Value = serde_json::from_slice(&text).unwrap_or_default();
            let messages = body["messages"].as_array().into_iter().flatten();
            for part in messages
                .filter_map(|message| message["content"].as_array())
                .flatten()
            {
                assert!(!refers(part), "media outside the request passed");
            }
            assert!(body["chat_template"].is_null() && body["lora_path"].is_null());
        }
    }
}

/// Whether a content part has an address where engines look for one; plainer than the code under test, so stricter.
fn refers(part: &Value) -> bool {
    match part {
        Value::Object(members) => members.iter().any(|(name, value)| {
            let name = name.to_lowercase();
            let free = [
                "tool_calls",
                "function_call",
                "arguments",
                "annotations",
                "citations",
            ];
            let outside = |value: &Value| {
                value
                    .as_str()
                    .is_some_and(|text| !text.is_empty() && !text.starts_with("data:"))
            };
            !free.contains(&name.as_str())
                && (refers(value) || ((name.ends_with("_url") || name == "url") && outside(value)))
        }),
        Value::Array(several) => several.iter().any(refers),
        _ => false,
    }
}
