//! `docs/how-to/money.md`, run as that page says: each line of its ```sh blocks, in order.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::network::{COCOON, nap, root, signal};
use crate::workers::Canned;

#[test]
fn the_page_works_as_written() {
    let canned = Canned::start();
    let dir = tempfile::tempdir().unwrap();
    let page = std::fs::read_to_string(root().join("docs/how-to/money.md")).unwrap();
    let mut lines = commands_of(&page).into_iter();
    assert_eq!(
        lines.next().as_deref(),
        Some("cocoon up"),
        "the page begins with a network"
    );
    // Nothing on the page depends on the engine; the canned one is there at once.
    let engine = ["up", "--engine", &canned.url, "--model", canned.model()];
    let mut up = Page {
        child: at_home(COCOON, dir.path()).args(engine).spawn().unwrap(),
    };
    let ready = dir.path().join("state/cocoon/up/ready.json");
    let deadline = Instant::now() + Duration::from_secs(90);
    while !ready.exists() {
        assert!(
            up.child.try_wait().unwrap().is_none() && Instant::now() < deadline,
            "`cocoon up` serves"
        );
        nap();
    }
    let mut ran = 0;
    for line in lines {
        let state = dir.path().join("state").display().to_string();
        let here = line
            .replace("~/.local/state", &state)
            .replacen("cocoon", COCOON, 1);
        let output = at_home("sh", dir.path()).args(["-c", &here]).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{line}\n{out}{err}");
        assert!(!out.trim().is_empty(), "{line} shows something: {err}");
        ran += 1;
    }
    assert!(ran >= 10, "the page's commands were found: {ran}");
    signal("INT", up.child.id());
    assert!(up.child.wait().unwrap().success());
}

struct Page {
    child: Child,
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn commands_of(page: &str) -> Vec<String> {
    let blocks = page.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
    lines.map(str::to_owned).collect()
}

/// A person with a home of its own.
fn at_home(program: &str, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(dir)
        .env("HOME", dir)
        .env("XDG_STATE_HOME", dir.join("state"))
        .stdin(Stdio::null());
    command
}
