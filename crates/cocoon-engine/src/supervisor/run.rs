//! The supervisor's task.

use std::time::Duration;

use tokio::process::{ChildStderr, ChildStdout};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, interval_at, sleep, timeout};

use super::backoff::Backoff;
use super::child::{Process, read_ready};
use super::lines::Lines;
use super::{BuiltInOptions, EngineState};
use crate::Engine;

/// Questions after its health that may go unanswered, one after another.
const MISSES: u32 = 3;

/// How long the last words of a dead program, or its exit status, are waited for.
const AFTERMATH: Duration = Duration::from_millis(500);

/// How one life of the program ended.
enum End {
    /// The supervisor was told to stop.
    Stop,
    /// Why the program must be started again.
    Failed(String),
}

pub(super) async fn supervise(
    options: BuiltInOptions,
    engine: Engine,
    state: watch::Sender<EngineState>,
    mut stop: oneshot::Receiver<()>,
) {
    let mut backoff = Backoff::default();
    loop {
        let started = Instant::now();
        state.send_replace(EngineState::Starting);
        let End::Failed(reason) = live(&options, &engine, &state, &mut stop).await else {
            break;
        };
        let pause = backoff.after(started.elapsed());
        let failures = backoff.failures();
        tracing::warn!(%reason, failures, ?pause, "the built-in engine is down and is started again after the pause");
        state.send_replace(EngineState::Down { reason, failures });
        tokio::select! {
            _ = &mut stop => break,
            () = sleep(pause) => {}
        }
    }
    state.send_replace(EngineState::Stopped);
}

/// One life of the program, from its start until it has ended.
async fn live(
    options: &BuiltInOptions,
    engine: &Engine,
    state: &watch::Sender<EngineState>,
    stop: &mut oneshot::Receiver<()>,
) -> End {
    let (mut process, stdout, stderr) = match Process::start(options) {
        Ok(started) => started,
        Err(reason) => return End::Failed(reason),
    };
    let mut last_words = String::new();
    // The program's talk is read to its end, so that it never blocks on its reader.
    let mut talk = Box::pin(forward(stderr, &mut last_words));
    let mut talks = true;
    let end = {
        let pid = process.pid();
        let mut serving = Box::pin(serve(options, engine, state, pid, stdout));
        let mut dying = Box::pin(process.ended());
        loop {
            tokio::select! {
                _ = &mut *stop => break End::Stop,
                reason = &mut dying => break End::Failed(reason),
                reason = &mut serving => break End::Failed(reason),
                () = &mut talk, if talks => talks = false,
            }
        }
    };
    state.send_replace(match end {
        End::Stop => EngineState::Stopped,
        End::Failed(_) => EngineState::Starting,
    });
    let mut ending = Box::pin(process.end(options.grace));
    loop {
        tokio::select! {
            () = &mut ending => break,
            () = &mut talk, if talks => talks = false,
        }
    }
    if talks {
        let _ = timeout(AFTERMATH, &mut talk).await;
    }
    drop(talk);
    match end {
        End::Failed(reason) if !last_words.is_empty() => {
            End::Failed(format!("{reason}; it last said: {last_words}"))
        }
        end => end,
    }
}

/// Waits for the ready line, then asks after the engine's health; comes back with what is wrong.
async fn serve(
    options: &BuiltInOptions,
    engine: &Engine,
    state: &watch::Sender<EngineState>,
    pid: u32,
    stdout: ChildStdout,
) -> String {
    let mut lines = Lines::new(stdout);
    let started = Instant::now();
    match read_ready(&mut lines, pid, started + options.start_deadline).await {
        Ok(ready) => {
            tracing::info!(pid, listening = %ready.listening, took = ?started.elapsed(), "the built-in engine serves");
            state.send_replace(EngineState::Ready(ready));
        }
        Err(reason) => {
            // When the program died, its exit status says more.
            sleep(AFTERMATH).await;
            return reason;
        }
    }
    tokio::select! {
        reason = watch_health(options, engine) => reason,
        never = drain(lines) => match never {},
    }
}

async fn watch_health(options: &BuiltInOptions, engine: &Engine) -> String {
    let mut ticks = interval_at(Instant::now() + options.health_interval, options.health_interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut misses = 0;
    while misses < MISSES {
        ticks.tick().await;
        misses = if engine.health().await { 0 } else { misses + 1 };
    }
    format!("it did not answer {MISSES} times")
}

/// Whatever else the program prints has no reader; it must not block on that.
async fn drain(mut lines: Lines<ChildStdout>) -> std::convert::Infallible {
    while lines.next().await.is_some() {}
    std::future::pending().await
}

/// Hands the program's talk to the log. The program promises to put nothing of a prompt or an answer there.
async fn forward(stderr: ChildStderr, last_words: &mut String) {
    let mut lines = Lines::new(stderr);
    while let Some(line) = lines.next().await {
        if !line.is_empty() {
            tracing::debug!(target: "cocoon_engine::built_in", "{line}");
            *last_words = line;
        }
    }
}
