//! Holds the crate graph to the direction of DESIGN section 8: PURE <- TRANSPORT <- ROLES <- binary, never sideways
//! between roles, and PURE without I/O. Reads the manifests and the lock file, so it needs no cargo.
//!
//! WHEN CHANGING: a new crate gets its row in [`LAYERS`]; a new edge gets its line in `layers.golden` by
//! `UPDATE_GOLDEN=1 cargo test -p cocoon-testkit --test layers`, where a reviewer sees it.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be read fails it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Pure,
    Transport,
    Role,
    Binary,
    /// Named by nobody but dev-dependencies and the `cocoon` binary.
    Test,
}

const LAYERS: &[(&str, Layer)] = &[
    ("cocoon", Layer::Binary),
    ("cocoon-accounting", Layer::Pure),
    ("cocoon-attest", Layer::Pure),
    ("cocoon-chain", Layer::Transport),
    ("cocoon-client", Layer::Role),
    ("cocoon-contracts", Layer::Pure),
    ("cocoon-engine", Layer::Transport),
    ("cocoon-engine-llama", Layer::Binary),
    ("cocoon-link", Layer::Transport),
    ("cocoon-matching", Layer::Pure),
    ("cocoon-models", Layer::Transport),
    ("cocoon-openai", Layer::Pure),
    ("cocoon-original", Layer::Transport),
    ("cocoon-proxy", Layer::Role),
    ("cocoon-seal", Layer::Pure),
    ("cocoon-store", Layer::Transport),
    ("cocoon-tee", Layer::Transport),
    ("cocoon-testkit", Layer::Test),
    ("cocoon-tl", Layer::Pure),
    ("cocoon-trust", Layer::Transport),
    ("cocoon-types", Layer::Pure),
    ("cocoon-web", Layer::Transport),
    ("cocoon-worker", Layer::Role),
];

/// What brings sockets, files, tasks, clocks or randomness; no PURE crate may reach one, not even through others.
const IMPURE: &[&str] = &[
    "async-io",
    "async-std",
    "axum",
    "chrono",
    "fastrand",
    "getrandom",
    "h2",
    "hyper",
    "hyper-util",
    "jiff",
    "mio",
    "nix",
    "rand",
    "reqwest",
    "rustix",
    "rustls-native-certs",
    "smol",
    "socket2",
    "tempfile",
    "tokio",
    "tokio-rustls",
    "tokio-stream",
    "tokio-util",
    "tower-http",
    "ureq",
    "uuid",
];

/// Edges that are forgiven, and what for.
const FORGIVEN: &[(&str, &str)] = &[
    // Cells come from tycho-types; keys of its hash tables are random, which nothing that it returns depends on.
    ("ahash", "getrandom"),
    // Reads dates; its clock is behind a feature that is off.
    ("dcap-qvl", "chrono"),
    // An optional backend that the lock file names and nobody builds (deny.toml bans it).
    ("dcap-qvl-webpki", "ring"),
];

/// Run only while something is built; the lock file does not tell them from what is linked.
const BUILD_TOOLS: &[&str] = &["bindgen", "cc", "cmake"];

/// As [`IMPURE`], in the standard library, looked for in the sources of PURE crates outside their tests.
const IMPURE_STD: &[&str] = &[
    "std::env",
    "std::fs",
    "TcpListener",
    "TcpStream",
    "ToSocketAddrs",
    "UdpSocket",
    "std::process",
    "std::thread",
    "SystemTime::now",
    "Instant::now",
    "aws_lc_rs::rand",
    "SystemRandom",
];

/// A crate of the workspace.
struct Crate {
    dir: PathBuf,
    layer: Layer,
    /// Ordinary and build dependencies, those of single targets and optional ones included.
    normal: BTreeSet<String>,
    dev: BTreeSet<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn table_of(path: &Path) -> Table {
    let text = std::fs::read_to_string(path).unwrap();
    text.parse()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names of the packages in one dependency table; `package = ".."` wins over the key.
fn names(table: Option<&Value>) -> BTreeSet<String> {
    let entries = table.and_then(Value::as_table).into_iter().flatten();
    let name = |(key, value): (&String, &Value)| {
        value
            .get("package")
            .and_then(Value::as_str)
            .unwrap_or(key)
            .to_owned()
    };
    entries.map(name).collect()
}

fn dependencies(manifest: &Table, kinds: &[&str]) -> BTreeSet<String> {
    let targets = manifest
        .get("target")
        .and_then(Value::as_table)
        .into_iter()
        .flat_map(Table::values);
    let tables = std::iter::once(manifest).chain(targets.filter_map(Value::as_table));
    tables
        .flat_map(|table| kinds.iter().flat_map(|kind| names(table.get(*kind))))
        .collect()
}

fn workspace() -> BTreeMap<String, Crate> {
    let layers: BTreeMap<_, _> = LAYERS.iter().copied().collect();
    let mut crates = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let dir = entry.unwrap().path();
        let manifest = table_of(&dir.join("Cargo.toml"));
        let name = manifest["package"]["name"].as_str().unwrap().to_owned();
        assert_eq!(
            Some(name.as_str()),
            dir.file_name().and_then(|name| name.to_str()),
            "directory = package"
        );
        let layer = *layers
            .get(name.as_str())
            .unwrap_or_else(|| panic!("{name} has no layer: see LAYERS"));
        let normal = dependencies(&manifest, &["dependencies", "build-dependencies"]);
        let dev = dependencies(&manifest, &["dev-dependencies"]);
        crates.insert(
            name,
            Crate {
                dir,
                layer,
                normal,
                dev,
            },
        );
    }
    assert_eq!(
        crates.len(),
        LAYERS.len(),
        "LAYERS names a crate that is not there"
    );
    crates
}

/// Why `from` may not depend on `to`, if so.
fn objection(from: Layer, to: Layer, from_name: &str) -> Option<&'static str> {
    match (from, to) {
        (_, Layer::Test) if from_name != "cocoon" => {
            Some("only dev-dependencies and `cocoon` name test crates")
        }
        (_, Layer::Binary) => Some("nothing depends on a binary"),
        (Layer::Role, Layer::Role) => Some("roles do not know each other"),
        (from, to) if to > from && to != Layer::Test => Some("a lower layer does not know a higher one"),
        _ => None,
    }
}

#[test]
fn dependencies_point_downwards() {
    let crates = workspace();
    let mut wrong = String::new();
    for (name, one) in &crates {
        for (other, to) in one
            .normal
            .iter()
            .filter_map(|other| Some((other, crates.get(other)?)))
        {
            if let Some(why) = objection(one.layer, to.layer, name) {
                writeln!(
                    wrong,
                    "{name} ({:?}) -> {other} ({:?}): {why}",
                    one.layer, to.layer
                )
                .unwrap();
            }
        }
        // Tests may look sideways, but a PURE crate stays testable without the network around it.
        for (other, to) in one
            .dev
            .iter()
            .filter_map(|other| Some((other, crates.get(other)?)))
        {
            if one.layer == Layer::Pure && to.layer != Layer::Pure {
                writeln!(wrong, "{name} (Pure) -> {other} ({:?}) in tests", to.layer).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn the_graph_is_the_agreed_one() {
    let crates = workspace();
    let line = |(name, one): (&String, &Crate)| {
        let ours: Vec<_> = one
            .normal
            .iter()
            .filter(|other| crates.contains_key(*other))
            .cloned()
            .collect();
        let layer = format!("{:?}", one.layer).to_uppercase();
        format!("{layer} {name}: {}", ours.join(" "))
            .trim_end()
            .to_owned()
    };
    let mut lines: Vec<_> = crates.iter().map(line).collect();
    lines.sort_unstable();
    let graph = lines.join("\n") + "\n";
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layers.golden");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &graph).unwrap();
    }
    let agreed = std::fs::read_to_string(&golden).unwrap_or_default();
    let hint = "the graph changed; when that is meant, run this test with UPDATE_GOLDEN=1";
    assert!(graph == agreed, "{hint}\n--- now\n{graph}--- agreed\n{agreed}");
}

#[test]
fn pure_crates_reach_nothing_impure() {
    let lock = table_of(&root().join("Cargo.lock"));
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in lock["package"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap().to_owned();
        let dependencies = package
            .get("dependencies")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        // `name` or `name version`; versions of one name are taken together.
        let names = dependencies.filter_map(|text| Some(text.as_str()?.split(' ').next()?.to_owned()));
        edges.entry(name).or_default().extend(names);
    }
    let crates = workspace();
    let mut wrong = String::new();
    for (name, one) in crates.iter().filter(|(_, one)| one.layer == Layer::Pure) {
        let mut seen = BTreeSet::new();
        let mut paths: Vec<Vec<&str>> = one.normal.iter().map(|first| vec![first.as_str()]).collect();
        while let Some(path) = paths.pop() {
            let last = *path.last().unwrap();
            // In the lock file a crate of ours has its dev-dependencies too; it is looked at in its own turn.
            if !seen.insert(last) || crates.contains_key(last) || BUILD_TOOLS.contains(&last) {
                continue;
            }
            if IMPURE.contains(&last) {
                writeln!(wrong, "{name} -> {}", path.join(" -> ")).unwrap();
            }
            let onward = edges.get(last).into_iter().flatten();
            for next in onward.filter(|next| !FORGIVEN.contains(&(last, next.as_str()))) {
                paths.push(path.iter().copied().chain([next.as_str()]).collect());
            }
        }
    }
    assert!(wrong.is_empty(), "PURE crates reach I/O:\n{wrong}");
}

#[test]
fn pure_crates_do_no_io_themselves() {
    let mut wrong = String::new();
    for (name, one) in workspace().iter().filter(|(_, one)| one.layer == Layer::Pure) {
        let mut files = Vec::new();
        sources(&one.dir.join("src"), &mut files);
        assert!(!files.is_empty(), "{name} has no source");
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
            for (number, line) in shipped.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                for word in IMPURE_STD.iter().filter(|word| code.contains(**word)) {
                    writeln!(wrong, "{}:{}: {word}", file.display(), number + 1).unwrap();
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "PURE crates take what they need as arguments:\n{wrong}"
    );
}

fn sources(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() && name != "tests" {
            sources(&path, files);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            files.push(path);
        }
    }
}

#[test]
fn the_rules_object_to_what_they_should() {
    use Layer::{Binary, Pure, Role, Test, Transport};
    let refused = [
        (Pure, Transport),
        (Pure, Role),
        (Transport, Role),
        (Role, Role),
        (Role, Binary),
        (Binary, Binary),
        (Role, Test),
    ];
    for (from, to) in refused {
        assert!(objection(from, to, "cocoon-x").is_some(), "{from:?} -> {to:?}");
    }
    let allowed = [
        (Pure, Pure),
        (Transport, Pure),
        (Transport, Transport),
        (Role, Transport),
        (Binary, Role),
        (Test, Role),
    ];
    for (from, to) in allowed {
        assert_eq!(objection(from, to, "cocoon-x"), None, "{from:?} -> {to:?}");
    }
    assert_eq!(objection(Binary, Test, "cocoon"), None);
}
