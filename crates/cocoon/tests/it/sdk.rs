//! The unmodified `openai` packages for Python and Node (suites in `tests/sdk`).

use std::process::Command;

use crate::network::{Up, root};
use crate::workers::Canned;

#[test]
fn the_openai_packages_for_python_and_node() {
    let prepared = Command::new(root().join("tests/sdk/prepare")).status().unwrap();
    assert!(
        prepared.success(),
        "the SDKs could not be installed (python3 with venv, npm and a package registry are needed)"
    );
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    let sdk = target.join("sdk");

    let canned = Canned::start();
    let up = Up::start(&["up", "--engine", &canned.url, "--workers", "2"]);
    let suites = [
        (
            sdk.join("python/bin/python"),
            vec![root().join("tests/sdk/python/test_openai.py")],
        ),
        (
            "node".into(),
            vec!["--test".into(), root().join("tests/sdk/node/openai.test.mjs")],
        ),
    ];
    for (program, arguments) in suites {
        let output = Command::new(&program)
            .args(&arguments)
            .env("COCOON_SDK_API", up.ready().api)
            .env("COCOON_SDK_MODEL", canned.model())
            .env("COCOON_SDK_NODE", sdk.join("node"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{program:?}:\n{said}\n{}", up.log());
    }
}
