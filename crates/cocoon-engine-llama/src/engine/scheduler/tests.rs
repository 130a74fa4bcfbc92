use std::sync::Arc;

use llguidance::Matcher;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::*;
use crate::engine::{EVENTS, End, Event, FinishReason, Sampled, Sampling, TokenLogprob};

/// A model whose next token is the last one plus one; [`END`] ends. Checks what llama.cpp would abort on.
#[derive(Default)]
struct Counting {
    memory: Vec<Vec<Token>>,
    last: Vec<Row>,
    runs: usize,
    rows: usize,
    copies: usize,
    fail: bool,
    forgets_wholly: bool,
    embedded: Vec<Token>,
}

const CONTEXT: usize = 300;
const END: Token = 1000;

impl Runner for &mut Counting {
    type Sampler = ();

    fn context_length(&self) -> usize {
        CONTEXT
    }

    fn sampler(&self, _: &Sampling, _: Option<Box<Matcher>>) {}

    fn truncate(&mut self, slot: usize, keep: usize) -> usize {
        let keep = if self.forgets_wholly { 0 } else { keep };
        self.memory[slot].truncate(keep);
        keep
    }

    fn copy(&mut self, from: usize, to: usize) -> bool {
        assert_ne!(from, to);
        self.copies += 1;
        self.memory[to] = self.memory[from].clone();
        true
    }

    fn run(&mut self, rows: &[Row]) -> Result<(), RunError> {
        self.rows += rows.len();
        assert!((1..=MAX_ROWS).contains(&rows.len()));
        self.runs += 1;
        if self.fail {
            return Err(RunError::Decode);
        }
        for row in rows {
            assert_eq!(row.position, self.memory[row.slot].len(), "positions follow on");
            assert!(row.position < CONTEXT);
            self.memory[row.slot].push(row.token);
        }
        self.last = rows.to_vec();
        Ok(())
    }

    fn sample(&mut self, (): &mut (), row: usize) -> Result<Sampled, RunError> {
        assert!(self.last[row].output);
        Ok(Sampled {
            token: self.last[row].token + 1,
            complete: false,
        })
    }

    fn logprob(&self, _: usize, token: Token, _: u8) -> TokenLogprob {
        TokenLogprob {
            bytes: token.to_string().into_bytes(),
            logprob: -0.5,
            top: Vec::new(),
        }
    }

    fn is_end(&self, token: Token) -> bool {
        token == END
    }

    fn piece(&self, token: Token, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(format!("{token} ").as_bytes());
    }

    fn embedding_width(&self) -> usize {
        2
    }

    fn embed(&mut self, tokens: &[Token], position: usize, sum: &mut [f32]) -> Result<(), RunError> {
        assert!(tokens.len() <= MAX_ROWS);
        if position == 0 {
            self.embedded.clear();
        }
        assert_eq!(position, self.embedded.len());
        self.embedded.extend(tokens);
        sum[0] += 3.0 * tokens.len() as f32;
        sum[1] += 4.0 * tokens.len() as f32;
        Ok(())
    }
}

fn counting(slots: usize) -> Counting {
    Counting {
        memory: vec![Vec::new(); slots],
        ..Counting::default()
    }
}

fn place() -> OwnedSemaphorePermit {
    Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap()
}

struct Call {
    prompt: Vec<Token>,
    max_tokens: u32,
    stops: Vec<String>,
    stream: bool,
    logprobs: Option<u8>,
}

fn call(prompt: impl IntoIterator<Item = Token>, max_tokens: u32) -> Call {
    Call {
        prompt: prompt.into_iter().collect(),
        max_tokens,
        stops: Vec::new(),
        stream: true,
        logprobs: None,
    }
}

impl Call {
    fn start(self, scheduler: &mut Scheduler<impl Runner>) -> mpsc::Receiver<Event> {
        let (events, receiver) = mpsc::channel(EVENTS);
        scheduler.take(Command::Generate(Box::new(Job {
            prompt: self.prompt.into(),
            sampling: Sampling::default(),
            constraint: None,
            max_tokens: self.max_tokens,
            stops: self.stops,
            logprobs: self.logprobs,
            stream: self.stream,
            events,
            _place: place(),
        })));
        receiver
    }
}

/// Everything that a channel holds: text and the end.
fn read(receiver: &mut mpsc::Receiver<Event>) -> (String, Option<End>) {
    let (mut all, mut last) = (String::new(), None);
    while let Ok(event) = receiver.try_recv() {
        match event {
            Event::Text { text, .. } => all.push_str(&text),
            Event::End(end) => last = Some(end),
            Event::Failed(problem) => panic!("{problem}"),
        }
    }
    (all, last)
}

fn run_dry(scheduler: &mut Scheduler<impl Runner>) {
    while scheduler.step() == Step::Worked {}
}

fn end(reason: FinishReason, cached: u32, completion: u32) -> Option<End> {
    Some(End {
        reason,
        cached,
        completion,
    })
}

#[test]
fn sequences_share_batches() {
    let mut runner = counting(2);
    let mut scheduler = Scheduler::new(&mut runner, 2);
    let mut first = call([10, 11], 5).start(&mut scheduler);
    let mut second = call([20], 5).start(&mut scheduler);
    run_dry(&mut scheduler);
    assert_eq!(
        read(&mut first),
        ("12 13 14 15 16 ".into(), end(FinishReason::Length, 0, 5))
    );
    assert_eq!(
        read(&mut second),
        ("21 22 23 24 25 ".into(), end(FinishReason::Length, 0, 5))
    );
    assert_eq!(scheduler.step(), Step::Idle);
    drop(scheduler);
    assert_eq!(runner.runs, 5, "both in the same batches");
}

#[test]
fn the_end_token_ends_and_counts() {
    let mut runner = counting(1);
    let mut scheduler = Scheduler::new(&mut runner, 1);
    let mut events = call([END - 3], 50).start(&mut scheduler);
    run_dry(&mut scheduler);
    assert_eq!(
        read(&mut events),
        ("998 999 ".into(), end(FinishReason::Stop, 0, 3))
    );
}

#[test]
fn a_stop_string_across_tokens_ends_without_being_sent() {
    let mut runner = counting(1);
    let mut scheduler = Scheduler::new(&mut runner, 1);
    let mut request = call([10], 50);
    request.stops = vec!["3 14".into()];
    request.logprobs = Some(0);
    let mut events = request.start(&mut scheduler);
    run_dry(&mut scheduler);
    assert_eq!(
        read(&mut events),
        ("11 12 1".into(), end(FinishReason::Stop, 0, 4))
    );
}

#[test]
fn a_repeated_beginning_is_taken_from_the_slot() {
    let mut runner = counting(1);
    let mut scheduler = Scheduler::new(&mut runner, 1);
    let mut first = call([10, 11, 12], 3).start(&mut scheduler);
    run_dry(&mut scheduler);
    assert_eq!(read(&mut first).1, end(FinishReason::Length, 0, 3));
    // The same again: all but the last token, which must be computed anew.
    let mut again = call([10, 11, 12], 3).start(&mut scheduler);
    run_dry(&mut scheduler);
    assert_eq!(
        read(&mut again),
        ("13 14 15 ".into(), end(FinishReason::Length, 2, 3))
    );
    // The conversation goes on: prompt, answer (its last token was never computed), and more.
    let mut next = call([10, 11, 12, 13, 14, 15, 30], 1).start(&mut scheduler);
    run_dry(&mut scheduler);
    assert_eq!(read(&mut next), ("31 ".into(), end(FinishReason::Length, 5, 1)));
}

#[test]
fn a_model_that_forgets_only_wholly_computes_everything() {
    let mut runner = counting(1);
    runner.forgets_wholly = true;
    let mut scheduler = Scheduler::new(&mut runner, 1);
    for _ in 0..2 {
        let mut events = call([10, 11, 12], 2).start(&mut scheduler);
        run_dry(&mut scheduler);
        assert_eq!(
            read(&mut events),
            ("13 14 ".into(), end(FinishReason::Length, 0, 2))
        );
    }
}

#[test]
fn a_common_beginning_is_computed_once_and_copied() {
    let mut runner = counting(4);
    let mut scheduler = Scheduler::new(&mut runner, 4);
    let mut all: Vec<_> = (0..4)
        .map(|i| call((0..280).chain([500 + i * 10]), 2).start(&mut scheduler))
        .collect();
    run_dry(&mut scheduler);
    for (i, events) in (0..).zip(&mut all) {
        let first = 501 + i * 10;
        let text = format!("{first} {} ", first + 1);
        assert_eq!(
            read(events),
            (text, end(FinishReason::Length, if i == 0 { 0 } else { 256 }, 2))
        );
    }
    drop(scheduler);
    assert_eq!(
        (runner.copies, runner.rows),
        (3, 281 + 3 * 25 + 4),
        "after the first piece of 256 a copy saves enough"
    );
}

#[test]
fn a_short_common_beginning_is_not_worth_a_copy() {
    let mut runner = counting(2);
    let mut scheduler = Scheduler::new(&mut runner, 2);
    let mut all: Vec<_> = (0..2)
        .map(|i| call((0..63).chain([500 + i * 10]), 1).start(&mut scheduler))
        .collect();
    run_dry(&mut scheduler);
    for events in &mut all {
        assert_eq!(read(events).1, end(FinishReason::Length, 0, 1));
    }
    drop(scheduler);
    assert_eq!(runner.copies, 0);
}

#[test]
fn a_full_context_ends_with_length() {
    let mut runner = counting(1);
    let mut scheduler = Scheduler::new(&mut runner, 1);
    let mut request = call(0..298, 1000);
    request.stream = false;
    let mut events = request.start(&mut scheduler);
    run_dry(&mut scheduler);
    let (text, last) = read(&mut events);
    assert_eq!(last, end(FinishReason::Length, 0, 3));
    assert_eq!(text, "298 299 300 ");
}

#[test]
fn long_prompts_go_in_pieces_and_let_others_speak() {
    let mut runner = counting(2);
    let mut scheduler = Scheduler::new(&mut runner, 2);
    let mut talking = call([500], 100).start(&mut scheduler);
    scheduler.step();
    let mut long = call(0..299, 1).start(&mut scheduler);
    let mut steps = 0;
    while long.try_recv().is_err() {
        scheduler.step();
        steps += 1;
        let (text, _) = read(&mut talking);
        assert!(!text.is_empty(), "every step answers the one that is talking");
    }
    assert_eq!(steps, 299usize.div_ceil(SHARED_CHUNK));
}

#[test]
fn more_requests_than_slots_wait_their_turn() {
    let mut runner = counting(2);
    let mut scheduler = Scheduler::new(&mut runner, 2);
    let mut all: Vec<_> = (0..7).map(|i| call([i * 50], 4).start(&mut scheduler)).collect();
    run_dry(&mut scheduler);
    for (i, events) in (0..).zip(&mut all) {
        let first = i * 50;
        let (text, last) = read(events);
        assert_eq!(last, end(FinishReason::Length, 0, 4));
        assert!(text.starts_with(&format!("{} ", first + 1)), "{text}");
    }
}

#[test]
fn who_leaves_is_dropped_at_once_running_or_waiting() {
    let mut runner = counting(1);
    let mut scheduler = Scheduler::new(&mut runner, 1);
    let running = call([10], 1000).start(&mut scheduler);
    let waiting = call([20], 1000).start(&mut scheduler);
    let mut patient = call([30], 2).start(&mut scheduler);
    scheduler.step();
    drop((running, waiting));
    scheduler.step();
    scheduler.step();
    assert_eq!(
        read(&mut patient),
        ("31 32 ".into(), end(FinishReason::Length, 0, 2))
    );
    assert_eq!(scheduler.step(), Step::Idle);
}

#[test]
fn a_slow_reader_pauses_only_itself_and_loses_nothing() {
    let mut runner = counting(2);
    let mut scheduler = Scheduler::new(&mut runner, 2);
    let mut slow = call([0], 100).start(&mut scheduler);
    let mut quick = call([500], 200).start(&mut scheduler);
    let mut heard = String::new();
    for _ in 0..200 {
        scheduler.step();
        heard.push_str(&read(&mut quick).0);
    }
    assert_eq!(heard.split_whitespace().count(), 200, "the quick one is done");
    assert_eq!(scheduler.step(), Step::Stalled);
    assert!(slow.len() >= EVENTS - 2 && slow.len() <= EVENTS);
    let (mut text, mut last) = (String::new(), None);
    while last.is_none() {
        let (more, ended) = read(&mut slow);
        text.push_str(&more);
        last = ended;
        scheduler.step();
    }
    let expected: Vec<String> = (1..=100).map(|i| i.to_string()).collect();
    assert_eq!(text.split_whitespace().collect::<Vec<_>>(), expected);
}

#[test]
fn without_streaming_text_comes_once() {
    let mut runner = counting(1);
    let mut scheduler = Scheduler::new(&mut runner, 1);
    let mut request = call([0], 100);
    request.stream = false;
    let mut events = request.start(&mut scheduler);
    run_dry(&mut scheduler);
    assert_eq!(events.len(), 2);
    assert!(read(&mut events).0.ends_with(" 100 "));
}

#[test]
fn a_failed_batch_fails_its_sequences_and_the_next_works() {
    let mut runner = counting(1);
    runner.fail = true;
    let mut scheduler = Scheduler::new(&mut runner, 1);
    let mut events = call([10], 4).start(&mut scheduler);
    scheduler.step();
    assert!(matches!(events.try_recv(), Ok(Event::Failed(_))));
    assert_eq!(scheduler.step(), Step::Idle);
    scheduler.runner.fail = false;
    let mut next = call([10], 1).start(&mut scheduler);
    run_dry(&mut scheduler);
    assert_eq!(read(&mut next), ("11 ".into(), end(FinishReason::Length, 0, 1)));
}

#[test]
fn places_come_back_however_a_job_ends() {
    let line = Arc::new(Semaphore::new(3));
    let mut runner = counting(1);
    let mut scheduler = Scheduler::new(&mut runner, 1);
    let mut receivers: Vec<_> = (0..3).map(|i| call([i * 100], 2).start(&mut scheduler)).collect();
    for job in &mut scheduler.waiting {
        job._place = Arc::clone(&line).try_acquire_owned().unwrap();
    }
    assert_eq!(line.available_permits(), 0);
    receivers.pop();
    run_dry(&mut scheduler);
    assert_eq!(line.available_permits(), 3);
}

#[test]
fn embeddings_go_in_pieces_between_answers() {
    let mut runner = counting(1);
    let mut scheduler = Scheduler::new(&mut runner, 1);
    let (reply, mut vectors) = oneshot::channel();
    let inputs = vec![(0..290).collect(), vec![7]];
    scheduler.take(Command::Embed(EmbedJob {
        inputs,
        reply,
        _place: place(),
    }));
    let mut events = call([10], 3).start(&mut scheduler);
    run_dry(&mut scheduler);
    assert_eq!(vectors.try_recv().unwrap().unwrap(), [[0.6, 0.8], [0.6, 0.8]]);
    assert_eq!(read(&mut events).1, end(FinishReason::Length, 0, 3));
}
