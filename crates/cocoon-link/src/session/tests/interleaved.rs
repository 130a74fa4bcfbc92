//! Random interleavings of many streams deliver exactly the bytes that were sent.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tokio::task::JoinSet;

use super::{echo, head, rest};
use crate::testing::{noise, sessions};
use crate::{AnswerEvent, Session};

/// What one stream does.
#[derive(Clone, Debug)]
struct Plan {
    /// Sizes of the calls that send the body.
    pieces: Vec<usize>,
    /// Pauses of the sender and of the reader, in milliseconds of virtual time, taken in turn.
    pauses: Vec<u64>,
    /// Goes away after so many bytes of answer.
    leaves_after: Option<usize>,
}

fn plan() -> impl Strategy<Value = Plan> {
    let size = prop_oneof![
        0..100_usize,
        0..70_000_usize,
        Just(65_536),
        200_000..400_000_usize
    ];
    (
        prop::collection::vec(size, 1..8),
        prop::collection::vec(0..3_u64, 1..5),
        prop::option::weighted(0.2, 0..500_000_usize),
    )
        .prop_map(|(pieces, pauses, leaves_after)| Plan {
            pieces,
            pauses,
            leaves_after,
        })
}

async fn run(session: Session, plan: Plan, seed: u64) {
    let total = plan.pieces.iter().sum();
    let body = noise(total, seed);
    let (mut sender, mut answer) = session.open(head(total)).await.unwrap().split();
    let send = async {
        let mut rest = body.clone();
        let mut pauses = plan.pauses.iter().cycle();
        for (index, size) in plan.pieces.iter().enumerate() {
            let last = index + 1 == plan.pieces.len();
            if sender.send(rest.split_to(*size), last).await.is_err() {
                assert!(plan.leaves_after.is_some());
                return;
            }
            tokio::time::sleep(Duration::from_millis(*pauses.next().unwrap())).await;
        }
    };
    let receive = async {
        if plan.leaves_after.is_none() && plan.pauses.len() == 1 {
            let (bytes, _) = rest(&mut answer).await.unwrap();
            assert!(bytes == body);
            return;
        }
        let mut received = Vec::new();
        for pause in plan.pauses.iter().cycle() {
            match answer.next().await.unwrap() {
                AnswerEvent::Part(part) => received.extend_from_slice(&part),
                AnswerEvent::End(_) => break,
            }
            if plan.leaves_after.is_some_and(|limit| received.len() >= limit) {
                assert!(received == body[..received.len()]);
                drop(answer);
                return;
            }
            tokio::time::sleep(Duration::from_millis(*pause)).await;
        }
        assert!(received == body);
    };
    tokio::join!(send, receive);
}

/// As `echo`, but streams may be left alone.
async fn patient_echo(mut events: crate::Events) {
    let mut tasks = JoinSet::new();
    while let Some(event) = events.recv().await {
        if let crate::Event::Request(mut serving) = event {
            tasks.spawn(async move {
                if serving.answer.head(super::answer_head()).await.is_err() {
                    return;
                }
                while let Ok(Some(piece)) = serving.body.next().await {
                    if serving.answer.part(piece).await.is_err() {
                        return;
                    }
                }
                // A stream that was left is gone.
                let _gone = serving.answer.end(super::answer_end()).await;
            });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_stream_gets_exactly_its_bytes(plans in prop::collection::vec(plan(), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let ((session, _events), (other, other_events)) = sessions().await;
            let mut tasks = JoinSet::new();
            tasks.spawn(async move {
                patient_echo(other_events).await;
            });
            let mut streams = JoinSet::new();
            for (seed, plan) in (0..).zip(plans) {
                streams.spawn(run(session.clone(), plan, seed));
            }
            while let Some(result) = streams.join_next().await {
                result.unwrap();
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(!session.link().is_closed() && !other.link().is_closed());
            assert_eq!((session.open_streams(), other.open_streams()), (0, 0));
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_on_many_threads_share_a_link() {
    let ((session, _events), (_other, other_events)) = sessions().await;
    let server = JoinSet::from_iter([echo(other_events)]);
    let mut tasks = JoinSet::new();
    for seed in 0..16 {
        let session = session.clone();
        tasks.spawn(async move {
            for round in 0..10 {
                let body: Bytes = noise(
                    1 + (seed * 7919 + round * 104_729) % 50_000,
                    (seed * 100 + round) as u64,
                );
                assert!(super::ask(&session, body.clone()).await.unwrap() == body);
            }
        });
    }
    while let Some(result) = tasks.join_next().await {
        result.unwrap();
    }
    drop(server);
}

/// Both sides end streams at any moment, on several threads: messages that cross an ending are late, never a breach.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn endings_that_cross_on_many_threads_harm_no_link() {
    let ((session, _events), (other, mut other_events)) = sessions().await;
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut tasks = JoinSet::new();
        while let Some(event) = other_events.recv().await {
            if let crate::Event::Request(serving) = event {
                tasks.spawn(unsteady_server(serving));
            }
        }
        while let Some(result) = tasks.join_next().await {
            result.unwrap();
        }
    });
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let session = session.clone();
        tasks.spawn(async move {
            for _ in 0..20 {
                unsteady_asker(&session).await;
            }
        });
    }
    while let Some(result) = tasks.join_next().await {
        result.unwrap();
    }
    assert!(!session.link().is_closed(), "{}", session.link().closed().await);
    // The last endings are still on their way.
    for _ in 0..500 {
        if other.open_streams() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((session.open_streams(), other.open_streams()), (0, 0));
}

async fn unsteady_server(mut serving: crate::Serving) {
    let pieces = fastrand::usize(..12);
    for _ in 0..pieces {
        match serving.body.next().await {
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(_) => return,
        }
    }
    if fastrand::bool() && serving.answer.head(super::answer_head()).await.is_ok() {
        for _ in 0..fastrand::usize(..12) {
            if serving
                .answer
                .part(noise(fastrand::usize(..40_000), 0))
                .await
                .is_err()
            {
                return;
            }
        }
    }
    // Whether it still arrives does not matter here.
    let _gone = match fastrand::u8(..3) {
        0 => serving.answer.end(super::answer_end()).await,
        1 => {
            let busy = cocoon_types::Refusal::new(cocoon_types::Fault::Busy, "busy");
            serving.answer.refuse(busy).await
        }
        _ => {
            drop(serving);
            Ok(())
        }
    };
}

async fn unsteady_asker(session: &Session) {
    let size = fastrand::usize(..400_000);
    let (mut sender, mut answer) = session.open(head(size)).await.unwrap().split();
    let send = async {
        let gives_up = fastrand::u8(..4) == 0;
        let mut rest = noise(size, 1);
        loop {
            let piece = rest.split_to(rest.len().min(1 + fastrand::usize(..70_000)));
            let last = rest.is_empty();
            if sender.send(piece, last).await.is_err() || last {
                return;
            }
            if gives_up && fastrand::bool() {
                drop(sender);
                return;
            }
        }
    };
    let receive = async {
        let patience = fastrand::usize(..20);
        for _ in 0..patience {
            match answer.next().await {
                Ok(AnswerEvent::Part(_)) => {}
                Ok(AnswerEvent::End(_)) | Err(_) => break,
            }
        }
        drop(answer);
    };
    tokio::join!(send, receive);
}
