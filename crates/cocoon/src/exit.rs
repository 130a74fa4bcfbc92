//! Outcomes to exit codes, and errors to words with a hint.

use std::process::ExitCode;

use crate::text::say;

/// The asked-for thing was refused or failed.
pub(crate) const FAILED: u8 = 1;
/// The command line or the configuration is wrong (clap exits with the same code).
pub(crate) const USAGE: u8 = 2;

/// An error that carries an exit code and a line that says what to do about it.
#[derive(Debug)]
pub(crate) struct Hinted {
    code: u8,
    message: String,
    hint: Option<String>,
}

impl Hinted {
    /// Something that was asked for failed; the hint says what to do.
    pub(crate) fn failed(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
        Self {
            code: FAILED,
            message: message.into(),
            hint: Some(hint.into()),
        }
        .into()
    }

    /// The configuration is wrong.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
        Self {
            code: USAGE,
            message: message.into(),
            hint: Some(hint.into()),
        }
        .into()
    }
}

impl std::fmt::Display for Hinted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hinted {}

/// Prints `error: …`, its causes and the hint to stderr and gives the exit code.
pub(crate) fn report(error: anyhow::Error) -> ExitCode {
    let hinted = error.chain().find_map(|cause| cause.downcast_ref::<Hinted>());
    say!("error: {error}");
    let mut shown = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !shown.contains(&cause) {
            say!("  caused by: {cause}");
        }
        shown = cause;
    }
    if let Some(hint) = hinted.and_then(|hinted| hinted.hint.as_deref()) {
        say!("hint: {hint}");
    }
    ExitCode::from(hinted.map_or(FAILED, |hinted| hinted.code))
}
