//! What spec/network.md section 10 names: nothing of it crashes, hangs or overcharges.

use bytes::Bytes;
use cocoon_testkit::hostile::request_head;
use cocoon_testkit::network::within;
use cocoon_testkit::original::{OldClient, OldRequest, OldWork, OldWorker};
use cocoon_tl::shared::TokensUsed;
use cocoon_tl::{TlObject as _, client, proxy};

use super::{LIMIT, Old, books, entry, old, question, used};

async fn ask(client: &OldClient, worker: &mut OldWorker) -> anyhow::Result<(OldRequest, OldWork)> {
    let request = OldRequest::chat(&question())?;
    client.send(&request).await?;
    Ok((request, worker.next().await?))
}

/// 10.2, 15 and 22: the original took any number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_that_cannot_be_true_costs_nothing_or_no_more_than_was_allowed() -> anyhow::Result<()> {
    within(LIMIT, async {
        let Old {
            network,
            mut client,
            mut worker,
            ..
        } = old(2).await?;
        let lies = [
            used(-1_000_000, 0),
            used(i64::MIN, 0),
            TokensUsed {
                total_tokens_used: 1_000_000,
                ..used(1, 1)
            },
            TokensUsed {
                prompt_tokens_used: i64::MAX,
                total_tokens_used: i64::MAX,
                ..used(0, 0)
            },
        ];
        for lie in lies {
            let (request, work) = ask(&client, &mut worker).await?;
            worker.serve(&work, &["{}"], lie).await?;
            let answer = client.read(request.id, usize::MAX).await?;
            assert!(answer.broken && answer.used.total_tokens_used == 0);
        }
        client.update().await?;
        assert_eq!(client.told()[2], 0);
        // Beyond what was reserved: cut to the token limit, and to what the body can have had.
        let (request, work) = ask(&client, &mut worker).await?;
        worker.serve(&work, &["{}"], used(0, 1_000_000)).await?;
        let answer = client.read(request.id, usize::MAX).await?;
        assert_eq!((answer.broken, answer.used), (false, used(0, 100)));
        client.update().await?;
        assert_eq!(client.told()[2], 800);
        let books = books(&network).await?;
        let account = entry(&books["clients"], client.owner());
        assert_eq!(account["reserved_tokens"], 0);
        network.stop().await
    })
    .await
}

/// 10.1, 3 and 4; 6.5: what comes in no order, twice, late or to nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_out_of_order_ends_its_own_request_alone() -> anyhow::Result<()> {
    within(LIMIT, async {
        let Old {
            network,
            mut client,
            mut worker,
            ..
        } = old(2).await?;
        // A part before the answer, and the answer after it.
        let (request, work) = ask(&client, &mut worker).await?;
        worker.part(&work, "x", Some(used(1, 1))).await?;
        worker.begin(&work).await?;
        assert_eq!(client.read(request.id, usize::MAX).await?.status, 502);
        // A second answer.
        let (request, work) = ask(&client, &mut worker).await?;
        worker.begin(&work).await?;
        worker.begin(&work).await?;
        assert!(client.read(request.id, usize::MAX).await?.broken);
        // An answer that is no http.response.
        let (request, work) = ask(&client, &mut worker).await?;
        let answer = proxy::QueryAnswerExData {
            request_id: work.id,
            answer: Bytes::from_static(b"garbage"),
            final_info: None,
        };
        worker.peer.say(&answer).await?;
        assert_eq!(client.read(request.id, usize::MAX).await?.status, 502);
        // An error without final_info, with flags that nobody knows.
        let (request, work) = ask(&client, &mut worker).await?;
        let error = proxy::QueryAnswerErrorEx {
            request_id: work.id,
            error_code: i32::MIN,
            error: "x".repeat(100_000).as_str().into(),
            final_info: None,
        };
        let mut error = error.to_boxed().to_vec();
        let flags = error.len() - 4;
        error[flags..].copy_from_slice(&[0xf0, 0xff, 0xff, 0xff]);
        worker.peer.say_bytes(error).await?;
        assert_eq!(client.read(request.id, usize::MAX).await?.status, 502);
        // Parts after the end, and answers to a finished request and to none at all.
        let (request, work) = ask(&client, &mut worker).await?;
        worker.serve(&work, &["{}"], used(1, 1)).await?;
        worker.part(&work, "late", Some(used(50, 50))).await?;
        worker.begin(&work).await?;
        let nobody = OldWork {
            id: [0; 32],
            ..work.clone()
        };
        worker.serve(&nobody, &["{}"], used(50, 50)).await?;
        let answer = client.read(request.id, usize::MAX).await?;
        assert_eq!((answer.broken, answer.body), (false, Bytes::from_static(b"{}")));
        client.update().await?;
        assert_eq!(client.told()[2], 9);
        network.wait_until_idle().await?;
        network.stop().await
    })
    .await
}

/// 10.3, 26: one message may hold as much as a frame.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn huge_messages_pass_or_are_refused() -> anyhow::Result<()> {
    within(LIMIT, async {
        let Old {
            network,
            mut client,
            mut worker,
            ..
        } = old(2).await?;
        let (request, work) = ask(&client, &mut worker).await?;
        worker.begin(&work).await?;
        worker
            .part(&work, vec![b'x'; 3 * 1024 * 1024], Some(used(1, 1)))
            .await?;
        let answer = client.read(request.id, usize::MAX).await?;
        assert_eq!((answer.broken, answer.body.len()), (false, 3 * 1024 * 1024));
        // A frame that nobody may send ends the link of its sender, and nothing else.
        let (request, work) = ask(&client, &mut worker).await?;
        worker
            .peer
            .say_bytes(
                proxy::QueryAnswerExData {
                    request_id: work.id,
                    answer: Bytes::new(),
                    final_info: None,
                }
                .to_boxed()
                .slice(..20),
            )
            .await?;
        worker.peer.ended().await?;
        assert_eq!(client.read(request.id, usize::MAX).await?.status, 502);
        network.wait_until_idle().await?;
        network.stop().await
    })
    .await
}

/// 10.1, 5; 10.3, 29: numbers of a client that are none, and ids that it has used.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_client_gets_neither_credit_nor_two_answers() -> anyhow::Result<()> {
    within(LIMIT, async {
        let Old {
            network,
            mut client,
            mut worker,
            ..
        } = old(2).await?;
        let changes: [fn(&mut OldRequest); 6] = [
            |request| request.max_tokens = -1,
            |request| request.max_tokens = i32::MIN,
            |request| request.max_coefficient = -1,
            |request| request.timeout = f64::NAN,
            |request| request.timeout = -1.0,
            |request| request.timeout = f64::INFINITY,
        ];
        for change in changes {
            let mut request = OldRequest::chat(&question())?;
            change(&mut request);
            assert_eq!(client.ask(&request).await?.status, 400);
        }
        // The same id twice at once: one answer; and again after it: no second charge.
        let (request, work) = ask(&client, &mut worker).await?;
        client.send(&request).await?;
        // Answered behind it, so that the second one has come before the first is served.
        client.update().await?;
        worker.serve(&work, &["{}"], used(1, 1)).await?;
        let answer = client.read(request.id, usize::MAX).await?;
        assert_eq!((answer.status, answer.used), (200, used(1, 1)));
        assert_eq!(client.ask(&request).await?.status, 409);
        client.update().await?;
        assert_eq!(client.told()[2], 9);
        // Protocol 3 in its mouth reaches nobody, and a request that does not parse ends its link.
        client.peer.say(&request_head(1, 2)).await?;
        let (request, work) = ask(&client, &mut worker).await?;
        worker.serve(&work, &["{}"], used(1, 1)).await?;
        assert_eq!(client.read(request.id, usize::MAX).await?.status, 200);
        let mut cut = client::RunQueryEx {
            model_name: "canned".into(),
            query: Bytes::new(),
            max_coefficient: 1,
            max_tokens: 1,
            timeout: 1.0,
            request_id: [1; 32],
            min_config_version: 1,
            enable_debug: None,
        }
        .to_boxed();
        cut.truncate(40);
        client.peer.say_bytes(cut).await?;
        client.peer.ended().await?;
        network.wait_until_idle().await?;
        network.stop().await
    })
    .await
}
