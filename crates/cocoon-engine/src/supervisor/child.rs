//! One life of the engine's program.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, timeout, timeout_at};

use super::lines::Lines;
use super::{BuiltInOptions, ReadyEngine};

/// The running program. Dropping it kills its whole process group.
pub(super) struct Process {
    child: Child,
    pid: u32,
    /// Held open: the program ends itself when this closes, however the worker goes.
    stdin: Option<ChildStdin>,
    reaped: bool,
}

/// What the program prints when it can serve.
#[derive(Deserialize)]
struct ReadyLine {
    listening: SocketAddr,
    model: String,
    context_length: u32,
}

impl Process {
    /// Starts the program in a process group of its own, so that a Ctrl-C in the terminal reaches only the worker,
    /// which then ends things in order.
    pub(super) fn start(options: &BuiltInOptions) -> Result<(Self, ChildStdout, ChildStderr), String> {
        let mut command = Command::new(&options.binary);
        command
            .arg("--model")
            .arg(&options.model)
            .args(["--listen", "127.0.0.1:0", "--exit-with-stdin", "--alias"])
            .arg(&options.alias);
        let numbers = [
            ("--threads", options.threads.map(u32::from)),
            ("--parallel", options.parallel.map(u32::from)),
            ("--context", options.context),
        ];
        for (flag, value) in numbers {
            if let Some(value) = value {
                command.arg(flag).arg(value.to_string());
            }
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let cannot =
            |error: std::io::Error| format!("{} cannot be started: {error}", options.binary.display());
        let mut child = command.spawn().map_err(cannot)?;
        let pid = child.id().unwrap_or(0);
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("invariant: asked for a pipe");
        let stderr = child.stderr.take().expect("invariant: asked for a pipe");
        let process = Self {
            child,
            pid,
            stdin,
            reaped: false,
        };
        Ok((process, stdout, stderr))
    }

    /// The program's own end.
    pub(super) async fn ended(&mut self) -> String {
        let status = self.child.wait().await;
        self.reaped = true;
        describe(status)
    }

    /// Asks the program to end by closing its input, then kills it and whatever it has started.
    pub(super) async fn end(mut self, grace: Duration) {
        drop(self.stdin.take());
        if !self.reaped && timeout(grace, self.ended()).await.is_err() {
            tracing::warn!(
                pid = self.pid,
                "the built-in engine did not end by itself and is killed"
            );
            self.kill();
            // The kernel needs a moment, never long.
            let _ = timeout(Duration::from_secs(5), self.ended()).await;
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Kills the group: the program, if it lives, and whatever it started.
    fn kill(&self) {
        let group = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Once the program was waited for, the number could belong to another process.
        if !self.reaped {
            self.kill();
        }
    }
}

/// Reads the line that says that the program serves.
///
/// # Errors
/// A sentence for a person.
pub(super) async fn read_ready(
    stdout: &mut Lines<ChildStdout>,
    pid: u32,
    deadline: Instant,
) -> Result<ReadyEngine, String> {
    let line = timeout_at(deadline, stdout.next()).await;
    let line = line.map_err(|_| "it did not come up in time".to_owned())?;
    let line = line.ok_or("it ended before it could serve")?;
    let ready: ReadyLine =
        serde_json::from_str(&line).map_err(|_| "its first line is not the one that was agreed")?;
    if !ready.listening.ip().is_loopback() {
        return Err("it listens on an address that is not loopback".into());
    }
    Ok(ReadyEngine {
        listening: ready.listening,
        model: ready.model,
        context_length: ready.context_length,
        pid,
    })
}

fn describe(status: std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => format!("it ended ({status})"),
        Err(error) => format!("it could not be waited for: {error}"),
    }
}
