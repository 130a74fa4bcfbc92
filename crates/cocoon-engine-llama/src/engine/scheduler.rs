use std::collections::VecDeque;

use super::{
    Command, EmbedJob, Job, Row, RunError, Runner, Token,
    runner::MAX_ROWS,
    sequence::Sequence,
    slots::{Candidate, choose, common_prefix, worth_copying},
};
use crate::api::Problem;

/// Decides what each step computes. Pure bookkeeping around a [`Runner`].
pub(crate) struct Scheduler<R: Runner> {
    runner: R,
    slots: Vec<Slot<R::Sampler>>,
    /// Bounded by the places of the line.
    waiting: VecDeque<Box<Job>>,
    embeds: VecDeque<Embedding>,
    /// Counts admissions, for "least recently used".
    ticks: u64,
    rows: Vec<Row>,
}

/// Memory for one sequence, and what it holds.
struct Slot<S> {
    held: Vec<Token>,
    last_used: u64,
    active: Option<Sequence<S>>,
}

struct Embedding {
    job: EmbedJob,
    done: Vec<Vec<f32>>,
    position: usize,
    sum: Vec<f32>,
}

/// Where the beginning of a prompt can be copied from.
enum Donor {
    None,
    /// This slot holds so many tokens of it.
    Now((usize, usize)),
    /// A slot will, when its own prompt is computed.
    Later,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Worked,
    /// Every sequence waits for its reader.
    Stalled,
    Idle,
}

/// Prompt tokens per step while others are being answered: each of them waits that long for its next token.
const SHARED_CHUNK: usize = 64;

// === impl Scheduler ===

impl<R: Runner> Scheduler<R> {
    pub(crate) fn new(runner: R, slots: usize) -> Self {
        let slot = || Slot {
            held: Vec::new(),
            last_used: 0,
            active: None,
        };
        Self {
            runner,
            slots: std::iter::repeat_with(slot).take(slots).collect(),
            waiting: VecDeque::new(),
            embeds: VecDeque::new(),
            ticks: 0,
            rows: Vec::with_capacity(MAX_ROWS),
        }
    }

    pub(crate) fn take(&mut self, command: Command) {
        match command {
            Command::Generate(job) => self.waiting.push_back(job),
            Command::Embed(job) => self.embeds.push_back(Embedding {
                job,
                done: Vec::new(),
                position: 0,
                sum: Vec::new(),
            }),
        }
    }

    /// Computes one batch, and one piece of an embedding.
    pub(crate) fn step(&mut self) -> Step {
        self.drop_abandoned();
        self.admit();
        let embedded = self.embed();
        self.plan();
        if !self.rows.is_empty() {
            self.compute();
            return Step::Worked;
        }
        if embedded {
            Step::Worked
        } else if self.slots.iter().any(|slot| slot.active.is_some()) {
            Step::Stalled
        } else {
            Step::Idle
        }
    }

    fn drop_abandoned(&mut self) {
        self.waiting.retain(|job| !job.events.is_closed());
        self.embeds.retain(|embedding| !embedding.job.reply.is_closed());
        for slot in &mut self.slots {
            slot.active.take_if(|sequence| sequence.is_abandoned());
        }
    }

    /// Gives waiting jobs to free slots, first come first served.
    fn admit(&mut self) {
        while let Some(job) = self.waiting.front() {
            let free = self
                .slots
                .iter()
                .enumerate()
                .filter(|(_, slot)| slot.active.is_none());
            let candidates = free.map(|(index, slot)| Candidate {
                slot: index,
                held: &slot.held,
                last_used: slot.last_used,
            });
            let Some((index, common)) = choose(&job.prompt, candidates) else {
                return;
            };
            let donor = match self.donor(&job.prompt, common) {
                Donor::Later => return,
                Donor::Now(donor) => Some(donor),
                Donor::None => None,
            };
            let Some(job) = self.waiting.pop_front() else {
                return;
            };
            self.start(*job, index, common, donor);
        }
    }

    /// Another slot whose memory saves more than copying it costs.
    fn donor(&self, prompt: &[Token], common: usize) -> Donor {
        let shared = |other: &[Token]| common_prefix(prompt, other).min(prompt.len().saturating_sub(1));
        let worth = worth_copying(self.runner.context_length());
        let slots = self.slots.iter().enumerate();
        let best = slots.map(|(index, slot)| (shared(&slot.held), index)).max();
        let now = best.filter(|(shared, _)| *shared >= common + worth);
        // Somebody is just computing the same beginning (`n` answers to one prompt, a common system message): prompts are
        // computed one after the other, so nothing is lost by waiting for it.
        let have = now.map_or(common, |(shared, _)| shared);
        let computing = self.slots.iter().filter_map(|slot| {
            let prompt = &slot.active.as_ref()?.job.prompt;
            (slot.held.len() < prompt.len()).then_some(prompt)
        });
        if computing.into_iter().any(|other| shared(other) >= have + worth) {
            return Donor::Later;
        }
        now.map_or(Donor::None, |(shared, index)| Donor::Now((index, shared)))
    }

    /// Starts a job in a free slot that holds `common` tokens of its prompt.
    fn start(&mut self, mut job: Job, index: usize, common: usize, donor: Option<(usize, usize)>) {
        let mut keep = common;
        if let Some((from, shared)) = donor
            && self.runner.copy(from, index)
        {
            self.slots[index].held = self.slots[from].held.clone();
            keep = shared;
        }
        let kept = self.runner.truncate(index, keep).min(keep);
        let sampler = self.runner.sampler(&job.sampling, job.constraint.take());
        self.ticks += 1;
        let slot = &mut self.slots[index];
        slot.held.truncate(kept);
        slot.last_used = self.ticks;
        slot.active = Some(Sequence::new(job, sampler, kept, self.ticks));
    }

    /// Fills the batch: first one token of each sequence that is being answered, then prompts in order of arrival.
    fn plan(&mut self) {
        self.rows.clear();
        let mut prompts: Vec<(u64, usize)> = Vec::new();
        for (index, slot) in self.slots.iter().enumerate() {
            let Some(sequence) = &slot.active else { continue };
            match sequence.next {
                Some(token) if sequence.has_room() => self.rows.push(Row {
                    token,
                    position: slot.held.len(),
                    slot: index,
                    output: true,
                }),
                Some(_) => {}
                None => prompts.push((sequence.admitted, index)),
            }
        }
        let room = MAX_ROWS - self.rows.len();
        let mut budget = if self.rows.is_empty() {
            room
        } else {
            room.min(SHARED_CHUNK)
        };
        prompts.sort_unstable();
        for (_, index) in prompts {
            let slot = &self.slots[index];
            let Some(sequence) = &slot.active else { continue };
            let prompt = &sequence.job.prompt;
            let start = slot.held.len();
            let end = prompt.len().min(start + budget);
            budget -= end - start;
            self.rows.extend((start..end).map(|position| Row {
                token: prompt[position],
                position,
                slot: index,
                output: position + 1 == prompt.len(),
            }));
        }
    }

    fn compute(&mut self) {
        if let Err(error) = self.runner.run(&self.rows) {
            self.abandon_batch(error);
            return;
        }
        for (index, row) in self.rows.iter().enumerate() {
            let slot = &mut self.slots[row.slot];
            slot.held.push(row.token);
            let Some(sequence) = &mut slot.active else {
                continue;
            };
            sequence.next = None;
            if row.output && !sequence.draw(&mut self.runner, index, slot.held.len()) {
                slot.active = None;
            }
        }
    }

    /// A batch that failed leaves its slots in an unknown state: all of them start anew.
    fn abandon_batch(&mut self, error: RunError) {
        for row in &self.rows {
            let slot = &mut self.slots[row.slot];
            if let Some(mut sequence) = slot.active.take() {
                sequence.fail(error);
                self.runner.truncate(row.slot, 0);
                slot.held.clear();
            }
        }
    }

    /// Runs one piece of the oldest embedding job; false when there is none.
    fn embed(&mut self) -> bool {
        let Some(embedding) = self.embeds.front_mut() else {
            return false;
        };
        let shared = self.slots.iter().any(|slot| slot.active.is_some());
        let most = if shared { SHARED_CHUNK } else { MAX_ROWS };
        match embedding.advance(&mut self.runner, most) {
            Ok(false) => {}
            Ok(true) => {
                if let Some(done) = self.embeds.pop_front() {
                    let _ = done.job.reply.send(Ok(done.done));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "an embedding failed");
                if let Some(failed) = self.embeds.pop_front() {
                    let _ = failed.job.reply.send(Err(Problem::internal()));
                }
            }
        }
        true
    }
}

// === impl Embedding ===

impl Embedding {
    /// Runs at most `most` tokens of one input; true when every input is done.
    fn advance(&mut self, runner: &mut impl Runner, most: usize) -> Result<bool, RunError> {
        let Some(input) = self.job.inputs.get(self.done.len()) else {
            return Ok(true);
        };
        if self.position == 0 {
            self.sum = vec![0.0; runner.embedding_width()];
        }
        let end = input.len().min(self.position + most);
        runner.embed(&input[self.position..end], self.position, &mut self.sum)?;
        self.position = end;
        if end == input.len() {
            self.position = 0;
            self.done.push(unit(std::mem::take(&mut self.sum)));
        }
        Ok(self.done.len() == self.job.inputs.len())
    }
}

/// The vector's direction: a mean and a sum have the same.
fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    }
    vector
}

#[cfg(test)]
mod tests;
