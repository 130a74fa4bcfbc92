//! Which proxy is asked, and what happens when it fails.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cocoon_types::{Coefficient, Fault, Refusal, Tier};
use tokio::sync::Barrier;

use crate::support::{FakeProxy, Gateway, end, eventually, head, options, proxy::Manner, whole};

fn refusing(fault: Fault) -> impl Future<Output = FakeProxy> {
    FakeProxy::new(move |serving, _| async move {
        let _ = serving.answer.refuse(Refusal::new(fault, "no")).await;
    })
}

#[tokio::test]
async fn another_proxy_is_asked_before_the_first_byte() {
    for fault in [
        Fault::Busy,
        Fault::NoWorker,
        Fault::Draining,
        Fault::UnknownModel,
        Fault::PriceTooLow,
    ] {
        let bad = refusing(fault).await;
        let good = FakeProxy::new(|serving, _| whole(serving, 200, "{}")).await;
        let gateway = Gateway::to(&[&bad, &good]).await;
        for _ in 0..4 {
            assert_eq!(gateway.chat(&[]).await.status, 200, "{fault}");
        }
        assert_eq!(good.count(), 4);
        assert!(bad.count() >= 1, "equals did not take turns");
    }
}

#[tokio::test]
async fn each_proxy_is_asked_once_and_the_better_reason_is_told() {
    let (one, two) = (refusing(Fault::UnknownModel).await, refusing(Fault::Busy).await);
    let gateway = Gateway::to(&[&one, &two]).await;
    for asked in 1..5 {
        let reply = gateway.chat(&[]).await;
        assert_eq!((reply.status, reply.code().as_str()), (503, "workers_busy"));
        assert_eq!((one.count(), two.count()), (asked, asked));
    }
}

#[tokio::test]
async fn a_fault_of_the_request_is_not_tried_again() {
    let (one, two) = (
        refusing(Fault::ContextTooLong).await,
        refusing(Fault::ContextTooLong).await,
    );
    let gateway = Gateway::to(&[&one, &two]).await;
    assert_eq!(gateway.chat(&[]).await.code(), "context_length_exceeded");
    assert_eq!(one.count() + two.count(), 1);
}

#[tokio::test]
async fn a_lost_worker_is_tried_once_more_at_the_same_proxy() {
    let proxy = FakeProxy::new(|serving, turn| async move {
        match turn {
            0 => drop(
                serving
                    .answer
                    .refuse(Refusal::new(Fault::WorkerLost, "gone"))
                    .await,
            ),
            1 => whole(serving, 200, "{}").await,
            _ => drop(
                serving
                    .answer
                    .refuse(Refusal::new(Fault::WorkerLost, "gone again"))
                    .await,
            ),
        }
    })
    .await;
    let gateway = Gateway::to(&[&proxy]).await;
    assert_eq!(gateway.chat(&[]).await.status, 200);
    assert_eq!(gateway.chat(&[]).await.code(), "worker_lost");
    assert_eq!(proxy.count(), 4);
    assert_eq!(
        gateway
            .metric("cocoon_client_failovers_total{fault=\"worker_lost\"}")
            .await,
        3.0
    );
}

#[tokio::test]
async fn nothing_is_tried_again_after_the_first_byte() {
    let make = || {
        FakeProxy::new(|serving, _| async move {
            let mut answer = serving.answer;
            answer.head(head(200, "application/json")).await.unwrap();
            answer.part(Bytes::from_static(b"{")).await.unwrap();
            let _ = answer.refuse(Refusal::new(Fault::WorkerLost, "gone")).await;
        })
    };
    let (one, two) = (make().await, make().await);
    let gateway = Gateway::to(&[&one, &two]).await;
    assert_eq!(gateway.chat(&[]).await.code(), "worker_lost");
    assert_eq!(one.count() + two.count(), 1);
}

#[tokio::test]
async fn a_head_alone_is_not_the_first_byte() {
    let one = FakeProxy::new(|serving, _| async move {
        let mut answer = serving.answer;
        answer.head(head(200, "text/event-stream")).await.unwrap();
        let _ = answer.refuse(Refusal::new(Fault::ProxyLost, "gone")).await;
    })
    .await;
    let two = FakeProxy::new(|serving, _| whole(serving, 200, "{}")).await;
    let gateway = Gateway::to(&[&one, &two]).await;
    for _ in 0..2 {
        assert_eq!(gateway.chat(&[]).await.status, 200);
    }
    assert_eq!((one.count(), two.count()), (1, 2));
}

#[tokio::test]
async fn a_broken_link_fails_over_and_comes_back() {
    let one = FakeProxy::new(|serving, turn| async move {
        if turn == 0 {
            serving.answer.cancelled().await;
        } else {
            whole(serving, 200, "{}").await;
        }
    })
    .await;
    let gateway = Gateway::to(&[&one]).await;
    let two = FakeProxy::new(|serving, _| whole(serving, 200, "{}")).await;
    let both = Gateway::to(&[&one, &two]).await;
    drop(gateway);
    let asked = async { (both.chat(&[]).await, both.chat(&[]).await) };
    let breaking = async {
        eventually(async || one.count() == 1).await;
        one.break_links();
    };
    let ((first, second), ()) = tokio::join!(asked, breaking);
    assert_eq!((first.status, second.status), (200, 200));
    both.linked(2).await;
}

#[tokio::test]
async fn the_least_loaded_proxy_is_asked() {
    let meeting = Arc::new(Barrier::new(4));
    let make = || {
        let meeting = Arc::clone(&meeting);
        FakeProxy::new(move |serving, _| {
            let meeting = Arc::clone(&meeting);
            async move {
                meeting.wait().await;
                whole(serving, 200, "{}").await;
            }
        })
    };
    let (one, two) = (make().await, make().await);
    let gateway = Gateway::to(&[&one, &two]).await;
    let replies = tokio::join!(
        gateway.chat(&[]),
        gateway.chat(&[]),
        gateway.chat(&[]),
        gateway.chat(&[])
    );
    assert_eq!(replies.0.status, 200);
    assert_eq!((one.count(), two.count()), (2, 2));
}

#[tokio::test]
async fn a_body_goes_to_an_acceptable_tier_only() {
    let open = Manner {
        evidence: false,
        ..Manner::default()
    };
    let proxy = FakeProxy::with(open, |serving, _| async move {
        let mut answer = serving.answer;
        let mut head = head(200, "application/json");
        head.tier = Tier::Confidential;
        answer.head(head).await.unwrap();
        answer.end(end()).await.unwrap();
    })
    .await;
    let gateway = Gateway::to(&[&proxy]).await;
    for tier in ["confidential", "attested", "simulated"] {
        let reply = gateway.chat(&[("x-cocoon-tier", tier)]).await;
        assert_eq!((reply.status, reply.code().as_str()), (503, "tier_unavailable"));
    }
    assert_eq!(proxy.count(), 0);
    // What an open proxy has read is open, whatever it claims.
    let reply = gateway.chat(&[("x-cocoon-tier", "open")]).await;
    assert_eq!((reply.status, reply.header("x-cocoon-tier")), (200, "open"));
}

#[tokio::test]
async fn an_answer_of_a_lower_tier_than_accepted_is_refused() {
    let proxy = FakeProxy::new(|serving, _| async move {
        let mut answer = serving.answer;
        let mut head = head(200, "application/json");
        head.tier = Tier::Open;
        answer.head(head).await.unwrap();
        let _ = answer.part(Bytes::from_static(b"{}")).await;
        let _ = answer.end(end()).await;
    })
    .await;
    let gateway = Gateway::to(&[&proxy]).await;
    let reply = gateway.chat(&[("x-cocoon-tier", "simulated")]).await;
    assert_eq!((reply.status, reply.code().as_str()), (502, "protocol_violation"));
}

#[tokio::test]
async fn an_answer_dearer_than_accepted_is_refused() {
    let proxy = FakeProxy::new(|serving, _| async move {
        let mut answer = serving.answer;
        let mut head = head(200, "application/json");
        head.coefficient = Coefficient::new(1501).unwrap();
        answer.head(head).await.unwrap();
        let _ = answer.part(Bytes::from_static(b"{}")).await;
        let _ = answer.end(end()).await;
    })
    .await;
    let gateway = Gateway::to(&[&proxy]).await;
    let reply = gateway.chat(&[("x-cocoon-max-coefficient", "1500")]).await;
    assert_eq!((reply.status, reply.code().as_str()), (502, "protocol_violation"));
    assert_eq!(gateway.chat(&[]).await.status, 200);
}

#[tokio::test]
async fn a_proxy_that_does_not_belong_here_is_not_used() {
    for manner in [
        Manner {
            is_test: false,
            ..Manner::default()
        },
        Manner {
            version: 2,
            ..Manner::default()
        },
    ] {
        let proxy = FakeProxy::with(manner, |serving, _| whole(serving, 200, "{}")).await;
        let gateway = Gateway::with(options(&[&proxy])).await;
        eventually(async || gateway.metric("cocoon_client_link_failures_total").await > 0.0).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(gateway.chat(&[]).await.code(), "no_worker");
    }
}

#[tokio::test]
async fn a_link_is_replaced_before_its_evidence_expires_and_nobody_notices() {
    let manner = Manner {
        first_expires_in: Some(4),
        ..Manner::default()
    };
    let proxy = FakeProxy::with(manner, |serving, _| whole(serving, 200, "{}")).await;
    let gateway = Gateway::to(&[&proxy]).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(6) {
        assert_eq!(gateway.chat(&[]).await.status, 200, "after {:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(proxy.links(), (2, 1));
}
