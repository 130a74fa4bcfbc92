//! `cocoon chat`: one question, or a conversation, streamed as it comes.

mod stream;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::exit::{FAILED, Hinted};
use crate::text::{data, say};
use crate::{api, shutdown};

/// Talk to a model through the gateway.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  cocoon chat \"What is the capital of France?\"
  cat letter.txt | cocoon chat \"Summarise this:\"
  cocoon chat                       a conversation; Ctrl-C stops an answer, Ctrl-D ends it
  cocoon chat --list                which models are served")]
pub(crate) struct ChatArgs {
    /// The question; text on stdin is put after it. Without one a conversation starts.
    question: Vec<String>,
    /// The gateway; without it the running `cocoon up`, else 127.0.0.1:10000.
    #[arg(long, value_name = "URL", env = "COCOON_API")]
    api: Option<String>,
    /// An API key of the gateway, if it wants one.
    #[arg(long, value_name = "KEY", env = "COCOON_API_KEY", hide_env_values = true)]
    key: Option<String>,
    /// The model; without it the first that is served.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Instructions for the model, before the question.
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// Longest answer, in model tokens.
    #[arg(long, default_value_t = 512)]
    max_tokens: u32,
    /// 0 always takes the likeliest word.
    #[arg(long)]
    temperature: Option<f32>,
    /// The lowest tier to accept: confidential, attested, open or simulated.
    #[arg(long, value_name = "TIER")]
    tier: Option<cocoon_types::TierPolicy>,
    /// Print the whole answer as the API gives it.
    #[arg(long)]
    json: bool,
    /// List the models that are served, and end.
    #[arg(long)]
    list: bool,
}

/// The largest text taken from stdin, in bytes.
const STDIN_LIMIT: u64 = 4 * 1024 * 1024;

struct Conversation {
    args: ChatArgs,
    http: reqwest::Client,
    base: String,
    model: String,
    messages: Vec<Value>,
}

pub(crate) async fn run(args: ChatArgs) -> anyhow::Result<ExitCode> {
    let http = api::http_client()?;
    let base = api::base(args.api.as_deref());
    if args.list || args.model.is_none() {
        let models = api::models(&http, &base, args.key.as_deref()).await?;
        if args.list {
            models.iter().for_each(|model| data!("{model}"));
            return Ok(ExitCode::SUCCESS);
        }
        let Some(model) = models.into_iter().next() else {
            return Err(Hinted::failed(
                "the gateway knows no model yet",
                "a worker has to be connected; see its log",
            ));
        };
        return Conversation::new(
            ChatArgs {
                model: Some(model.clone()),
                ..args
            },
            http,
            base,
            model,
        )
        .hold()
        .await;
    }
    let model = args.model.clone().context("invariant: a model was given")?;
    Conversation::new(args, http, base, model).hold().await
}

// === impl Conversation ===

impl Conversation {
    fn new(args: ChatArgs, http: reqwest::Client, base: String, model: String) -> Self {
        let messages = args
            .system
            .iter()
            .map(|text| json!({"role": "system", "content": text}))
            .collect();
        Self {
            args,
            http,
            base,
            model,
            messages,
        }
    }

    async fn hold(mut self) -> anyhow::Result<ExitCode> {
        let piped = !std::io::stdin().is_terminal();
        let mut question = self.args.question.join(" ");
        if piped && (!question.is_empty() || self.args.json) {
            let text = read_all_of_stdin().await?;
            question = [question, text]
                .into_iter()
                .filter(|part| !part.trim().is_empty())
                .collect::<Vec<_>>()
                .join("\n\n");
        }
        if !question.is_empty() {
            return self.ask(question).await.map(|whole| {
                if whole {
                    ExitCode::SUCCESS
                } else {
                    ExitCode::from(FAILED)
                }
            });
        }
        say!(
            "{} at {}. Ctrl-C stops an answer, Ctrl-D ends.",
            self.model,
            self.base
        );
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        loop {
            if !piped {
                stream::show("> ");
            }
            let line = tokio::select! {
                line = lines.next_line() => line?,
                () = shutdown::interrupted() => None,
            };
            match line {
                None => return Ok(ExitCode::SUCCESS),
                Some(line) if line.trim().is_empty() => {}
                Some(line) => {
                    // An answer that failed is said, and the conversation goes on.
                    if let Err(error) = self.ask(line).await {
                        crate::exit::report(error);
                    }
                }
            }
        }
    }

    /// Asks one question; `false` when the caller stopped the answer.
    async fn ask(&mut self, question: String) -> anyhow::Result<bool> {
        self.messages.push(json!({"role": "user", "content": question}));
        let mut body = json!({
            "model": self.model,
            "messages": self.messages,
            "stream": !self.args.json,
            "max_tokens": self.args.max_tokens,
        });
        if let (Some(temperature), Some(body)) = (self.args.temperature, body.as_object_mut()) {
            body.insert("temperature".into(), json!(temperature));
        }
        let mut request = self
            .http
            .post(format!("{}/chat/completions", self.base))
            .json(&body);
        if let Some(key) = &self.args.key {
            request = request.bearer_auth(key);
        }
        if let Some(tier) = self.args.tier {
            request = request.header("x-cocoon-tier", tier.to_string());
        }
        let answered = tokio::select! {
            answered = stream::answer(request, &self.base, self.args.json) => answered,
            () = shutdown::interrupted() => {
                say!("\n(stopped)");
                self.messages.pop();
                return Ok(false);
            }
        };
        match answered {
            Ok(text) => self.messages.push(json!({"role": "assistant", "content": text})),
            Err(error) => {
                self.messages.pop();
                return Err(error);
            }
        }
        Ok(true)
    }
}

async fn read_all_of_stdin() -> anyhow::Result<String> {
    use tokio::io::AsyncReadExt as _;
    let mut text = String::new();
    let read = tokio::io::stdin()
        .take(STDIN_LIMIT + 1)
        .read_to_string(&mut text)
        .await
        .context("stdin is not text")?;
    anyhow::ensure!(
        read as u64 <= STDIN_LIMIT,
        "stdin holds more than {STDIN_LIMIT} bytes"
    );
    Ok(text)
}
