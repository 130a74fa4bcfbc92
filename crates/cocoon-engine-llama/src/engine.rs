//! The thread that owns the model: jobs go in through a bounded line, tokens come out through bounded channels.
//!
//! [`Scheduler`] decides, a [`Runner`] computes. All running sequences share each batch (continuous batching): every
//! step adds one token of each and a bounded piece of the prompts of new ones.

mod llama;
mod runner;
mod scheduler;
mod sequence;
mod slots;
pub(crate) mod text;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
    mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel},
};
use std::time::Duration;

use cocoon_types::Fault;
use llguidance::Matcher;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

pub(crate) use llama::LlamaRunner;
pub(crate) use runner::{Row, RunError, Runner, Sampled};
use scheduler::{Scheduler, Step};

use crate::api::Problem;

/// A token's number in the model's vocabulary.
pub(crate) type Token = i32;

/// How the next token is chosen. Values outside the usual ranges are refused by `api`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sampling {
    /// 0 takes the likeliest token.
    pub(crate) temperature: f32,
    pub(crate) top_p: f32,
    /// 0 or less: off.
    pub(crate) top_k: i32,
    pub(crate) min_p: f32,
    /// None: drawn for each answer.
    pub(crate) seed: Option<u32>,
    pub(crate) frequency_penalty: f32,
    pub(crate) presence_penalty: f32,
    pub(crate) repetition_penalty: f32,
    pub(crate) bias: Vec<(Token, f32)>,
    /// Go on past the end-of-answer token; for benchmarks.
    pub(crate) ignore_end: bool,
}

/// One sequence to compute.
pub(crate) struct Job {
    /// Never empty, shorter than the context.
    pub(crate) prompt: Arc<[Token]>,
    pub(crate) sampling: Sampling,
    /// A grammar that the answer must follow.
    pub(crate) constraint: Option<Box<Matcher>>,
    pub(crate) max_tokens: u32,
    pub(crate) stops: Vec<String>,
    /// Log probabilities of the tokens, with this many alternatives.
    pub(crate) logprobs: Option<u8>,
    /// Text is sent as it comes; otherwise all of it before [`Event::End`].
    pub(crate) stream: bool,
    /// The sequence ends when the receiver is dropped.
    pub(crate) events: mpsc::Sender<Event>,
    /// The place in the line, given back when the job ends.
    pub(crate) _place: OwnedSemaphorePermit,
}

/// Texts to embed.
pub(crate) struct EmbedJob {
    /// None of them empty, none longer than the context.
    pub(crate) inputs: Vec<Vec<Token>>,
    /// One vector of length 1 per input. The work ends when the receiver is dropped.
    pub(crate) reply: oneshot::Sender<Result<Vec<Vec<f32>>, Problem>>,
    pub(crate) _place: OwnedSemaphorePermit,
}

/// What becomes of a [`Job`].
pub(crate) enum Event {
    Text {
        text: String,
        logprobs: Vec<TokenLogprob>,
    },
    End(End),
    Failed(Problem),
}

/// How a sequence ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) reason: FinishReason,
    /// Prompt tokens that were still in a slot's memory.
    pub(crate) cached: u32,
    /// Tokens drawn, the end-of-answer token included (as llama.cpp and vLLM count).
    pub(crate) completion: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FinishReason {
    Stop,
    Length,
    ToolCalls,
}

/// A token that was drawn, with its log probability before any bias or penalty.
#[derive(Clone, PartialEq)]
pub(crate) struct TokenLogprob {
    pub(crate) bytes: Vec<u8>,
    pub(crate) logprob: f32,
    pub(crate) top: Vec<(Vec<u8>, f32)>,
}

enum Command {
    Generate(Box<Job>),
    Embed(EmbedJob),
}

/// The way to the engine's thread. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Handle {
    commands: SyncSender<Command>,
    places: Arc<Semaphore>,
    stop: Arc<AtomicBool>,
}

/// The thread's own end of [`Handle`].
pub(crate) struct Inbox {
    commands: Receiver<Command>,
    stop: Arc<AtomicBool>,
}

/// Events of one sequence that may wait for a slow reader; past that the sequence pauses. A token is one event.
pub(crate) const EVENTS: usize = 32;
/// How often a paused sequence looks whether its reader has caught up, when nothing else is to do.
const STALL_CHECK: Duration = Duration::from_millis(5);
/// Answers that may wait beside those that run. At 70 tokens/s more than this would wait for minutes.
pub(crate) const WAITING: usize = 64;

/// The two ends of the line, for `parallel` sequences at once.
pub(crate) fn line(parallel: usize) -> (Handle, Inbox) {
    // Every command holds at least one place, so the channel cannot be full.
    let places = parallel + WAITING;
    let (sender, receiver) = sync_channel(places);
    let stop = Arc::new(AtomicBool::new(false));
    let handle = Handle {
        commands: sender,
        places: Arc::new(Semaphore::new(places)),
        stop: Arc::clone(&stop),
    };
    (
        handle,
        Inbox {
            commands: receiver,
            stop,
        },
    )
}

/// Serves the line until [`Handle::stop`] or until every handle is gone. Blocks; for a thread of its own.
pub(crate) fn run(runner: impl Runner, slots: usize, inbox: &Inbox) {
    let mut scheduler = Scheduler::new(runner, slots);
    while !inbox.stop.load(Ordering::Relaxed) {
        if !inbox.drain(&mut scheduler) {
            return;
        }
        let received = match scheduler.step() {
            Step::Worked => continue,
            Step::Stalled => inbox.commands.recv_timeout(STALL_CHECK),
            Step::Idle => inbox.commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match received {
            Ok(command) => scheduler.take(command),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

// === impl Inbox ===

impl Inbox {
    /// Hands over what has arrived; false when nobody can send any more.
    fn drain(&self, scheduler: &mut Scheduler<impl Runner>) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(command) => scheduler.take(command),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }
}

// === impl Handle ===

impl Handle {
    /// Takes `count` places in the line, one per sequence.
    pub(crate) fn places(&self, count: u32) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.places)
            .try_acquire_many_owned(count)
            .map_err(|_| Problem::new(Fault::Busy, "the engine is busy and its waiting line is full"))
    }

    pub(crate) fn generate(&self, job: Job) -> Result<(), Problem> {
        self.send(Command::Generate(Box::new(job)))
    }

    pub(crate) fn embed(&self, job: EmbedJob) -> Result<(), Problem> {
        self.send(Command::Embed(job))
    }

    /// Ends the thread after the step that it is in. Open jobs end without [`Event::End`].
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn send(&self, command: Command) -> Result<(), Problem> {
        self.commands.try_send(command).map_err(|_| Problem::internal())
    }
}

// === impl Sampling ===

impl Default for Sampling {
    /// llama.cpp's own defaults: a small model at temperature 1 without them wanders off.
    fn default() -> Self {
        Self {
            temperature: 0.8,
            top_p: 0.95,
            top_k: 40,
            min_p: 0.05,
            seed: None,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            repetition_penalty: 1.0,
            bias: Vec::new(),
            ignore_end: false,
        }
    }
}

// === impl FinishReason ===

impl FinishReason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
        }
    }
}
