//! Accounting operations per second with a durable journal: each is a reservation, which is written and not waited for,
//! and a settlement, which is. `cargo run --release -p cocoon-store --example operations [SECONDS] [AT ONCE]`
#![expect(clippy::print_stderr, reason = "it talks to a person")]

use std::{
    cell::RefCell,
    path::Path,
    rc::Rc,
    time::{Duration, Instant},
};

use cocoon_accounting::{Accounts, ClientState, Outcome, Policy, Prices, Record, Seen, Terms, Tx};
use cocoon_store::{Journal, JournalKey};
use cocoon_types::{Address, Multipliers, Nanoton, RequestId};
use tokio::{sync::Mutex, task::LocalSet};

const CONTRACT: Address = Address::new([1; 32]);
const CLIENT: Address = Address::new([2; 32]);
const WORKER: Address = Address::new([3; 32]);

/// The accounts and the journal, whose records go in the same order.
struct Books {
    accounts: RefCell<Accounts>,
    journal: Journal,
    turn: Mutex<()>,
}

impl Books {
    async fn apply(&self, make: impl FnOnce(&Accounts) -> Vec<Record>) -> cocoon_store::Flush {
        let _turn = self.turn.lock().await;
        let (first, records) = {
            let mut accounts = self.accounts.borrow_mut();
            let (first, records) = (accounts.applied(), make(&accounts));
            for record in &records {
                accounts.apply(record).expect("it follows");
            }
            accounts.flushed(*self.journal.flushed().borrow());
            (first, records)
        };
        self.journal
            .append(first, &records)
            .await
            .expect("the disk works")
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|text| text.parse().expect("a number"));
    let seconds = Duration::from_secs(arguments.next().unwrap_or(10));
    let at_once: u64 = arguments.next().unwrap_or(64);
    let home = std::env::current_dir()
        .expect("a directory")
        .join("target/operations");
    // What an earlier run left.
    let _ = std::fs::remove_dir_all(&home);
    let books = Rc::new(open(&home).await);
    let started = Instant::now();
    let tasks = LocalSet::new();
    let mut running = Vec::new();
    for asker in 0..at_once {
        let books = Rc::clone(&books);
        running.push(tasks.spawn_local(async move {
            let mut operations = 0u64;
            while started.elapsed() < seconds {
                one(&books, asker, operations).await;
                operations += 1;
            }
            operations
        }));
    }
    let mut operations = 0;
    tasks
        .run_until(async {
            for task in running {
                operations += task.await.expect("it ends");
            }
        })
        .await;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = operations as f64 / started.elapsed().as_secs_f64();
    eprintln!("{rate:.0} operations per second, {at_once} at once, each durable before it was acknowledged");
    eprintln!("a flush of this disk: {:.2} ms", flush_time(&home) * 1000.0);
}

async fn one(books: &Books, asker: u64, number: u64) {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&asker.to_be_bytes());
    id[8..16].copy_from_slice(&number.to_be_bytes());
    let policy = Policy {
        unsecured_limit: Nanoton::new(u64::MAX),
        ..Policy::default()
    };
    let reserve = |accounts: &Accounts| {
        let reserved = accounts.reserve(CLIENT, RequestId(id), 100, &policy, 5);
        vec![reserved.expect("there is money")]
    };
    drop(books.apply(reserve).await);
    let settle = |accounts: &Accounts| match accounts.settle(CLIENT, RequestId(id), WORKER, 70, 6) {
        Ok(Outcome::Charge { record, .. }) => vec![record],
        other => unreachable!("invariant: it was reserved: {other:?}"),
    };
    books.apply(settle).await.await.expect("the disk works");
}

async fn open(home: &Path) -> Books {
    let (journal, accounts) = Journal::open(home, &JournalKey::derive(&[1; 32])).expect("a new journal");
    let books = Books {
        accounts: RefCell::new(accounts),
        journal,
        turn: Mutex::new(()),
    };
    let terms = Terms {
        contract: CONTRACT,
        params_version: 1,
        prices: Prices::new(Nanoton::new(20), Nanoton::new(19), Multipliers::ONE).expect("good prices"),
        proxy_delay: 600,
        client_delay: 300,
    };
    let tx = |lt| Tx { lt, hash: [0; 32] };
    drop(
        books
            .apply(|accounts| vec![accounts.open(terms, 1).expect("new")])
            .await,
    );
    drop(
        books
            .apply(|accounts| vec![accounts.start_session([7; 32], 2).expect("new").0])
            .await,
    );
    drop(
        books
            .apply(|accounts| {
                accounts
                    .commit_seen(CONTRACT, tx(1), true, (1, [7; 32]), 3)
                    .records
            })
            .await,
    );
    let state = ClientState {
        balance: Nanoton::new(1 << 60),
        stake: Nanoton::new(1 << 60),
        ..ClientState::default()
    };
    let seen = Seen {
        contract: CONTRACT,
        tx: tx(2),
        sender: CLIENT,
        owner: CLIENT,
        derived: CLIENT,
        state,
    };
    drop(
        books
            .apply(|accounts| accounts.client_seen(seen, 4).records)
            .await,
    );
    books
}

/// Seconds for one small write and its flush.
fn flush_time(home: &Path) -> f64 {
    use std::io::Write as _;
    let mut file = std::fs::File::create(home.join("flush")).expect("writable");
    let started = Instant::now();
    for _ in 0..100 {
        file.write_all(&[0; 4096]).expect("writable");
        file.sync_data().expect("the disk works");
    }
    started.elapsed().as_secs_f64() / 100.0
}
