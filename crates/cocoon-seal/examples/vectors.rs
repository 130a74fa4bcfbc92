//! Writes the test vectors of docs/sealing.md to `tests/vectors`.
#![expect(clippy::unwrap_used, reason = "a tool: what fails here fails it")]

#[path = "../tests/it/make.rs"]
mod make;
#[path = "../tests/it/support.rs"]
mod support;

fn main() -> std::io::Result<()> {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    std::fs::create_dir_all(&directory)?;
    for (name, vector) in make::vectors() {
        let text = serde_json::to_string_pretty(&vector).unwrap() + "\n";
        std::fs::write(directory.join(name), text)?;
    }
    Ok(())
}
