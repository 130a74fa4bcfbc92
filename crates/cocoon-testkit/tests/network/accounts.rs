//! The accounting seam: whatever becomes of a request, its reservation ends exactly once.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use cocoon_link::RequestHead;
use cocoon_proxy::accounting::{Hold, Ledger, Party, Reservation, Reserving, Settling};
use cocoon_proxy::{App, Options};
use cocoon_testkit::hostile::Peer;
use cocoon_testkit::network::{Asker, Request, eventually, within};
use cocoon_tl::client::GetWorkerTypesV2;
use cocoon_tl::v3;
use cocoon_types::{Coefficient, Fault, Refusal, Tier, Usage};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{LIMIT, chat};

/// What was done with reservations, in order.
#[derive(Clone, Debug, Default)]
struct Book(Arc<Mutex<Vec<Entry>>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Reserved,
    Settled(u32, u64),
    Released,
}

impl Book {
    fn write(&self, entry: Entry) {
        self.0.lock().unwrap().push(entry);
    }

    /// What was written since the last look, once there is this much.
    async fn page(&self, entries: usize) -> anyhow::Result<Vec<Entry>> {
        eventually("the book is written", async || {
            self.0.lock().unwrap().len() >= entries
        })
        .await?;
        // Something written twice would come now.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(std::mem::take(&mut self.0.lock().unwrap()))
    }
}

impl Ledger for Book {
    fn reserve<'a>(&'a self, _client: &'a Party, head: &'a RequestHead) -> Reserving<'a> {
        Box::pin(async move {
            if head.max_tokens == 777 {
                return Err(Refusal::new(Fault::Forbidden, "the balance is too low"));
            }
            self.write(Entry::Reserved);
            Ok(Reservation::new(Box::new(self.clone())))
        })
    }
}

impl Hold for Book {
    fn settle(self: Box<Self>, _worker: Party, coefficient: Coefficient, usage: Usage) -> Settling {
        self.write(Entry::Settled(coefficient.per_mille(), usage.total()));
        let is_durable = usage.total() != 13;
        Box::pin(async move {
            if is_durable {
                Ok(None)
            } else {
                Err(Refusal::new(Fault::Internal, "the journal is full"))
            }
        })
    }

    fn release(self: Box<Self>) {
        self.write(Entry::Released);
    }
}

async fn serve(peer: &mut Peer, completion: i64) -> anyhow::Result<()> {
    let stream = peer.next_request().await?;
    let tier = Tier::Simulated.wire_code();
    peer.say(&v3::Answer {
        stream,
        status: 200,
        content_type: "application/json".into(),
        tier,
        coefficient: 1000,
    })
    .await?;
    peer.say(&v3::Part {
        stream,
        data: Bytes::from_static(b"{}"),
    })
    .await?;
    peer.say(&v3::End {
        stream,
        prompt_tokens: 3,
        cached_tokens: 0,
        completion_tokens: completion,
        reasoning_tokens: 0,
        engine_ms: 0,
    })
    .await
}

async fn workers_listed(asker: &Asker, wanted: usize) -> anyhow::Result<()> {
    eventually("the proxy lists its workers", async || {
        let listed = asker.question(&GetWorkerTypesV2 {}).await;
        listed.is_ok_and(|listed| listed.types.iter().map(|one| one.workers.len()).sum::<usize>() == wanted)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reservation_ends_exactly_once_whatever_happens() -> anyhow::Result<()> {
    within(
        LIMIT,
        Box::pin(async {
            let book = Book::default();
            let free: SocketAddr = "127.0.0.1:0".parse()?;
            let options = Options {
                listen_clients: Some(free),
                listen_workers: Some(free),
                admin: Some(free),
                is_test: Some(true),
                accept_simulated: Some(true),
                pow_difficulty: Some(0),
                ..Options::default()
            };
            let app = App::start_with(options.build()?, Arc::new(book.clone())).await?;
            let (clients, workers) = (app.clients_addr(), app.workers_addr());
            let stop = CancellationToken::new();
            let mut proxy = JoinSet::new();
            proxy.spawn(app.run(stop.clone()));
            let asker = Asker::connect(clients).await?;
            let request = || Request::chat(&chat(json!({})));
            let settled = |total| vec![Entry::Reserved, Entry::Settled(1000, total)];
            let released = vec![Entry::Reserved, Entry::Released];

            // Nobody to serve it.
            assert!(asker.ask(request()).await.is_err());
            assert_eq!(book.page(2).await?, released);
            // Served: charged at the price that was agreed, for what was used.
            let mut peer = Peer::worker(workers).await?;
            workers_listed(&asker, 1).await?;
            let (reply, done) = tokio::join!(asker.ask(request()), serve(&mut peer, 4));
            done?;
            reply?;
            assert_eq!(book.page(2).await?, settled(7));
            // A charge that could not be made durable: the answer does not end well, and nothing is done twice.
            let (reply, done) = tokio::join!(asker.ask(request()), serve(&mut peer, 10));
            done?;
            assert_eq!(reply.unwrap_err().fault, Fault::Internal);
            assert_eq!(book.page(2).await?, settled(13));
            // The client cannot pay.
            let poor = request().with(|head| head.max_tokens = 777);
            assert_eq!(asker.ask(poor).await.unwrap_err().fault, Fault::Forbidden);
            assert_eq!(book.page(0).await?, vec![]);
            // The worker refuses.
            let (reply, done) = tokio::join!(asker.ask(request()), async {
                let stream = peer.next_request().await?;
                let code = Fault::EngineFailed.wire_code();
                peer.say(&v3::Refuse {
                    stream,
                    code,
                    message: "no".into(),
                })
                .await
            });
            done?;
            assert_eq!(reply.unwrap_err().fault, Fault::EngineFailed);
            assert_eq!(book.page(2).await?, released);
            // The client cancels.
            let cancelled = request();
            let (mut body, answer) = asker.open(&cancelled).await?.split();
            body.send(cancelled.body.clone(), true).await?;
            peer.next_request().await?;
            drop((body, answer));
            assert_eq!(book.page(2).await?, released);
            // The first worker is lost, a second one serves: one reservation.
            let (reply, done) = tokio::join!(asker.ask(request()), async {
                peer.next_request().await?;
                let mut second = Peer::worker(workers).await?;
                workers_listed(&asker, 2).await?;
                peer.link.close("lost");
                serve(&mut second, 4).await
            });
            done?;
            reply?;
            assert_eq!(book.page(2).await?, settled(7));
            stop.cancel();
            proxy.join_next().await.unwrap()??;
            Ok(())
        }),
    )
    .await
}
