//! The bookkeeper on the embedded ledger: real contracts, a real wallet, a real journal.

use std::{path::Path, sync::Arc, time::Duration};

use cocoon_accounting::{Levels, Party, Policy, When};
use cocoon_chain::{At, Chain, Ledger as Ton, LedgerChain, LedgerOptions, WalletSender, WalletSenderOptions};
use cocoon_contracts::{
    Deployment, Params, RootConfig, Signed, SigningKey, StateInit, client, code, root, signed,
    wallet::{Network as WalletNetwork, Outgoing, Wallet, mode},
    worker,
};
use cocoon_link::RequestHead;
use cocoon_types::{
    Address, Coefficient, Endpoint, ModelName, Multipliers, Nanoton, RequestId, TierPolicy, Usage,
};
use tempfile::TempDir;
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{Bookkeeper, Books, BooksError, Payments, books::Ask};

const TON: u64 = 1_000_000_000;
const WORKER: Address = Address::new([0xcc; 32]);
const OWNER: Address = Address::new([0xbb; 32]);

/// A network with its registry, a proxy and a client's wallet.
struct Net {
    chain: LedgerChain,
    root: Address,
    params: Params,
    client: WalletSender,
    home: TempDir,
}

/// A running bookkeeper.
struct Running {
    books: Books,
    stopped: CancellationToken,
    task: JoinSet<Result<(), BooksError>>,
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32]).unwrap()
}

fn wallet(seed: u8) -> Wallet {
    Wallet::new(key(seed), WalletNetwork::Main)
}

fn params() -> Params {
    Params {
        struct_version: 3,
        params_version: 1,
        unique_id: 7,
        is_test: true,
        price_per_token: Nanoton::new(20),
        worker_fee_per_token: Nanoton::new(19),
        multipliers: Multipliers::ONE,
        proxy_delay_before_close: 3600,
        client_delay_before_close: 600,
        min_proxy_stake: Nanoton::new(TON / 10),
        min_client_stake: Nanoton::new(TON / 50),
        codes: code::codes(),
    }
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), future)
        .await
        .unwrap_or_else(|_| panic!("{what}: not within a minute"))
}

async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within(what, looking).await
}

fn sender(chain: &LedgerChain, seed: u8) -> WalletSender {
    let options = WalletSenderOptions {
        poll: Duration::from_millis(20),
        ..WalletSenderOptions::default()
    };
    WalletSender::start(Arc::new(chain.clone()), wallet(seed), options)
}

fn message(
    to: Address,
    coins: u64,
    init: Option<StateInit>,
    body: Option<cocoon_contracts::Cell>,
) -> Outgoing {
    Outgoing {
        to,
        value: Nanoton::new(coins),
        bounce: init.is_none(),
        state_init: init,
        body,
        mode: mode::ORDINARY,
        comment: None,
    }
}

impl Net {
    async fn start() -> Self {
        let options = LedgerOptions {
            is_test: true,
            instant: true,
        };
        let now = cocoon_web::clock::unix_now;
        let chain = LedgerChain::new(Ton::in_memory(options, now()).unwrap(), now);
        for seed in [1, 2, 3] {
            chain
                .faucet(wallet(seed).address(), Nanoton::new(100 * TON))
                .await
                .unwrap();
        }
        let root = RootConfig {
            owner: wallet(1).address(),
            version: 1,
            proxies: Vec::new(),
            proxy_hashes: Default::default(),
            worker_hashes: Default::default(),
            model_hashes: Default::default(),
            last_proxy_seqno: 0,
            params: params(),
            key_manager: None,
        };
        let init = root.state_init();
        let address = init.address();
        let deploy = message(address, TON, Some(init), None);
        within("the root", sender(&chain, 1).send(deploy)).await.unwrap();
        Self {
            client: sender(&chain, 3),
            chain,
            root: address,
            params: params(),
            home: TempDir::new().unwrap(),
        }
    }

    async fn open(&self, directory: &Path, settle: When) -> Running {
        let payments = Payments {
            chain: Arc::new(self.chain.clone()),
            root: self.root,
            owner: OWNER,
            key: key(9),
            wallet: wallet(2),
            directory: directory.to_owned(),
            policy: Policy {
                settle,
                commit_age: 1,
                settlement_timeout: 20,
                ..Policy::default()
            },
            poll: Duration::from_millis(50),
            registry_poll: Duration::from_millis(200),
        };
        let opened = Bookkeeper::open(payments, true, cocoon_web::clock::unix_now).await;
        let (bookkeeper, books) = opened.unwrap();
        let stopped = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(bookkeeper.run(stopped.clone()));
        Running { books, stopped, task }
    }

    fn deployment(&self) -> Deployment {
        Deployment::new(self.root, self.params.clone()).unwrap()
    }

    fn client_init(&self) -> StateInit {
        let deployment = self.deployment();
        let proxy = deployment.proxy(&OWNER, &key(9).public()).address();
        deployment.client(&self.client.address(), &proxy, &key(9).public())
    }

    async fn to_client(&self, action: client::Action, coins: u64, init: Option<StateInit>) {
        let body = client::Message::Request {
            query_id: 1,
            action,
            excesses: self.client.address(),
        };
        let to = self.client_init().address();
        let sent = self
            .client
            .send(message(to, coins + TON / 5, init, Some(body.to_cell())));
        within("a message", sent).await.unwrap();
    }

    async fn client_storage(&self) -> client::Storage {
        let address = self.client_init().address();
        let account = self.chain.account(address, At::Latest).await.unwrap();
        client::Storage::parse(&account.data.unwrap()).unwrap()
    }

    async fn balance(&self, address: Address) -> Nanoton {
        self.chain.account(address, At::Latest).await.unwrap().balance
    }
}

impl Running {
    async fn ready(&self) {
        within("ready", self.books.ready()).await;
    }

    async fn stop(mut self) {
        self.stopped.cancel();
        within("stopped", self.task.join_next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }

    async fn client(&self, owner: Address) -> Option<cocoon_accounting::ClientAccount> {
        let overview = self.books.overview().await.unwrap();
        overview
            .clients
            .into_iter()
            .find(|(known, _)| *known == owner)
            .map(|(_, account)| account)
    }

    /// Reserves for and settles one request.
    async fn serve(&self, client: Address, number: u8, usage: Usage) -> super::Paid {
        let head = head(number);
        let reservation = self.books.set_aside(client, &head).await.unwrap();
        let settled = self
            .books
            .ask(|answer| Ask::Settle {
                client,
                request: head.request_id,
                worker: WORKER,
                coefficient: Coefficient::ONE,
                usage,
                answer,
            })
            .await;
        drop(reservation);
        settled.unwrap().unwrap()
    }
}

fn head(number: u8) -> RequestHead {
    RequestHead {
        request_id: RequestId([number; 32]),
        endpoint: Endpoint::ChatCompletions,
        model: ModelName::new("m").unwrap(),
        max_tokens: 1000,
        tier: TierPolicy::CONFIDENTIAL,
        max_coefficient: Coefficient::ONE,
        timeout: Duration::from_secs(10),
        body_bytes: 1000,
        sealed: None,
    }
}

fn usage() -> Usage {
    Usage::new(400, 100, 600, 200).unwrap()
}

#[tokio::test]
async fn every_nanoton_goes_where_it_should() {
    let net = Net::start().await;
    let running = net.open(&net.home.path().join("books"), When::Each).await;
    running.ready().await;
    let owner = net.client.address();
    // Unknown: only the chain can tell who it is.
    let greeting = running.books.greet(owner).await.unwrap();
    assert_eq!(
        (greeting.secret_hash, greeting.contract),
        (None, net.client_init().address())
    );
    let refused = running.books.set_aside(owner, &head(9)).await.unwrap_err();
    assert!(refused.message.contains("no account"), "{refused}");
    let coins = Nanoton::new(TON / 20);
    let hash = [5; 32];
    let action = client::Action::ChangeSecretHashAndTopUp { coins, hash };
    net.to_client(action, coins.nano(), Some(net.client_init())).await;
    until("the top-up", async || running.client(owner).await).await;
    let greeting = running.books.greet(owner).await.unwrap();
    assert_eq!(greeting.secret_hash, Some(hash));
    net.to_client(
        client::Action::Register {
            nonce: greeting.nonce,
        },
        0,
        None,
    )
    .await;
    within("registered", running.books.registered(owner, greeting.nonce))
        .await
        .unwrap();
    // 1000 adjusted tokens at 20 and 19 nanoTON.
    let paid = running.serve(owner, 1, usage()).await;
    assert_eq!(
        (paid.tokens, paid.client.levels.memory, paid.worker.levels.journal),
        (1000, 1000, 1000)
    );
    let again = running.serve_again(owner, 1).await;
    assert!(again.is_err(), "an id is good for one request");
    let storage = until("the charge", async || {
        Some(net.client_storage().await).filter(|it| it.tokens_used == 1000)
    })
    .await;
    assert_eq!(storage.balance, Nanoton::new(coins.nano() - 20_000));
    // What was signed is what the chain secures, and good for the contract.
    let statement = until("the level", async || {
        let statement = running
            .books
            .statement(Party::worker(WORKER))
            .await
            .unwrap()
            .unwrap();
        (statement.levels == Levels::at(1000)).then_some(statement)
    })
    .await;
    let contract = running.books.worker_contract(&WORKER);
    let payment = Signed::from_boc(&statement.payment).unwrap();
    payment
        .verify(&key(9).public(), signed::Kind::Payout, &contract)
        .unwrap();
    assert_eq!(payment.tokens, 1000);
    until("the worker's pay", async || {
        let account = net.chain.account(contract, At::Latest).await.unwrap();
        let data = account.data?;
        (worker::Storage::parse(&data).unwrap().tokens == 1000).then_some(())
    })
    .await;
    // What arrives is what was earned, less at most what its carriage costs the receiver.
    assert!(net.balance(WORKER).await <= Nanoton::new(19_000));
    let lie = Levels {
        memory: 0,
        journal: 0,
        chain: 1001,
    };
    assert!(
        running
            .books
            .compare(WORKER, lie)
            .await
            .unwrap_err()
            .contains("1001")
    );
    // Everything back: the account closes while the proxy answers.
    let data = until("the refund", async || {
        running.books.refund(owner).await.unwrap().ok()
    })
    .await;
    let refund = Signed::from_boc(&data).unwrap();
    refund
        .verify(
            &key(9).public(),
            signed::Kind::GrantRefund,
            &net.client_init().address(),
        )
        .unwrap();
    until("closed", async || {
        Some(net.client_storage().await).filter(|it| it.state == client::State::Closed)
    })
    .await;
    assert_eq!(net.client_storage().await.balance, Nanoton::ZERO);
    assert!(running.books.set_aside(owner, &head(7)).await.is_err());
    running.stop().await;
}

impl Running {
    async fn serve_again(
        &self,
        client: Address,
        number: u8,
    ) -> Result<super::Reservation, cocoon_types::Refusal> {
        self.books.set_aside(client, &head(number)).await
    }
}

#[tokio::test]
async fn a_restart_forgets_nothing_and_an_old_copy_is_refused() {
    let net = Net::start().await;
    let directory = net.home.path().join("books");
    let running = net.open(&directory, When::Manual).await;
    running.ready().await;
    let owner = net.client.address();
    let coins = Nanoton::new(TON / 20);
    net.to_client(
        client::Action::TopUp { coins },
        coins.nano(),
        Some(net.client_init()),
    )
    .await;
    until("the top-up", async || running.client(owner).await).await;
    running.serve(owner, 1, usage()).await;
    running.stop().await;
    let copy = net.home.path().join("yesterday");
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(directory.join("journal.sqlite"), copy.join("journal.sqlite")).unwrap();
    let running = net.open(&directory, When::Manual).await;
    running.ready().await;
    let account = running.client(owner).await.unwrap();
    assert_eq!((account.levels, account.reserved), (Levels::at(1000), 0));
    running.serve(owner, 2, usage()).await;
    running.books.settle_all().await.unwrap();
    until("the charge", async || {
        Some(net.client_storage().await).filter(|it| it.tokens_used == 2000)
    })
    .await;
    running.stop().await;
    // The disk is put back to yesterday's: the chain holds commits that it does not know.
    let running = net.open(&copy, When::Manual).await;
    let halted = until("the halt", async || {
        running.books.overview().await.unwrap().halted
    })
    .await;
    assert!(
        halted.contains("old copy") && halted.contains("new key"),
        "{halted}"
    );
    assert!(!running.books.is_ready() && running.books.greet(owner).await.is_err());
    let statement = running.books.statement(Party::client(owner)).await.unwrap();
    assert!(
        statement.unwrap().payment.is_empty(),
        "nothing is signed any more"
    );
    running.stop().await;
}

#[tokio::test]
async fn new_terms_are_taken_over_while_the_proxy_runs() {
    let net = Net::start().await;
    let running = net.open(&net.home.path().join("books"), When::Each).await;
    running.ready().await;
    let owner = net.client.address();
    running.books.greet(owner).await.unwrap();
    let coins = Nanoton::new(TON / 20);
    let action = client::Action::ChangeSecretHashAndTopUp { coins, hash: [5; 32] };
    net.to_client(action, coins.nano(), Some(net.client_init())).await;
    until("the top-up", async || running.client(owner).await).await;
    let terms = async || running.books.overview().await.unwrap().terms.unwrap();
    let before = terms().await;
    let moved = running.books.moved();
    let open = running.books.set_aside(owner, &head(1)).await.unwrap();
    let change = root::Message {
        query_id: 1,
        change: root::Change::Params(root::Terms {
            price: net.params.price_per_token,
            fee: net.params.worker_fee_per_token,
            proxy_delay: 700,
            client_delay: 60,
            min_proxy_stake: Nanoton::new(TON / 10),
            min_client_stake: Nanoton::new(TON / 50),
        }),
    };
    let change = message(net.root, TON / 5, None, Some(change.to_cell()));
    within("the change", sender(&net.chain, 1).send(change))
        .await
        .unwrap();
    until("no new requests", async || {
        running.books.set_aside(owner, &head(2)).await.err()
    })
    .await;
    assert_eq!(terms().await.contract, before.contract, "one request is open");
    let settled = running
        .books
        .ask(|answer| Ask::Settle {
            client: owner,
            request: head(1).request_id,
            worker: WORKER,
            coefficient: Coefficient::ONE,
            usage: usage(),
            answer,
        })
        .await;
    drop(open);
    let paid = settled.unwrap().unwrap();
    assert_eq!(
        paid.client.levels.memory, 1000,
        "under the terms that it began with"
    );
    within("peers are to come again", moved).await;
    let after = terms().await;
    assert!(
        after.contract != before.contract && after.proxy_delay == 700,
        "{after:?}"
    );
    within("the first commit there", running.books.ready()).await;
    let greeting = running.books.greet(owner).await.unwrap();
    assert_ne!(
        greeting.contract,
        net.client_init().address(),
        "an account of the new contract"
    );
    // What was owed at the old one is charged and paid, and the client gets its rest back.
    let storage = until("the old account's end", async || {
        Some(net.client_storage().await).filter(|it| it.state == client::State::Closed)
    })
    .await;
    assert_eq!(storage.tokens_used, 1000);
    let worker = net
        .deployment()
        .worker(&WORKER, &before.contract, &key(9).public())
        .address();
    until("the worker's pay", async || {
        let account = net.chain.account(worker, At::Latest).await.unwrap();
        let storage = worker::Storage::parse(&account.data?).ok()?;
        (storage.tokens == 1000).then_some(())
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn the_registrys_models_are_followed() {
    let net = Net::start().await;
    let running = net.open(&net.home.path().join("books"), When::Each).await;
    running.ready().await;
    let (other, listed) = (
        ModelName::new("m").unwrap(),
        ModelName::new("m@c0ffee:01").unwrap(),
    );
    assert!(running.books.allows(&other), "a test network that lists none");
    let ends = running.books.disallowed(&other);
    let add = root::Message {
        query_id: 1,
        change: root::Change::AddModelHash(root::model_hash(&listed)),
    };
    let add = message(net.root, TON / 5, None, Some(add.to_cell()));
    within("the change", sender(&net.chain, 1).send(add))
        .await
        .unwrap();
    within("its workers are to go", ends).await;
    assert!(!running.books.allows(&other) && running.books.allows(&listed));
    running.stop().await;
}
