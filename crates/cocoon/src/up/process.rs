//! One child process kept alive: started, watched, restarted with back-off, stopped by the end of its stdin.
//!
//! The stdin pipe is what ties the tree together: when this process dies, even by signal 9, each child sees the end of
//! its stdin and stops. Children have a process group of their own, so that Ctrl-C reaches only the parent.

use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::exit::Hinted;
use crate::role::Announcement;

/// A child that says nothing for this long after its start is taken for stuck.
const ANNOUNCE_DEADLINE: Duration = Duration::from_secs(300);
/// Time to finish running requests; afterwards the child is killed.
const STOP_GRACE: Duration = Duration::from_secs(15);
/// A child that lived this long earns a fresh back-off.
const STEADY: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(300);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Starts in a row without one announcement, after which the network gives up.
const HOPELESS: u32 = 5;
/// For the last log lines of a child that ended.
const LAST_LINES: Duration = Duration::from_millis(500);
/// Longer log lines are cut into pieces of this size.
const LINE_LIMIT: u64 = 16 * 1024;

/// Builds the command of each start; the configuration file behind it may have been pinned since.
pub(super) type Recipe = Box<dyn Fn() -> Command + Send + Sync>;

#[derive(Debug)]
pub(super) struct Supervised {
    name: String,
    stop: CancellationToken,
    state: watch::Receiver<State>,
    tasks: JoinSet<()>,
}

/// The task behind one child.
struct Keeper {
    name: String,
    recipe: Recipe,
    state: watch::Sender<State>,
    changes: Arc<Notify>,
    stop: CancellationToken,
}

#[derive(Debug, Clone)]
enum State {
    Starting,
    Running(Arc<Announcement>),
    Hopeless(String),
}

// === impl Supervised ===

impl Supervised {
    /// Starts the child; `changes` is notified whenever it begins or ceases to serve.
    pub(super) fn start(name: impl Into<String>, recipe: Recipe, changes: Arc<Notify>) -> Self {
        let name = name.into();
        let (sender, state) = watch::channel(State::Starting);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let keeper = Keeper {
            name: name.clone(),
            recipe,
            state: sender,
            changes,
            stop: stop.clone(),
        };
        tasks.spawn(keeper.keep_alive());
        Self {
            name,
            stop,
            state,
            tasks,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What the running child announced; `None` while it is starting.
    pub(super) fn current(&self) -> Option<Arc<Announcement>> {
        match &*self.state.borrow() {
            State::Running(announcement) => Some(announcement.clone()),
            State::Starting | State::Hopeless(_) => None,
        }
    }

    /// Waits for the child to serve.
    pub(super) async fn announced(&self) -> anyhow::Result<Arc<Announcement>> {
        match self.await_state(|state| !matches!(state, State::Starting)).await {
            Some(State::Running(announcement)) => Ok(announcement),
            Some(State::Hopeless(reason)) => Err(self.failure(&reason)),
            Some(State::Starting) | None => Err(self.failure("its supervisor ended")),
        }
    }

    /// Resolves when the child cannot be kept alive.
    pub(super) async fn hopeless(&self) -> anyhow::Error {
        match self
            .await_state(|state| matches!(state, State::Hopeless(_)))
            .await
        {
            Some(State::Hopeless(reason)) => self.failure(&reason),
            _ => self.failure("its supervisor ended"),
        }
    }

    async fn await_state(&self, wanted: impl FnMut(&State) -> bool) -> Option<State> {
        self.state
            .clone()
            .wait_for(wanted)
            .await
            .ok()
            .map(|state| state.clone())
    }

    /// Asks the child to stop and waits; after the grace it is killed.
    pub(super) async fn stop(&mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }

    fn failure(&self, reason: &str) -> anyhow::Error {
        Hinted::failed(
            format!("{} cannot be kept running: {reason}", self.name),
            "its log lines above say why; --log debug shows more",
        )
    }
}

// === impl Keeper ===

impl Keeper {
    /// Starts the child again and again until stopped.
    async fn keep_alive(self) {
        let (mut pause, mut failures) = (FIRST_PAUSE, 0u32);
        loop {
            let started = Instant::now();
            let ended = self.live().await;
            if self.stop.is_cancelled() {
                return;
            }
            let announced = matches!(*self.state.borrow(), State::Running(_));
            failures = if announced { 0 } else { failures + 1 };
            let reason = ended.map_or_else(
                |error| format!("{error:#}"),
                |status| format!("it ended ({status})"),
            );
            if failures >= HOPELESS {
                self.enter(State::Hopeless(reason));
                return;
            }
            self.enter(State::Starting);
            pause = if started.elapsed() >= STEADY {
                FIRST_PAUSE
            } else {
                pause
            };
            tracing::warn!(role = %self.name, %reason, again_in = ?pause, "a process ended; starting it again");
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// One life of the child: from its start to its end.
    async fn live(&self) -> anyhow::Result<std::process::ExitStatus> {
        let mut command = (self.recipe)();
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .kill_on_drop(true)
            .process_group(0)
            .spawn()
            .context("it could not be started")?;
        let stdin = child.stdin.take();
        let (lines, mut announcements) = mpsc::channel(8);
        let mut readers = JoinSet::new();
        if let Some(stderr) = child.stderr.take() {
            readers.spawn(forward(self.name.clone(), stderr));
        }
        if let Some(stdout) = child.stdout.take() {
            readers.spawn(read_announcements(stdout, lines));
        }
        let deadline = tokio::time::sleep(ANNOUNCE_DEADLINE);
        tokio::pin!(deadline);
        let mut announced = false;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status.context("its end could not be read")?,
                Some(announcement) = announcements.recv() => {
                    announced = true;
                    self.enter(State::Running(Arc::new(announcement)));
                }
                () = &mut deadline, if !announced => {
                    drop(stdin);
                    end(&mut child).await?;
                    anyhow::bail!("it did not start serving within {} s", ANNOUNCE_DEADLINE.as_secs());
                }
                () = self.stop.cancelled() => {
                    drop(stdin);
                    break end(&mut child).await?;
                }
            }
        };
        // The last lines are often the reason.
        let last_lines = async { while readers.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_LINES, last_lines).await;
        Ok(status)
    }

    fn enter(&self, state: State) {
        self.state.send_replace(state);
        self.changes.notify_one();
    }
}

/// Waits for the child's end within the grace, then kills it.
async fn end(child: &mut Child) -> anyhow::Result<std::process::ExitStatus> {
    if let Ok(status) = tokio::time::timeout(STOP_GRACE, child.wait()).await {
        return status.context("its end could not be read");
    }
    child.kill().await.context("it could not be killed")?;
    child.wait().await.context("its end could not be read")
}

async fn read_announcements(stdout: impl AsyncRead + Unpin, lines: mpsc::Sender<Announcement>) {
    let mut reader = BufReader::new(stdout);
    while let Some(line) = next_line(&mut reader).await {
        if let Ok(announcement) = serde_json::from_slice(&line)
            && lines.send(announcement).await.is_err()
        {
            return;
        }
    }
}

/// Copies the child's log to ours, each line with the child's name.
async fn forward(name: String, stderr: impl AsyncRead + Unpin) {
    let mut reader = BufReader::new(stderr);
    while let Some(line) = next_line(&mut reader).await {
        let mut out = Vec::with_capacity(line.len() + name.len() + 5);
        out.extend_from_slice(format!("{name:<9}| ").as_bytes());
        out.extend_from_slice(&line);
        out.push(b'\n');
        let _ = std::io::stderr().write_all(&out);
    }
}

async fn next_line(reader: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let read = reader.take(LINE_LIMIT).read_until(b'\n', &mut line).await.ok()?;
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    (read > 0).then_some(line)
}
