//! One cell of the table: a kind of answer at so many at once.

use std::{fmt, time::Duration};

use clap::ValueEnum;
use serde::Serialize;

use crate::{
    load::{self, Run},
    network::Peer,
    report::{Figures, Measured, Role},
};

/// For connections to be opened and code to be warm.
const WARM_UP: Duration = Duration::from_millis(300);
/// For the last records to reach the disk.
const QUIET: Duration = Duration::from_millis(200);

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// One JSON answer
    Json,
    /// Parts that are there at once
    Stream,
    /// A part every 20 ms
    Paced,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Cell {
    pub(crate) kind: Kind,
    pub(crate) at_once: usize,
    pub(crate) parts: usize,
}

// === impl Cell ===

impl Cell {
    /// Those that are wanted; all of them where nothing is named.
    pub(crate) fn all(kinds: &[Kind], at_once: &[usize], parts: usize) -> Vec<Self> {
        let or = |wanted: &[Kind]| match wanted {
            [] => vec![Kind::Json, Kind::Stream, Kind::Paced],
            wanted => wanted.to_vec(),
        };
        let numbers = if at_once.is_empty() {
            &[1, 32, 256]
        } else {
            at_once
        };
        let cells = or(kinds).into_iter();
        cells
            .flat_map(|kind| numbers.iter().map(move |at_once| (kind, *at_once)))
            .map(|(kind, at_once)| Self { kind, at_once, parts })
            .collect()
    }

    /// Alternates between the engine and each peer. The figures are those of the round in the middle.
    pub(crate) async fn measure(
        &self,
        engine: &str,
        peers: &[Peer],
        length: Duration,
        rounds: usize,
    ) -> anyhow::Result<Measured> {
        let length = match self.kind {
            Kind::Paced => length * 3,
            Kind::Json | Kind::Stream => length,
        };
        let mut direct = Vec::new();
        let mut through: Vec<Vec<Figures>> = vec![Vec::new(); peers.len()];
        for _ in 0..rounds.max(1) {
            load::run(engine, *self, WARM_UP).await?;
            direct.push(Figures::of(&load::run(engine, *self, length).await?, Vec::new()));
            for (peer, figures) in peers.iter().zip(&mut through) {
                load::run(&peer.url, *self, WARM_UP).await?;
                let before: Vec<_> = peer.processes.iter().map(|process| process.cpu()).collect();
                let run = load::run(&peer.url, *self, length).await?;
                tokio::time::sleep(QUIET).await;
                let roles = peer.processes.iter().zip(before).map(|(process, before)| Role {
                    name: process.name.clone(),
                    cpu_us: per(process.cpu().saturating_sub(before), &run),
                    memory_mib: process.memory(),
                });
                figures.push(Figures::of(&run, roles.collect()));
            }
        }
        let names = peers.iter().map(|peer| peer.name.clone());
        Ok(Measured {
            cell: *self,
            direct: Figures::median(direct),
            through: names.zip(through.into_iter().map(Figures::median)).collect(),
        })
    }
}

/// Microseconds per answer.
fn per(cpu: Duration, run: &Run) -> f64 {
    cpu.as_secs_f64() * 1e6 / (run.answers.max(1) as f64)
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Json => "json",
            Kind::Stream => "stream",
            Kind::Paced => "paced",
        };
        write!(f, "{kind} x{}", self.at_once)
    }
}
