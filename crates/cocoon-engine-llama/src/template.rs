//! The chat template of a model file, rendered as transformers renders it.
//!
//! The template is somebody else's program: instructions, memory, nesting and output are bounded.

mod json;
mod time;

use minijinja::{
    Environment, Error, ErrorKind, Value as Jinja, context,
    syntax::SyntaxConfig,
    value::{Kwargs, Serde},
};
use serde_json::{Map, Value};

use crate::api::{Problem, tools::Tools};

/// A compiled template.
pub(crate) struct ChatTemplate {
    environment: Environment<'static>,
    bos: String,
    eos: String,
    knows_tools: bool,
    /// Writes calls as `<tool_call>{…}</tool_call>`.
    hermes_calls: bool,
}

/// Instructions of one rendering, and a bound on its memory (64 bytes each: 128 MiB). The longest template in use needs
/// some hundred per message; 2048 messages are the most that `api` lets through.
const FUEL: u64 = 2_000_000;
/// Nesting of macros and blocks; no template in use recurses.
const RECURSION: usize = 64;
/// Bytes of a rendered prompt at most; a body has 4 MiB.
const MAX_PROMPT: usize = 8 * 1024 * 1024;
const NAME: &str = "chat";

// === impl ChatTemplate ===

impl ChatTemplate {
    /// Compiles a template. `bos` and `eos` are the texts of those tokens.
    ///
    /// # Errors
    /// When it is not a template.
    pub(crate) fn new(source: &str, bos: String, eos: String) -> Result<Self, Error> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?;
        environment.set_syntax(syntax);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        environment.add_filter("tojson", to_json);
        environment.add_template_owned(NAME, without_generation_tags(source))?;
        let knows_tools = environment
            .get_template(NAME)?
            .undeclared_variables(false)
            .contains("tools");
        Ok(Self {
            environment,
            bos,
            eos,
            knows_tools,
            hermes_calls: knows_tools && source.contains("<tool_call>"),
        })
    }

    pub(crate) fn knows_tools(&self) -> bool {
        self.knows_tools
    }

    pub(crate) fn hermes_calls(&self) -> bool {
        self.hermes_calls
    }

    /// The prompt that ends where the assistant begins. `now` is unix seconds.
    pub(crate) fn render(
        &self,
        messages: &[Value],
        tools: &Tools,
        variables: &Map<String, Value>,
        now: u64,
    ) -> Result<String, Problem> {
        let offered = tools.offered().then_some(&tools.definitions);
        let own = context! {
            messages => Jinja::from(Serde(messages)),
            tools => Jinja::from(Serde(offered)),
            add_generation_prompt => true,
            bos_token => self.bos.as_str(),
            eos_token => self.eos.as_str(),
            strftime_now => Jinja::from_function(move |format: &str| time::strftime(format, now)),
        };
        // Ours first: a caller cannot replace the messages.
        let all = context! { ..own, ..Jinja::from(Serde(variables)) };
        let mut prompt = Bounded(Vec::new());
        self.environment
            .get_template(NAME)
            .and_then(|template| template.render_captured_to(all, &mut prompt).map(drop))
            .map_err(|error| problem(&error))?;
        String::from_utf8(prompt.0).map_err(|_| Problem::internal())
    }
}

/// What a caller is told when the template refuses its messages. Only `raise_exception` speaks in the template's words.
fn problem(error: &Error) -> Problem {
    let message = match error.kind() {
        ErrorKind::InvalidOperation if error.detail().is_some_and(|text| text.starts_with(RAISED)) => {
            let text = error.detail().unwrap_or_default().trim_start_matches(RAISED);
            let text: String = text.chars().take(200).collect();
            format!("the model's chat template refuses these messages: {text}")
        }
        ErrorKind::OutOfFuel | ErrorKind::WriteFailure => {
            "the messages are too many or too long for the model's chat template".to_owned()
        }
        _ => "the model's chat template cannot render these messages".to_owned(),
    };
    Problem::invalid("messages", message)
}

const RAISED: &str = "raised: ";

fn raise_exception(message: &str) -> Result<Jinja, Error> {
    Err(Error::new(
        ErrorKind::InvalidOperation,
        format!("{RAISED}{message}"),
    ))
}

/// Python's `json.dumps` with `ensure_ascii=False`, which is what transformers gives templates; minijinja's own escapes
/// for HTML.
fn to_json(value: Jinja, options: Kwargs) -> Result<Jinja, Error> {
    let indent: Option<usize> = options.get("indent")?;
    for ignored in ["ensure_ascii", "separators", "sort_keys"] {
        let _: Option<Jinja> = options.get(ignored)?;
    }
    options.assert_all_used()?;
    json::dumps(&value, indent.map(|indent| indent.min(16)))
        .map(Jinja::from_safe_string)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, "not JSON").with_source(error))
}

/// `{% generation %}` marks what training looks at; for rendering it is nothing.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let Some(length) = rest[start..].find("%}") else {
            break;
        };
        let tag = &rest[start + 2..start + length];
        let replaced = match tag.trim_matches(['-', '+', ' ', '\n', '\t']) {
            "generation" => tag.replace("generation", "if true"),
            "endgeneration" => tag.replace("endgeneration", "endif"),
            _ => tag.to_owned(),
        };
        out.push_str(&rest[..start + 2]);
        out.push_str(&replaced);
        out.push_str("%}");
        rest = &rest[start + length + 2..];
    }
    out.push_str(rest);
    out
}

/// Collects output up to [`MAX_PROMPT`].
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_PROMPT {
            return Err(std::io::Error::other("the prompt is too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
