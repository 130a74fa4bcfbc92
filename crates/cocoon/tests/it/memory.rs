//! The proxy never has a prompt or an answer: its memory, its open files, its database and its logs are searched while it
//! serves and after. The same search finds both in the worker, so that the search is worth something.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use memchr::memmem::Finder;
use serde_json::json;

use crate::network::{Up, nap};
use crate::workers::Canned;

/// Planted in a prompt; nobody else writes it.
const PROMPT: &str = "xylophone-9b2c-in-a-prompt";

/// Read at a time from a process, in bytes.
const CHUNK: usize = 1 << 20;

/// Whether the bytes are anywhere in what this process may read of its own memory.
fn in_memory(pid: u32, wanted: &str) -> bool {
    let finder = Finder::new(wanted);
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut buffer = vec![0; CHUNK + wanted.len()];
    let mut searched = 0;
    for line in maps.lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        if !rest.starts_with('r') || rest.contains("[v") {
            continue;
        }
        let (from, until) = range.split_once('-').unwrap();
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        let (mut at, until) = (number(from), number(until));
        while at < until {
            // What is not there any more, or is a device, cannot be read.
            let Ok(read) = memory.read_at(&mut buffer, at) else {
                break;
            };
            searched += read;
            if finder.find(&buffer[..read]).is_some() {
                return true;
            }
            if read <= wanted.len() {
                break;
            }
            // With an overlap, so that nothing hides between two reads.
            at += u64::try_from(read - wanted.len() + 1).unwrap();
        }
    }
    assert!(
        searched > 1 << 20,
        "the memory of {pid} was read: {searched} bytes"
    );
    false
}

/// The ordinary files that a process has open.
fn open_files(pid: u32) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let targets = entries.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    targets.filter(|path| path.is_file()).collect()
}

fn in_file(path: &Path, wanted: &str) -> bool {
    std::fs::read(path).is_ok_and(|bytes| Finder::new(wanted).find(&bytes).is_some())
}

fn files_below(dir: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files_below(&path, all);
        } else {
            all.push(path);
        }
    }
}

/// Nothing of it with the proxy, nor in any file of the network.
fn assert_clean(up: &Up, proxy: u32, wanted: &str, when: &str) {
    assert!(
        !in_memory(proxy, wanted),
        "{wanted}: in the proxy's memory {when}"
    );
    for path in open_files(proxy) {
        assert!(!in_file(&path, wanted), "{wanted}: in {} {when}", path.display());
    }
    let mut files = Vec::new();
    files_below(up.dir.path(), &mut files);
    assert!(files.len() > 10, "database, logs and configuration are there");
    for path in files {
        assert!(!in_file(&path, wanted), "{wanted}: in {} {when}", path.display());
    }
}

#[test]
fn a_planted_prompt_is_nowhere_in_the_proxy_and_in_the_worker_it_is() {
    let canned = Canned::start();
    let mut up = Up::start(&["--log", "trace", "up", "--engine", &canned.url]);
    let api = up.ready().api;
    let proxy = up.roles("proxy")[0].pid;
    let worker = up.roles("worker")[0].pid;
    let body = |prompt: &str, pace: u32| {
        json!({
            "model": canned.model(), "stream": true, "x_parts": 40, "x_pace_ms": pace,
            "messages": [{"role": "user", "content": prompt}],
        })
    };
    // Statements, offers and the account take a moment.
    up.wait_until("a sealed answer", |_| canned.post(&api, &body("hello", 0)).whole);

    // While it is served.
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| canned.post(&api, &body(PROMPT, 200)));
        while !canned.saw(PROMPT) {
            nap();
        }
        assert!(in_memory(worker, PROMPT), "the search finds it where it is");
        assert_clean(&up, proxy, PROMPT, "while it is served");
        assert!(asking.join().unwrap().text.contains("[DONE]"));
    });
    // And after.
    assert_clean(&up, proxy, PROMPT, "after it was served");
    up.interrupt();
    let mut files = Vec::new();
    files_below(up.dir.path(), &mut files);
    assert!(files.iter().all(|path| !in_file(path, PROMPT)));
}
