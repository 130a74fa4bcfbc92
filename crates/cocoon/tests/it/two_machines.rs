//! The configuration files of `docs/how-to/two-machines.md`, run as that page says, on three loopback addresses.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::network::{COCOON, cocoon, nap, root};
use crate::workers::Canned;

#[test]
fn the_page_works_as_written() {
    let canned = Canned::start_on([127, 0, 0, 3]);
    let dir = tempfile::tempdir().unwrap();
    let files = files_of_the_page();
    assert_eq!(
        files.iter().map(|file| file.0.as_str()).collect::<Vec<_>>(),
        ["proxy.toml", "worker.toml", "client.toml"]
    );
    let ports = FreePorts::new(&files, &canned);
    let mut machines = Vec::new();
    for (name, text) in &files {
        let path = dir.path().join(name);
        std::fs::write(&path, ports.apply(text)).unwrap();
        machines.push(Machine::start(name.trim_end_matches(".toml"), path));
    }
    let api = format!("http://{}/v1", ports.apply("127.0.0.1:10000"));
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let (code, out, err) = cocoon(&["chat", "--api", &api, "Hello"]);
        if code == Some(0) {
            assert!(!out.trim().is_empty());
            break;
        }
        assert!(Instant::now() < deadline, "{err}");
        nap();
    }
}

/// The page's ```toml blocks with the name that stands before each.
fn files_of_the_page() -> Vec<(String, String)> {
    let page = std::fs::read_to_string(root().join("docs/how-to/two-machines.md")).unwrap();
    let blocks = page.split("```toml\n").collect::<Vec<_>>();
    blocks
        .windows(2)
        .map(|pair| {
            let name = pair[0].trim_end().rsplit('`').nth(1).unwrap().to_owned();
            (name, pair[1].split("```").next().unwrap().to_owned())
        })
        .collect()
}

/// The page's usual ports may be taken on this machine: each gets a free one, the same in every file.
struct FreePorts(Vec<(String, String)>);

impl FreePorts {
    fn new(files: &[(String, String)], canned: &Canned) -> Self {
        let engine = (
            "127.0.0.3:8000".to_owned(),
            canned.url.trim_start_matches("http://").to_owned(),
        );
        let mut map = vec![engine];
        for address in files
            .iter()
            .flat_map(|file| file.1.split('"'))
            .filter(|text| text.starts_with("127."))
        {
            if !map.iter().any(|known| known.0 == address) {
                let host = address.split(':').next().unwrap();
                let free = std::net::TcpListener::bind((host, 0))
                    .unwrap()
                    .local_addr()
                    .unwrap();
                map.push((address.to_owned(), free.to_string()));
            }
        }
        Self(map)
    }

    fn apply(&self, text: &str) -> String {
        self.0
            .iter()
            .fold(text.to_owned(), |text, (usual, free)| text.replace(usual, free))
    }
}

struct Machine(Child);

impl Machine {
    fn start(role: &str, config: PathBuf) -> Self {
        let mut command = Command::new(COCOON);
        // Only the proof of work is left out: a debug build would search for it for seconds.
        if role == "proxy" {
            command.env("COCOON_PROXY_POW_DIFFICULTY", "0");
        }
        Self(
            command
                .arg(role)
                .arg("--config")
                .arg(config)
                .stdin(Stdio::null())
                .spawn()
                .unwrap(),
        )
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
