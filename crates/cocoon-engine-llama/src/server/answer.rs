use std::{collections::VecDeque, convert::Infallible};

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use cocoon_types::Usage;
use futures_util::{
    StreamExt as _,
    stream::{self, SelectAll},
};
use serde_json::{Value, json};
use tokio_stream::wrappers::ReceiverStream;

use super::{
    choice::{Choice, Piece},
    json_response,
};
use crate::{
    api::{
        Problem,
        answer::{
            DONE, Envelope, Shape, chat_delta, chat_logprobs, chat_message, text_choice, text_logprobs,
            tool_call,
        },
    },
    engine::{Event, FinishReason, TokenLogprob},
};

/// The answers to one request while they are computed. Dropping it drops the channels, which stops the work.
pub(super) struct Answer {
    pub(super) envelope: Envelope,
    pub(super) choices: Vec<Choice>,
    pub(super) events: Events,
    /// Of all prompts together.
    pub(super) prompt_tokens: u64,
    /// Answers per prompt: only the first of each counts as cached, the others are our own repetition.
    pub(super) choices_per_prompt: usize,
}

/// Events of all answers, each with its index.
pub(super) type Events = SelectAll<stream::BoxStream<'static, (usize, Event)>>;

/// Counts that grow with each answer that ends.
#[derive(Default)]
struct Totals {
    completion: u64,
    cached: u64,
    ended: usize,
}

/// A stream of events on its way out.
struct Streaming {
    answer: Answer,
    totals: Totals,
    begun: Vec<bool>,
    /// Characters sent of each answer, for `text_offset`.
    offsets: Vec<usize>,
    ready: VecDeque<Bytes>,
    over: bool,
}

/// One channel as a part of [`Events`].
pub(super) fn indexed(
    index: usize,
    events: tokio::sync::mpsc::Receiver<Event>,
) -> stream::BoxStream<'static, (usize, Event)> {
    ReceiverStream::new(events)
        .map(move |event| (index, event))
        .boxed()
}

// === impl Answer ===

impl Answer {
    /// Answers with a stream of events. Waits for the first, so that what fails before it is an HTTP error.
    pub(super) async fn into_stream(mut self) -> Result<Response, Problem> {
        let first = self.next().await?;
        let count = self.choices.len();
        let mut streaming = Streaming {
            answer: self,
            totals: Totals::default(),
            begun: vec![false; count],
            offsets: vec![0; count],
            ready: VecDeque::new(),
            over: false,
        };
        streaming.take(first)?;
        let body = stream::unfold(streaming, |mut streaming| async move {
            let bytes = streaming.next().await?;
            Some((Ok::<_, Infallible>(bytes), streaming))
        });
        let headers = [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/event-stream; charset=utf-8"),
            ),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        Ok((headers, Body::from_stream(body)).into_response())
    }

    /// Answers when everything is there.
    pub(super) async fn into_whole(mut self) -> Result<Response, Problem> {
        let count = self.choices.len();
        let mut wholes: Vec<Whole> = std::iter::repeat_with(Whole::default).take(count).collect();
        let mut totals = Totals::default();
        while totals.ended < count {
            let (index, event) = self.next().await?;
            let piece = self.choices[index].take(event)?;
            totals.add(&self, index, &piece);
            wholes[index].add(piece);
        }
        let usage = self.usage(&totals)?;
        let shape = self.envelope.shape;
        let choices = wholes
            .into_iter()
            .enumerate()
            .map(|(index, whole)| whole.into_choice(index, shape))
            .collect();
        Ok(json_response(self.envelope.whole(choices, &usage)))
    }

    async fn next(&mut self) -> Result<(usize, Event), Problem> {
        // Channels that close before all answers have ended: the engine's thread is gone.
        self.events.next().await.ok_or_else(Problem::internal)
    }

    fn usage(&self, totals: &Totals) -> Result<Usage, Problem> {
        Usage::new(self.prompt_tokens, totals.cached, totals.completion, 0).map_err(|_| Problem::internal())
    }
}

// === impl Totals ===

impl Totals {
    fn add(&mut self, answer: &Answer, index: usize, piece: &Piece) {
        if let Some((_, end)) = &piece.end {
            self.ended += 1;
            self.completion += u64::from(end.completion);
            if index.is_multiple_of(answer.choices_per_prompt) {
                self.cached += u64::from(end.cached);
            }
        }
    }
}

// === impl Streaming ===

impl Streaming {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(bytes);
            }
            if self.over {
                return None;
            }
            let taken = match self.answer.next().await {
                Ok(event) => self.take(event),
                Err(problem) => Err(problem),
            };
            if let Err(problem) = taken {
                self.over = true;
                return Some(problem.to_event());
            }
        }
    }

    /// Turns an event into chunks.
    fn take(&mut self, (index, event): (usize, Event)) -> Result<(), Problem> {
        let piece = self.answer.choices[index].take(event)?;
        self.totals.add(&self.answer, index, &piece);
        let choices = match self.answer.envelope.shape {
            Shape::Chat => self.chat(index, piece),
            Shape::Completion => self.completion(index, piece),
        };
        let envelope = &self.answer.envelope;
        self.ready
            .extend(choices.into_iter().map(|choice| envelope.chunk(choice)));
        if self.totals.ended == self.answer.choices.len() {
            if envelope.include_usage {
                let usage = self.answer.usage(&self.totals)?;
                self.ready.push_back(envelope.usage_chunk(&usage));
            }
            self.ready.push_back(Bytes::from_static(DONE.as_bytes()));
            self.over = true;
        }
        Ok(())
    }

    fn chat(&mut self, index: usize, piece: Piece) -> Vec<Value> {
        let choice = &self.answer.choices[index];
        let mut chunks = Vec::with_capacity(2);
        if !std::mem::replace(&mut self.begun[index], true) {
            let content = if choice.is_call() { Value::Null } else { "".into() };
            let role = json!({"role": "assistant", "content": content, "refusal": null});
            chunks.push(chat_delta(index, role, Value::Null, None));
        }
        if !piece.text.is_empty() || !piece.logprobs.is_empty() {
            let delta = json!({"content": piece.text});
            chunks.push(chat_delta(index, delta, chat_logprobs(&piece.logprobs), None));
        }
        for (id, call) in &piece.calls {
            let mut call = tool_call(id, call);
            // `offsets` counts calls here: chat has no use for characters.
            call["index"] = self.offsets[index].into();
            self.offsets[index] += 1;
            chunks.push(chat_delta(
                index,
                json!({"tool_calls": [call]}),
                Value::Null,
                None,
            ));
        }
        if let Some((reason, _)) = piece.end {
            chunks.push(chat_delta(index, json!({}), Value::Null, Some(reason)));
        }
        chunks
    }

    fn completion(&mut self, index: usize, piece: Piece) -> Vec<Value> {
        let mut chunks = Vec::with_capacity(1);
        if !piece.text.is_empty() || !piece.logprobs.is_empty() {
            let logprobs = text_logprobs(&piece.logprobs, self.offsets[index]);
            self.offsets[index] += piece.text.chars().count();
            chunks.push(text_choice(index, &piece.text, logprobs, None));
        }
        if let Some((reason, _)) = piece.end {
            chunks.push(text_choice(index, "", Value::Null, Some(reason)));
        }
        chunks
    }
}

/// An answer that is collected.
#[derive(Default)]
struct Whole {
    text: String,
    calls: Vec<(String, crate::api::tools::ToolCall)>,
    logprobs: Vec<TokenLogprob>,
    reason: Option<FinishReason>,
}

// === impl Whole ===

impl Whole {
    fn add(&mut self, piece: Piece) {
        self.text.push_str(&piece.text);
        self.calls.extend(piece.calls);
        self.logprobs.extend(piece.logprobs);
        self.reason = piece.end.map(|(reason, _)| reason).or(self.reason);
    }

    fn into_choice(self, index: usize, shape: Shape) -> Value {
        let reason = self.reason.unwrap_or(FinishReason::Stop);
        match shape {
            Shape::Chat => chat_message(
                index,
                self.text,
                &self.calls,
                chat_logprobs(&self.logprobs),
                reason,
            ),
            Shape::Completion => {
                text_choice(index, &self.text, text_logprobs(&self.logprobs, 0), Some(reason))
            }
        }
    }
}
