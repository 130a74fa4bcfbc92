use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use clap::Args;

/// Cores for each thread by default: a thread serves some ten thousand requests a second, and waking a second one for work that the
/// first could do costs more than the work (docs/benchmarks.md). The other cores are the engine's, the journal's and the kernel's.
const CORES_PER_THREAD: usize = 4;

/// How many threads serve.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ThreadArgs {
    /// Threads that serve requests [default: one for every four cores].
    #[arg(long, global = true, env = "COCOON_THREADS", value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl ThreadArgs {
    pub(crate) fn number(self) -> usize {
        let by_cores = || available_parallelism().map_or(1, |cores| cores.get().div_ceil(CORES_PER_THREAD));
        self.threads.map_or_else(by_cores, NonZeroUsize::get)
    }

    /// The same choice as flags, for a child process.
    pub(crate) fn as_flags(self) -> Option<[String; 2]> {
        let threads = self.threads?;
        Some(["--threads".to_owned(), threads.to_string()])
    }
}
