//! `cocoon up` as a child of the test, and what the tests ask of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tempfile::TempDir;

pub(crate) const COCOON: &str = env!("CARGO_BIN_EXE_cocoon");
/// From the start of the process to its ready file, on a busy machine.
const READY: Duration = Duration::from_secs(90);

#[derive(Debug, Deserialize)]
pub(crate) struct Ready {
    pub(crate) api: String,
    pub(crate) roles: Vec<Role>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Role {
    pub(crate) role: String,
    pub(crate) pid: u32,
    pub(crate) url: String,
}

/// What the ready file says of a network with payments.
#[derive(Debug, Deserialize)]
pub(crate) struct Money {
    pub(crate) ledger: String,
    pub(crate) root: String,
    pub(crate) wallets: Vec<WalletEntry>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct WalletEntry {
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) file: String,
}

/// A running `cocoon up`; killed when dropped.
pub(crate) struct Up {
    pub(crate) child: Child,
    pub(crate) dir: TempDir,
}

impl Up {
    /// Starts a network of its own on free ports and waits until it serves.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), arguments)
    }

    pub(crate) fn start_in(dir: TempDir, arguments: &[&str]) -> Self {
        let log = File::options()
            .create(true)
            .append(true)
            .open(dir.path().join("up.log"))
            .unwrap();
        let child = Command::new(COCOON)
            .args(arguments)
            .arg("--dir")
            .arg(dir.path().join("state"))
            .arg("--ready-file")
            .arg(dir.path().join("ready.json"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut up = Self { child, dir };
        up.wait_until("the ready file is there", |up| up.ready_file().exists());
        up
    }

    pub(crate) fn ready(&self) -> Ready {
        serde_json::from_slice(&std::fs::read(self.ready_file()).unwrap()).unwrap()
    }

    pub(crate) fn money(&self) -> Money {
        serde_json::from_slice(&std::fs::read(self.ready_file()).unwrap()).unwrap()
    }

    pub(crate) fn roles(&self, role: &str) -> Vec<Role> {
        self.ready()
            .roles
            .into_iter()
            .filter(|entry| entry.role == role)
            .collect()
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.dir.path().join("up.log")).unwrap()).into_owned()
    }

    pub(crate) fn wait_until(&mut self, what: &str, mut met: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + READY;
        while !met(self) {
            assert!(
                self.child.try_wait().unwrap().is_none(),
                "`up` ended while waiting: {what}\n{}",
                self.log()
            );
            assert!(Instant::now() < deadline, "never came: {what}\n{}", self.log());
            nap();
        }
    }

    /// Every process of the network, engines included.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let mut pids = vec![self.child.id()];
        let mut next = 0;
        while let Some(pid) = pids.get(next).copied() {
            pids.extend(children(pid));
            next += 1;
        }
        pids
    }

    /// Ctrl-C, then waits for the end; the exit code.
    pub(crate) fn interrupt(&mut self) -> Option<i32> {
        signal("INT", self.child.id());
        let deadline = Instant::now() + Duration::from_secs(40);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "Ctrl-C did not end it\n{}", self.log());
            nap();
        }
    }

    fn ready_file(&self) -> PathBuf {
        self.dir.path().join("ready.json")
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn signal(name: &str, pid: u32) {
    assert!(
        Command::new("kill")
            .arg(format!("-{name}"))
            .arg(pid.to_string())
            .status()
            .unwrap()
            .success()
    );
}

/// Whether the process is there and not just waiting to be reaped.
pub(crate) fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .trim_start()
            .starts_with('Z')
    })
}

pub(crate) fn assert_gone(pids: &[u32]) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while pids.iter().any(|pid| is_alive(*pid)) {
        assert!(
            Instant::now() < deadline,
            "left behind: {:?}",
            pids.iter().filter(|pid| is_alive(**pid)).collect::<Vec<_>>()
        );
        nap();
    }
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<u32>>()
        })
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "a test's own thread")]
pub(crate) fn nap() {
    std::thread::sleep(Duration::from_millis(50));
}

/// Runs the program to its end: exit code, stdout, stderr.
pub(crate) fn cocoon(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(COCOON)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
