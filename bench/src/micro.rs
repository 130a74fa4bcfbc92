//! The inner loops alone: matching with many workers, the codec of a part, accounting without its journal.

use std::{fmt::Write as _, hint::black_box, num::NonZeroU32, time::Instant};

use anyhow::Context as _;
use bytes::Bytes;
use cocoon_accounting::{Accounts, ClientState, Policy, Prices, Record, Seen, Terms, Tx};
use cocoon_matching::{Endpoints, Offer, Table, Wanted, WorkerId};
use cocoon_tl::{TlObject as _, v3};
use cocoon_types::{
    Address, Coefficient, Endpoint, ModelName, Multipliers, Nanoton, RequestId, Tier, TierPolicy,
};

/// Proxies with so many workers of one model.
const WORKERS: [u64; 4] = [10, 100, 1000, 10_000];
/// A part as an engine sends it.
const PART: usize = 170;

/// A table of nanoseconds.
pub(crate) fn table() -> anyhow::Result<String> {
    let mut text = String::new();
    writeln!(text, "{:<44} {:>10}", "", "ns each")?;
    for workers in WORKERS {
        let ns = choose(workers)?;
        writeln!(
            text,
            "{:<44} {ns:>10.0}",
            format!("choose, begin and end with {workers} workers")
        )?;
    }
    let (write, read) = part();
    writeln!(text, "{:<44} {write:>10.0}", "write a part of 170 bytes")?;
    writeln!(text, "{:<44} {read:>10.0}", "read it")?;
    writeln!(
        text,
        "{:<44} {:>10.0}",
        "reserve and settle, in memory",
        account()?
    )?;
    Ok(text)
}

/// Nanoseconds of one turn, over enough turns to be worth believing.
fn time(turns: u32, mut turn: impl FnMut(u64)) -> f64 {
    let warm = u64::from(turns / 10);
    (0..warm).for_each(&mut turn);
    let start = Instant::now();
    (warm..warm.saturating_add(u64::from(turns))).for_each(&mut turn);
    start.elapsed().as_secs_f64() * 1e9 / f64::from(turns)
}

/// Prices and loads differ, as they do in a network.
fn choose(workers: u64) -> anyhow::Result<f64> {
    let mut table = Table::new();
    for number in 0..workers {
        let offer = Offer {
            model: ModelName::new("m")?,
            endpoints: Endpoint::ALL.into_iter().collect::<Endpoints>(),
            tier: Tier::Confidential,
            coefficient: Coefficient::new(u32::try_from(500 + number % 64)?).context("a price")?,
            capacity: NonZeroU32::new(8).context("a capacity")?,
            enabled: true,
            plaintext: false,
        };
        table.insert(WorkerId(number), offer)?;
    }
    let wanted = Wanted {
        model: "m",
        endpoint: Endpoint::ChatCompletions,
        tier: TierPolicy::CONFIDENTIAL,
        max_coefficient: Coefficient::ONE,
        plaintext: false,
        excluded: &[],
    };
    // Half of the places are taken.
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut running = std::collections::VecDeque::new();
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for _ in 0..workers.saturating_mul(4) {
        if let Ok(choice) = table.choose(&wanted, next()) {
            table.start(choice.worker)?;
            running.push_back(choice.worker);
        }
    }
    Ok(time(100_000, |_| {
        if let Ok(choice) = black_box(table.choose(&wanted, next()))
            && table.start(choice.worker).is_ok()
        {
            running.push_back(choice.worker);
        }
        if let Some(oldest) = running.pop_front() {
            table.finish(oldest);
        }
    }))
}

fn part() -> (f64, f64) {
    let data = Bytes::from(vec![b'x'; PART]);
    let part = |number: u64| v3::Part {
        stream: i64::try_from(number).unwrap_or_default(),
        data: data.clone(),
    };
    let write = time(200_000, |number| {
        black_box(part(number).to_boxed());
    });
    let bytes = part(1).to_boxed();
    let read = time(200_000, |_| {
        let _ = black_box(v3::Part::from_boxed(bytes.clone()));
    });
    (write, read)
}

fn account() -> anyhow::Result<f64> {
    let (contract, client, worker) = (
        Address::new([1; 32]),
        Address::new([2; 32]),
        Address::new([3; 32]),
    );
    let terms = Terms {
        contract,
        params_version: 1,
        prices: Prices::new(Nanoton::new(20), Nanoton::new(19), Multipliers::ONE)?,
        proxy_delay: 3600,
        client_delay: 600,
    };
    let mut accounts = Accounts::new();
    let apply = |accounts: &mut Accounts, record: Record| accounts.apply(&record);
    let opened = accounts.open(terms, 1)?;
    apply(&mut accounts, opened)?;
    let session = accounts.start_session([5; 32], 2)?.0;
    apply(&mut accounts, session)?;
    let tx = |lt| Tx { lt, hash: [4; 32] };
    for record in accounts
        .commit_seen(contract, tx(1), true, (1, [5; 32]), 3)
        .records
    {
        apply(&mut accounts, record)?;
    }
    let seen = Seen {
        contract,
        tx: tx(2),
        sender: client,
        owner: client,
        derived: client,
        state: ClientState {
            balance: Nanoton::new(u64::MAX / 4),
            stake: Nanoton::new(u64::MAX / 4),
            ..ClientState::default()
        },
    };
    for record in accounts.client_seen(seen, 4).records {
        apply(&mut accounts, record)?;
    }
    let policy = Policy {
        unsecured_limit: Nanoton::new(u64::MAX / 4),
        ..Policy::default()
    };
    let mut failed = 0_u32;
    let ns = time(100_000, |number| {
        let mut id = [0; 32];
        for (byte, digit) in id.iter_mut().zip(number.to_le_bytes()) {
            *byte = digit;
        }
        let request = RequestId(id);
        let reserved = accounts.reserve(client, request, 100, &policy, 5);
        let settled = reserved.is_ok_and(|record| accounts.apply(&record).is_ok()) && {
            let settled = Record::Settled {
                request,
                client,
                worker,
                tokens: 70,
                at: 6,
            };
            accounts.apply(&settled).is_ok()
        };
        failed += u32::from(!settled);
    });
    anyhow::ensure!(failed == 0, "{failed} requests could not be accounted for");
    Ok(ns)
}
