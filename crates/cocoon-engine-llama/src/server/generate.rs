use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use cocoon_types::Fault;
use futures_util::stream::SelectAll;
use llguidance::Matcher;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::{
    Server,
    answer::{Answer, indexed},
    choice::Choice,
    read_body,
};
use crate::{
    api::{
        Generation, Problem,
        answer::{Envelope, Shape},
        chat::{Chat, Format},
        completion::{Completion, Prompt},
    },
    engine::{EVENTS, Job, Token},
};

/// A request that is ready for the engine.
struct Prepared {
    generation: Generation,
    prompts: Vec<Arc<[Token]>>,
    constraint: Option<Box<Matcher>>,
    logprobs: Option<u8>,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Completion,
    Chat,
    ChatWithTools,
    ForcedCall,
}

pub(super) async fn chat(State(server): State<Arc<Server>>, request: Request) -> Response {
    answer(server, request, Server::prepare_chat)
        .await
        .unwrap_or_else(|problem| problem.into_response())
}

pub(super) async fn completion(State(server): State<Arc<Server>>, request: Request) -> Response {
    answer(server, request, Server::prepare_completion)
        .await
        .unwrap_or_else(|problem| problem.into_response())
}

async fn answer(
    server: Arc<Server>,
    request: Request,
    prepare: fn(&Server, &[u8]) -> Result<Prepared, Problem>,
) -> Result<Response, Problem> {
    let body = read_body(request).await?;
    // One place at least, before any work.
    let place = server.engine.places(1)?;
    let prepared = server.prepare(move |server| prepare(server, &body)).await?;
    let stream = prepared.generation.stream;
    let answer = server.submit(prepared, place)?;
    if stream {
        answer.into_stream().await
    } else {
        answer.into_whole().await
    }
}

// === impl Server ===

impl Server {
    fn prepare_chat(&self, body: &[u8]) -> Result<Prepared, Problem> {
        let mut chat = Chat::parse(body)?;
        self.check(&chat.generation)?;
        let template = self.model.template().ok_or_else(|| {
            Problem::new(
                Fault::InvalidRequest,
                "this model has no chat template: use /v1/completions",
            )
        })?;
        let forced = chat.tools.forced_schema();
        if forced.is_some() && !template.knows_tools() {
            instruct(&mut chat.messages, &chat.tools.instructions());
        }
        let kind = match &forced {
            Some(_) => Kind::ForcedCall,
            None if chat.tools.offered() && template.hermes_calls() => Kind::ChatWithTools,
            None => Kind::Chat,
        };
        let schema = match (forced, chat.format) {
            (Some(schema), _) => Some((schema, "tools")),
            (None, Format::JsonSchema(schema)) => Some((schema, "response_format.json_schema.schema")),
            (None, Format::JsonObject) => Some((json!({"type": "object"}), "response_format")),
            (None, Format::Text) => None,
        };
        let text = template.render(&chat.messages, &chat.tools, &chat.variables, (self.clock)())?;
        let prompt = self.model.tokenize(&text, true)?;
        let constraint = schema
            .map(|(schema, param)| self.constraints.compile(&self.model, schema, param))
            .transpose()?;
        Ok(Prepared {
            generation: chat.generation,
            prompts: vec![prompt.into()],
            constraint,
            logprobs: chat.logprobs,
            kind,
        })
    }

    fn prepare_completion(&self, body: &[u8]) -> Result<Prepared, Problem> {
        let completion = Completion::parse(body)?;
        self.check(&completion.generation)?;
        let prompts = completion
            .prompts
            .into_iter()
            .map(|prompt| self.tokens(prompt).map(Arc::from))
            .collect::<Result<_, _>>()?;
        Ok(Prepared {
            generation: completion.generation,
            prompts,
            constraint: None,
            logprobs: completion.logprobs,
            kind: Kind::Completion,
        })
    }

    /// A prompt's or an input's tokens.
    pub(super) fn tokens(&self, prompt: Prompt) -> Result<Vec<Token>, Problem> {
        match prompt {
            Prompt::Text(text) => self.model.tokenize(&text, true),
            Prompt::Tokens(tokens) => self.model.as_prompt(tokens),
        }
    }

    fn check(&self, generation: &Generation) -> Result<(), Problem> {
        self.check_model(&generation.model)?;
        let known = 0..self.model.vocabulary();
        if generation
            .sampling
            .bias
            .iter()
            .all(|(token, _)| known.contains(token))
        {
            Ok(())
        } else {
            Err(Problem::invalid(
                "logit_bias",
                "`logit_bias` holds a token id outside the vocabulary",
            ))
        }
    }

    /// Hands every sequence of a request to the engine.
    fn submit(&self, prepared: Prepared, first: OwnedSemaphorePermit) -> Result<Answer, Problem> {
        let generation = prepared.generation;
        let per_prompt = generation.choices as usize;
        let count = prepared.prompts.len() * per_prompt;
        let mut places = first;
        if count > 1 {
            places.merge(self.engine.places(u32::try_from(count - 1).unwrap_or(u32::MAX))?);
        }
        let mut events = SelectAll::new();
        let sequences = prepared
            .prompts
            .iter()
            .flat_map(|prompt| std::iter::repeat_n(prompt, per_prompt));
        for (index, prompt) in sequences.enumerate() {
            let (sender, receiver) = mpsc::channel(EVENTS);
            let mut sampling = generation.sampling.clone();
            // The same seed would give the same answer n times.
            let repetition = u32::try_from(index % per_prompt).unwrap_or(0);
            sampling.seed = sampling.seed.map(|seed| seed.wrapping_add(repetition) % u32::MAX);
            self.engine.generate(Job {
                prompt: Arc::clone(prompt),
                sampling,
                constraint: prepared
                    .constraint
                    .as_ref()
                    .map(|matcher| Box::new(matcher.deep_clone())),
                max_tokens: generation.max_tokens,
                stops: generation.stop.clone(),
                logprobs: prepared.logprobs,
                stream: generation.stream,
                events: sender,
                _place: places.split(1).ok_or_else(Problem::internal)?,
            })?;
            events.push(indexed(index, receiver));
        }
        let new_choice = match prepared.kind {
            Kind::Completion | Kind::Chat => Choice::text,
            Kind::ChatWithTools => Choice::scanning,
            Kind::ForcedCall => Choice::forced_call,
        };
        Ok(Answer {
            envelope: self.envelope(prepared.kind, generation.include_usage),
            choices: std::iter::repeat_with(new_choice).take(count).collect(),
            events,
            prompt_tokens: prepared.prompts.iter().map(|prompt| prompt.len() as u64).sum(),
            choices_per_prompt: per_prompt,
        })
    }

    fn envelope(&self, kind: Kind, include_usage: bool) -> Envelope {
        let (prefix, shape) = match kind {
            Kind::Completion => ("cmpl", Shape::Completion),
            _ => ("chatcmpl", Shape::Chat),
        };
        Envelope {
            id: format!("{prefix}-{:032x}", fastrand::u128(..)),
            created: (self.clock)(),
            model: self.alias.clone(),
            shape,
            include_usage,
        }
    }
}

/// Adds to the system message, or begins with one.
fn instruct(messages: &mut Vec<Value>, instructions: &str) {
    match messages.first_mut() {
        Some(first) if first["role"] == "system" => {
            let content = first["content"].as_str().unwrap_or_default();
            first["content"] = format!("{content}\n\n{instructions}").into();
        }
        _ => messages.insert(0, json!({"role": "system", "content": instructions})),
    }
}
