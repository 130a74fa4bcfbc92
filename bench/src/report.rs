//! The figures, for people and for programs.

use std::{fmt, fs, io::Write as _, path::Path};

use serde::Serialize;

use crate::{
    cell::{Cell, Kind},
    load::Run,
};

/// The roles whose CPU is the cost of a request; a ledger is a node of its own.
const ROLES: [&str; 3] = ["client", "proxy", "worker"];

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    cpus: usize,
    parts: usize,
    paid: bool,
    cells: Vec<Measured>,
}

/// One cell.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) cell: Cell,
    pub(crate) direct: Figures,
    /// By the peer's name.
    pub(crate) through: Vec<(String, Figures)>,
}

/// Of one run. Times are in microseconds.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Figures {
    answers: usize,
    failed: usize,
    why: Option<String>,
    per_second: f64,
    p50_us: u64,
    p99_us: u64,
    first_p50_us: u64,
    roles: Vec<Role>,
}

/// A process of a peer.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Role {
    pub(crate) name: String,
    /// Per answer.
    pub(crate) cpu_us: f64,
    pub(crate) memory_mib: f64,
}

pub(crate) fn say(text: &str) {
    // Nobody is left to be told of a closed pipe.
    let _ = writeln!(std::io::stdout(), "{text}");
}

// === impl Figures ===

impl Figures {
    pub(crate) fn of(run: &Run, roles: Vec<Role>) -> Self {
        let at = |times: &[u64], hundredths: usize| {
            let last = times.len().saturating_sub(1);
            times
                .get(last.saturating_mul(hundredths) / 100)
                .copied()
                .unwrap_or_default()
        };
        Self {
            answers: run.answers,
            failed: run.failed,
            why: run.why.clone(),
            per_second: run.answers as f64 / run.seconds,
            p50_us: at(&run.whole, 50),
            p99_us: at(&run.whole, 99),
            first_p50_us: at(&run.first, 50),
            roles,
        }
    }

    /// The run in the middle by CPU, or by rate where none was counted. Failures of all of them stay.
    pub(crate) fn median(mut runs: Vec<Self>) -> Self {
        let key = |run: &Self| {
            if run.roles.is_empty() {
                run.per_second
            } else {
                run.cost()
            }
        };
        runs.sort_by(|one, other| key(one).total_cmp(&key(other)));
        let failed = runs.iter().map(|run| run.failed).sum();
        let why = runs.iter().find_map(|run| run.why.clone());
        let middle = runs.get(runs.len() / 2).cloned().unwrap_or_default();
        Self {
            failed,
            why,
            ..middle
        }
    }

    /// CPU per answer, over the roles; over everything for a peer without roles.
    fn cost(&self) -> f64 {
        let ours = self
            .roles
            .iter()
            .filter(|role| ROLES.contains(&role.name.as_str()));
        let ours: f64 = ours.map(|role| role.cpu_us).sum();
        if ours > 0.0 {
            ours
        } else {
            self.roles.iter().map(|role| role.cpu_us).sum()
        }
    }

    fn role(&self, name: &str) -> f64 {
        let roles = self.roles.iter().filter(|role| role.name == name);
        roles.map(|role| role.cpu_us).sum()
    }
}

// === impl Report ===

impl Report {
    pub(crate) fn new(no_money: bool, parts: usize) -> Self {
        Self {
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            parts,
            paid: !no_money,
            cells: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, measured: Measured) {
        self.cells.push(measured);
    }

    /// Whether every answer was whole.
    pub(crate) fn is_whole(&self) -> bool {
        let through = self.cells.iter().flat_map(|cell| &cell.through);
        through.map(|(_, figures)| figures.failed).sum::<usize>() == 0
    }

    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(fs::write(path, serde_json::to_vec_pretty(self)?)?)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paid = if self.paid { "paid" } else { "without payments" };
        writeln!(
            f,
            "{} CPUs, {} parts, {paid}; CPU in µs per answer, times in ms",
            self.cpus, self.parts
        )?;
        writeln!(
            f,
            "{:<12} {:<10} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "cell",
            "through",
            "client",
            "proxy",
            "worker",
            "sum",
            "per part",
            "direct/s",
            "through/s",
            "+p50",
            "+p99",
            "+first"
        )?;
        for measured in &self.cells {
            let direct = &measured.direct;
            for (name, figures) in &measured.through {
                let added = |one: u64, other: u64| (one as f64 - other as f64) / 1000.0;
                let per_part = match measured.cell.kind {
                    Kind::Json => "-".to_owned(),
                    Kind::Stream | Kind::Paced => {
                        format!("{:.1}", figures.cost() / measured.cell.parts as f64)
                    }
                };
                writeln!(
                    f,
                    "{:<12} {name:<10} {:>8.0} {:>8.0} {:>8.0} {:>8.0} {per_part:>8} {:>9.0} {:>9.0} {:>9.2} {:>9.2} {:>9.2}",
                    measured.cell.to_string(),
                    figures.role("client"),
                    figures.role("proxy"),
                    figures.role("worker"),
                    figures.cost(),
                    direct.per_second,
                    figures.per_second,
                    added(figures.p50_us, direct.p50_us),
                    added(figures.p99_us, direct.p99_us),
                    added(figures.first_p50_us, direct.first_p50_us),
                )?;
                if let Some(why) = &figures.why {
                    writeln!(f, "  {} answers were not whole: {why}", figures.failed)?;
                }
            }
        }
        let last = self.cells.last().and_then(|cell| cell.through.first());
        for role in last.into_iter().flat_map(|(_, figures)| &figures.roles) {
            writeln!(f, "memory of {}: {:.0} MiB", role.name, role.memory_mib)?;
        }
        Ok(())
    }
}
