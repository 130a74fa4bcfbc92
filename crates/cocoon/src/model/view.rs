//! A pull as a person sees it: a bar on a terminal, lines elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use cocoon_models::{Event, Model, Progress};
use indicatif::{ProgressBar, ProgressStyle};

use super::{name_of, size};

/// Shows the events of one pull on stderr.
#[derive(Debug)]
pub(crate) struct PullView {
    title: String,
    started: bool,
    /// On a terminal.
    bar: Option<ProgressBar>,
    /// Elsewhere: the last tenth that was told, and when.
    told: (u64, Option<Instant>),
}

/// How often a line tells of bytes when the size is not known.
const QUIET: Duration = Duration::from_secs(10);
const STYLE: &str = "  {bar:30} {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left  {msg}";

// === impl PullView ===

impl PullView {
    pub(crate) fn for_model(model: &Model) -> Self {
        let size = match model {
            Model::Entry(entry) => entry.size.map(|bytes| format!(" ({})", size(bytes))),
            Model::File(_) => None,
        };
        let title = format!("fetching {}{}", name_of(model), size.unwrap_or_default());
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(STYLE).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::no_length().with_style(style);
            // Nothing is drawn before the first byte: a model that is here needs no bar.
            bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
            bar
        });
        Self {
            title,
            started: false,
            bar,
            told: (0, None),
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        let write = || {
            // Nobody is left to tell when stderr is gone.
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn bytes(&mut self, what: &'static str, done: u64, total: Option<u64>) {
        if let Some(bar) = &self.bar {
            if bar.is_hidden() {
                bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
            }
            // A continued download starts where the last one ended; the rate must not count those bytes.
            if bar.message() != what || bar.position() > done {
                bar.set_message(what);
                bar.reset();
                bar.set_position(done);
                bar.reset_eta();
            }
            bar.set_length(total.unwrap_or(done));
            bar.set_position(done);
            return;
        }
        let tenth = total
            .filter(|total| *total > 0)
            .map(|total| done.saturating_mul(10) / total);
        let (last, when) = self.told;
        let due = match tenth {
            Some(tenth) => tenth > last && what.is_empty(),
            None => when.is_none_or(|when| when.elapsed() >= QUIET),
        };
        if due {
            self.told = (tenth.unwrap_or(0), Some(Instant::now()));
            let of = total.map_or(String::new(), |total| format!(" of {}", size(total)));
            self.line(&format!("  {}{of}", size(done)));
        }
    }
}

impl Progress for PullView {
    fn on(&mut self, event: Event<'_>) {
        if !std::mem::replace(&mut self.started, true) {
            self.line(&self.title);
        }
        match event {
            Event::Bytes { done, total } => self.bytes("", done, total),
            Event::Unpacking { done, total } => self.bytes("unpacking", done, total),
            Event::Checking { done, total } => self.bytes("checking", done, Some(total)),
            other => {
                self.told = (0, None);
                self.line(&format!("  {other}"));
            }
        }
    }
}
