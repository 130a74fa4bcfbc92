//! Answers that must be JSON of a given schema: compiled by llguidance, bounded here.

use std::sync::{Arc, OnceLock};

use llguidance::{
    Matcher, ParserFactory,
    api::TopLevelGrammar,
    toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie},
};
use serde_json::{Value, json};

use crate::{api::Problem, model::Model};

/// Compiles schemas for one model. The vocabulary's tree is built when the first schema comes (some 0.1 s).
#[derive(Default)]
pub(crate) struct Constraints {
    factory: OnceLock<Option<ParserFactory>>,
}

/// Bytes of a schema at most; OpenAI counts 120,000 characters of names and values.
const MAX_SCHEMA_BYTES: usize = 128 * 1024;
/// Members of all objects together. The compile time grows with the square: 500 take half a second.
const MAX_PROPERTIES: usize = 500;
/// Largest product of all `multipleOf`, each as a whole number (0.25 counts 25): the machine that checks them has about so
/// many states, and exploring it is the one thing that llguidance does not bound.
const MAX_MULTIPLE: u64 = 1_000;
/// Lexer states at most, 1 to 2 kB each.
const MAX_LEXER_STATES: usize = 50_000;
/// Characters of llguidance's reason that a caller sees.
const MAX_REASON: usize = 300;

// === impl Constraints ===

impl Constraints {
    /// A matcher for answers that follow `schema`; `param` is the member of the request that it came in.
    ///
    /// Takes up to a second for the largest: call it on the blocking pool.
    pub(crate) fn compile(&self, model: &Model, schema: Value, param: &str) -> Result<Box<Matcher>, Problem> {
        let schema = bounded(schema, param)?;
        let factory = self
            .factory
            .get_or_init(|| factory(&environment(model)))
            .as_ref()
            .ok_or_else(Problem::internal)?;
        matcher(factory, schema, param)
    }
}

fn matcher(factory: &ParserFactory, schema: Value, param: &str) -> Result<Box<Matcher>, Problem> {
    let refused = |reason: &str| {
        // The rest would be a backtrace.
        let reason: String = reason
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(MAX_REASON)
            .collect();
        Problem::invalid(param, format!("the schema is not supported: {reason}"))
    };
    let mut matcher = Matcher::new(factory.create_parser(TopLevelGrammar::from_json_schema(schema)));
    if let Some(reason) = matcher.get_error() {
        return Err(refused(&reason));
    }
    // A schema that admits nothing at all shows only when the first token is asked for.
    match matcher.compute_mask() {
        Ok(mask) if !mask.is_zero() => Ok(Box::new(matcher)),
        _ => Err(refused("it admits no value")),
    }
}

/// Checks the size and fixes the layout: free white space lets a small model print blanks for ever.
fn bounded(mut schema: Value, param: &str) -> Result<Value, Problem> {
    let refused = |reason: String| Err(Problem::invalid(param, reason));
    if schema.to_string().len() > MAX_SCHEMA_BYTES {
        return refused(format!("a schema may have {MAX_SCHEMA_BYTES} bytes at most"));
    }
    let mut size = Size {
        properties: 0,
        multiple: 1,
    };
    size.add(&schema);
    if size.multiple > MAX_MULTIPLE {
        return refused(format!(
            "all `multipleOf` of a schema may be {MAX_MULTIPLE} together at most"
        ));
    }
    if size.properties > MAX_PROPERTIES {
        return refused(format!("a schema may have {MAX_PROPERTIES} properties at most"));
    }
    if let Value::Object(members) = &mut schema {
        let layout = json!({
            "whitespace_flexible": false,
            "item_separator": ", ",
            "key_separator": ": ",
            "coerce_one_of": true,
        });
        members.insert("x-guidance".into(), layout);
    }
    Ok(schema)
}

/// What makes a schema dear.
struct Size {
    properties: usize,
    multiple: u64,
}

impl Size {
    /// The depth is bounded by the JSON parser.
    fn add(&mut self, schema: &Value) {
        match schema {
            Value::Object(members) => {
                for (name, value) in members {
                    match name.as_str() {
                        "properties" | "patternProperties" => {
                            self.properties += value.as_object().map_or(0, serde_json::Map::len);
                        }
                        "multipleOf" => self.multiple = self.multiple.saturating_mul(whole(value)),
                        _ => {}
                    }
                    self.add(value);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.add(item)),
            _ => {}
        }
    }
}

/// The digits of a number as a whole number; what is too long counts as too large.
fn whole(number: &Value) -> u64 {
    let Value::Number(number) = number else { return 1 };
    let text = number.to_string();
    if text.contains(['e', 'E']) {
        return u64::MAX;
    }
    let digits: String = text
        .trim_end_matches(".0")
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().unwrap_or(u64::MAX).max(1)
}

fn factory(environment: &TokEnv) -> Option<ParserFactory> {
    let mut factory = ParserFactory::new_simple(environment).ok()?;
    factory.quiet();
    let limits = factory.limits_mut();
    limits.max_lexer_states = MAX_LEXER_STATES;
    // Its long errors quote the grammar and the answer so far.
    limits.verbose_errors = false;
    Some(factory)
}

/// The vocabulary as llguidance wants it: control tokens are marked, so that no grammar takes them for text.
fn environment(model: &Model) -> TokEnv {
    let ends: Vec<u32> = model.ends().iter().map(|end| end.cast_unsigned()).collect();
    let info = TokRxInfo::new(
        model.vocabulary().cast_unsigned(),
        ends.first().copied().unwrap_or(0),
    );
    let words: Vec<Vec<u8>> = (0..model.vocabulary())
        .map(|token| {
            let text = model.piece(token, false);
            let special = model.piece(token, true);
            match (text.is_empty(), special.is_empty()) {
                (true, false) => [&[TokTrie::SPECIAL_TOKEN_MARKER], special.as_slice()].concat(),
                _ => text,
            }
        })
        .collect();
    Arc::new(ApproximateTokEnv::new(
        TokTrie::from(&info, &words).with_eos_tokens(&ends),
    ))
}

#[cfg(test)]
mod tests;
