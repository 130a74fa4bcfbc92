use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cocoon_matching::{Obstacle, Offer, WorkerId};
use cocoon_types::{Coefficient, Endpoint, Fault, ModelName, Tier, TierPolicy};
use tokio::time::timeout;

use super::{Ask, Asker, Board, NoPlace, Slot};

fn offer(capacity: u32) -> Offer {
    Offer {
        model: ModelName::new("m@c:h").unwrap(),
        endpoints: Endpoint::ALL.into_iter().collect(),
        tier: Tier::Simulated,
        coefficient: Coefficient::ONE,
        capacity: NonZeroU32::new(capacity).unwrap(),
        enabled: true,
        plaintext: false,
    }
}

/// Every request in these tests comes from a client of its own, unless a test says otherwise.
fn ask() -> Ask {
    static CLIENTS: AtomicU64 = AtomicU64::new(1);
    Ask {
        asker: Asker(CLIENTS.fetch_add(1, Ordering::Relaxed)),
        model: ModelName::new("m").unwrap(),
        endpoint: Endpoint::ChatCompletions,
        tier: TierPolicy::at_least(Tier::Simulated),
        max_coefficient: Coefficient::DEFAULT_LIMIT,
        plaintext: false,
    }
}

fn running(board: &Board<u8>) -> u32 {
    board.view(|table, _| table.workers().map(|worker| worker.load.running()).sum())
}

/// Requests in tasks of their own.
type Waiting = tokio::task::JoinSet<Result<Slot<u8>, NoPlace>>;

/// A request that stands in the line when this returns.
async fn in_line(board: &Arc<Board<u8>>, ask: Ask) -> Waiting {
    let (before, shared) = (board.waiting(), Arc::clone(board));
    let mut task = Waiting::new();
    task.spawn(async move { shared.place(&ask, &[]).await });
    while board.waiting() == before {
        tokio::task::yield_now().await;
    }
    task
}

/// What came of it.
async fn outcome(mut task: Waiting) -> Result<Slot<u8>, NoPlace> {
    timeout(Duration::from_secs(5), task.join_next())
        .await
        .expect("the line moves")
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn a_place_is_counted_while_it_is_held_and_freed_by_dropping() {
    let board = Board::new(4);
    board.add(offer(2), 1);
    let first = board.place(&ask(), &[]).await.unwrap();
    let second = board.place(&ask(), &[]).await.unwrap();
    assert_eq!((running(&board), *first.peer()), (2, 1));
    drop(first);
    assert_eq!(running(&board), 1);
    drop(second);
    assert_eq!(running(&board), 0);
}

#[tokio::test]
async fn the_line_is_served_in_order() {
    let board = Board::new(4);
    board.add(offer(1), 1);
    let held = board.place(&ask(), &[]).await.unwrap();
    let first = in_line(&board, ask()).await;
    let mut second = in_line(&board, ask()).await;
    assert_eq!(board.waiting_for("m"), 2);
    drop(held);
    let held = outcome(first).await.unwrap();
    assert!(second.try_join_next().is_none(), "one place, one turn");
    drop(held);
    outcome(second).await.unwrap();
    assert_eq!((running(&board), board.waiting()), (0, 0));
}

#[tokio::test]
async fn who_waits_for_something_else_does_not_stand_in_the_way() {
    let board = Board::new(4);
    board.add(offer(1), 1);
    let dear = Offer {
        coefficient: Coefficient::new(2000).unwrap(),
        ..offer(1)
    };
    board.add(dear, 2);
    let held = [
        board.place(&ask(), &[]).await.unwrap(),
        board.place(&ask(), &[]).await.unwrap(),
    ];
    let cheap = Ask {
        max_coefficient: Coefficient::ONE,
        ..ask()
    };
    let mut first = in_line(&board, cheap).await;
    let second = in_line(&board, ask()).await;
    let [one, two] = held;
    let (cheap_slot, dear_slot) = if *one.peer() == 1 { (one, two) } else { (two, one) };
    drop(dear_slot);
    assert_eq!(*outcome(second).await.unwrap().peer(), 2);
    assert!(first.try_join_next().is_none());
    drop(cheap_slot);
    assert_eq!(*outcome(first).await.unwrap().peer(), 1);
}

#[tokio::test]
async fn the_line_is_bounded() {
    let board = Board::new(1);
    board.add(offer(1), 1);
    let held = board.place(&ask(), &[]).await.unwrap();
    let waiting = in_line(&board, ask()).await;
    let full = board.place(&ask(), &[]).await.unwrap_err();
    assert!(matches!(full, NoPlace::LineFull(1)));
    assert_eq!(full.to_refusal(&ask()).fault, Fault::Busy);
    drop(held);
    outcome(waiting).await.unwrap();
}

#[tokio::test]
async fn who_stops_waiting_leaves_the_line_and_a_place_given_too_late_comes_back() {
    let board = Board::new(4);
    board.add(offer(1), 1);
    let held = board.place(&ask(), &[]).await.unwrap();
    let short = timeout(Duration::from_millis(20), board.place(&ask(), &[])).await;
    assert!(short.is_err());
    assert_eq!(board.waiting(), 0);

    // The place is handed out, and nobody ever takes it.
    let request = ask();
    let mut gave_up = Box::pin(board.place(&request, &[]));
    assert!(timeout(Duration::from_millis(5), &mut gave_up).await.is_err());
    drop(held);
    assert_eq!(running(&board), 1, "it is the waiter's now");
    drop(gave_up);
    assert_eq!((running(&board), board.waiting()), (0, 0));
    board.place(&ask(), &[]).await.unwrap();
}

#[tokio::test]
async fn who_waits_in_vain_is_told_at_once() {
    let board = Board::new(4);
    let worker = board.add(offer(1), 1);
    let _held = board.place(&ask(), &[]).await.unwrap();
    let disabled = in_line(&board, ask()).await;
    board.set_enabled(worker, false);
    let NoPlace::NoMatch(none) = outcome(disabled).await.unwrap_err() else {
        panic!("expected no match");
    };
    assert_eq!(none.obstacle, Obstacle::AllDisabled);

    board.set_enabled(worker, true);
    let gone = in_line(&board, ask()).await;
    board.remove(worker);
    let told = outcome(gone).await.unwrap_err();
    assert!(matches!(told, NoPlace::Departed));
    assert_eq!(
        (told.to_refusal(&ask()).fault, board.waiting()),
        (Fault::NoWorker, 0)
    );
    let never = Ask {
        model: ModelName::new("n").unwrap(),
        ..ask()
    };
    let unknown = board.place(&never, &[]).await.unwrap_err();
    assert_eq!(unknown.to_refusal(&never).fault, Fault::UnknownModel);
}

#[tokio::test]
async fn whatever_makes_room_serves_the_line() {
    let board = Board::new(8);
    let first = board.add(offer(1), 1);
    let _held = board.place(&ask(), &[]).await.unwrap();
    // A new worker, with two places.
    let (a, b) = (in_line(&board, ask()).await, in_line(&board, ask()).await);
    let second = board.add(offer(2), 2);
    let (a, b) = (outcome(a).await.unwrap(), outcome(b).await.unwrap());
    assert_eq!((*a.peer(), *b.peer()), (2, 2));
    // A worker that is enabled again.
    board.set_enabled(second, false);
    drop((a, b));
    let c = in_line(&board, ask()).await;
    board.set_enabled(second, true);
    let c = outcome(c).await.unwrap();
    // A lower price.
    board.set_coefficient(second, Coefficient::new(9000).unwrap());
    let d = in_line(&board, ask()).await;
    board.set_coefficient(second, Coefficient::ONE);
    assert_eq!((*c.peer(), *outcome(d).await.unwrap().peer()), (2, 2));
    board.remove(first);
}

#[tokio::test]
async fn a_slot_that_outlives_its_worker_harms_nothing() {
    let board = Board::new(4);
    let worker = board.add(offer(1), 1);
    let slot = board.place(&ask(), &[]).await.unwrap();
    board.remove(worker);
    assert_eq!(slot.worker(), worker);
    drop(slot);
    assert_ne!(board.add(offer(1), 2), worker, "numbers are not used again");
    assert_eq!(running(&board), 0);
}

#[tokio::test]
async fn a_worker_already_tried_is_not_given_again() {
    let board = Board::new(4);
    let first = board.add(offer(4), 1);
    board.add(offer(4), 2);
    for _ in 0..20 {
        assert_eq!(*board.place(&ask(), &[first]).await.unwrap().peer(), 2);
    }
    assert!(matches!(
        board.place(&ask(), &[first, WorkerId(2)]).await.unwrap_err(),
        NoPlace::NoMatch(none) if none.obstacle == Obstacle::AllTried
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_requests_that_come_and_give_up_leaks_no_place() {
    let board = Board::new(64);
    board.add(offer(3), 1);
    board.add(offer(2), 2);
    let mut storm = tokio::task::JoinSet::new();
    for index in 0..500_u64 {
        let board = Arc::clone(&board);
        storm.spawn(async move {
            let patience = Duration::from_micros(fastrand::u64(0..3000));
            if let Ok(Ok(slot)) = timeout(patience, board.place(&ask(), &[])).await {
                tokio::time::sleep(Duration::from_micros(index % 700)).await;
                drop(slot);
            }
        });
    }
    while storm.join_next().await.is_some() {}
    assert_eq!((running(&board), board.waiting()), (0, 0));
}

#[tokio::test]
async fn one_client_cannot_fill_a_line() {
    let board = Board::new(8);
    board.add(offer(1), 1);
    let held = board.place(&ask(), &[]).await.unwrap();
    let greedy = ask();
    let mut waiting = Vec::new();
    for _ in 0..4 {
        waiting.push(in_line(&board, greedy.clone()).await);
    }
    let full = board.place(&greedy, &[]).await.unwrap_err();
    assert!(matches!(full, NoPlace::LineFull(4)));
    // Others find room still, and what leaves the line counts no more.
    waiting.push(in_line(&board, ask()).await);
    waiting.push(in_line(&board, ask()).await);
    drop(waiting);
    timeout(Duration::from_secs(5), async {
        while board.waiting() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    let again = in_line(&board, greedy).await;
    drop(held);
    outcome(again).await.unwrap();
}
