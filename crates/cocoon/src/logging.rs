use std::io::IsTerminal as _;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// How this process logs; always to stderr, never any content of a request.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogArgs {
    /// Which log lines: a level (error, warn, info, debug, trace) or a filter such as `cocoon_link=debug,info`.
    #[arg(
        long = "log",
        global = true,
        env = "COCOON_LOG",
        default_value = "info",
        value_name = "FILTER"
    )]
    pub(crate) filter: String,
    /// How log lines look.
    #[arg(
        long,
        global = true,
        env = "COCOON_LOG_FORMAT",
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub(crate) log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One readable line each.
    Text,
    /// One JSON object each.
    Json,
}

impl LogArgs {
    /// The same choice as flags, for a child process.
    pub(crate) fn as_flags(&self) -> [String; 4] {
        let format = match self.log_format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        [
            "--log".to_owned(),
            self.filter.clone(),
            "--log-format".to_owned(),
            format.to_owned(),
        ]
    }
}

/// Starts logging; a filter that cannot be read falls back to `info` and says so.
pub(crate) fn init(args: &LogArgs) {
    let (filter, complaint) = match EnvFilter::try_new(&args.filter) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match args.log_format {
        LogFormat::Text => builder
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .init(),
        LogFormat::Json => builder.json().init(),
    }
    if let Some(error) = complaint {
        tracing::warn!(%error, "the log filter cannot be read; using `info`");
    }
}
