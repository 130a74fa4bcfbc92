use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cocoon_types::{Coefficient, Endpoint, Fault, ModelName, Refusal, RequestId, Tier, TierPolicy, Usage};
use tokio::task::JoinSet;

use super::{AnswerEnd, AnswerEvent, AnswerHead, Event, Events, RequestHead, Serving, Session};
use crate::testing::{noise, pair, sessions, soon};
use crate::{AnswerReceiver, EnginePlace, Hello};

mod endings;
mod hostile;
mod interleaved;
mod sealed;
mod windows;

fn head(body_bytes: usize) -> RequestHead {
    RequestHead {
        request_id: RequestId([9; 32]),
        endpoint: Endpoint::ChatCompletions,
        model: ModelName::new("model@commit:hash").unwrap(),
        max_tokens: 100,
        tier: TierPolicy::at_least(Tier::Attested).and_simulated(),
        max_coefficient: Coefficient::DEFAULT_LIMIT,
        timeout: Duration::from_millis(12_345),
        body_bytes: body_bytes as u64,
        sealed: None,
    }
}

fn answer_head() -> AnswerHead {
    AnswerHead {
        status: 200,
        content_type: "text/event-stream; charset=utf-8".into(),
        tier: Tier::Simulated,
        coefficient: Coefficient::ONE,
        sealed: None,
    }
}

fn answer_end() -> AnswerEnd {
    AnswerEnd {
        usage: Usage::new(34, 11, 100, 10).unwrap(),
        engine_time: Duration::from_millis(777),
        receipt: None,
    }
}

async fn request(events: &mut Events) -> Serving {
    match soon(events.recv()).await {
        Some(Event::Request(serving)) => serving,
        other => panic!("{other:?}"),
    }
}

/// Sends back every piece of every body as it comes.
async fn echo(mut events: Events) {
    let mut tasks = JoinSet::new();
    while let Some(event) = events.recv().await {
        if let Event::Request(Serving {
            mut body, mut answer, ..
        }) = event
        {
            tasks.spawn(async move {
                answer.head(answer_head()).await.unwrap();
                while let Some(piece) = body.next().await.unwrap() {
                    answer.part(piece).await.unwrap();
                }
                answer.end(answer_end()).await.unwrap();
            });
        }
    }
    while let Some(result) = tasks.join_next().await {
        result.unwrap();
    }
}

/// Everything up to the end, or the refusal.
async fn rest(answer: &mut AnswerReceiver) -> Result<(Bytes, AnswerEnd), Refusal> {
    let mut bytes = BytesMut::new();
    loop {
        match soon(answer.next()).await? {
            AnswerEvent::Part(part) => bytes.extend_from_slice(&part),
            AnswerEvent::End(end) => return Ok((bytes.freeze(), end)),
        }
    }
}

async fn ask(session: &Session, body: Bytes) -> Result<Bytes, Refusal> {
    let (mut sender, mut answer) = session.open(head(body.len())).await.unwrap().split();
    let (sent, received) = tokio::join!(sender.send(body, true), async {
        assert_eq!(answer.head().await?, answer_head());
        rest(&mut answer).await
    });
    let (bytes, end) = received?;
    sent?;
    assert_eq!(end, answer_end());
    Ok(bytes)
}

#[tokio::test(start_paused = true)]
async fn everything_that_is_said_arrives_unchanged() {
    let ((link, inbox), (other_link, other_inbox)) = pair().await;
    let said = Hello {
        software: "cocoon-test/1".into(),
        capabilities: vec!["a".into(), "b".into()],
        endpoints: Endpoint::ALL.to_vec(),
        context_length: 8192,
        engine: EnginePlace::Outside,
    };
    let (session, _events) = Session::start(link, inbox, said.clone(), Fault::WorkerLost);
    let (_other, mut events) =
        Session::start(other_link, other_inbox, crate::testing::hello(), Fault::ProxyLost);
    match soon(events.recv()).await {
        Some(Event::Hello(hello)) => assert_eq!(hello, said),
        other => panic!("{other:?}"),
    }

    for endpoint in Endpoint::ALL {
        let asked = RequestHead { endpoint, ..head(3) };
        let (mut body, mut answer) = session.open(asked.clone()).await.unwrap().split();
        body.send(Bytes::from_static(b"ask"), true).await.unwrap();
        let mut serving = request(&mut events).await;
        assert_eq!(serving.head, asked);
        assert_eq!(serving.body.collect(3).await.unwrap(), "ask");
        serving.answer.head(answer_head()).await.unwrap();
        serving.answer.part(Bytes::from_static(b"said")).await.unwrap();
        serving.answer.end(answer_end()).await.unwrap();
        assert_eq!(answer.head().await.unwrap(), answer_head());
        assert_eq!(
            rest(&mut answer).await.unwrap(),
            (Bytes::from_static(b"said"), answer_end())
        );
        assert_eq!(
            answer.next().await.unwrap(),
            AnswerEvent::End(answer_end()),
            "the end again"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_of_every_size_come_back() {
    let ((session, _events), (_other, other_events)) = sessions().await;
    let server = JoinSet::from_iter([echo(other_events)]);
    for size in [0, 1, 65_535, 65_536, 65_537, 262_144, 262_145, 3_000_000] {
        let body = noise(size, size as u64);
        assert!(ask(&session, body.clone()).await.unwrap() == body, "size {size}");
    }
    drop(server);
}

#[tokio::test(start_paused = true)]
async fn other_messages_and_questions_are_events() {
    let ((session, _events), (other, mut other_events)) = sessions().await;
    session
        .link()
        .send(Bytes::from_static(b"other message"))
        .await
        .unwrap();
    match soon(other_events.recv()).await {
        Some(Event::Message(data)) => assert_eq!(data, "other message"),
        event => panic!("{event:?}"),
    }
    let (answer, ()) = tokio::join!(
        session
            .link()
            .query(Bytes::from_static(b"what"), Duration::from_secs(1)),
        async {
            match soon(other_events.recv()).await {
                Some(Event::Query { id, question }) => other.link().answer(id, Ok(question)).await.unwrap(),
                event => panic!("{event:?}"),
            }
        }
    );
    assert_eq!(answer.unwrap(), "what");
}

#[tokio::test(start_paused = true)]
async fn what_came_before_the_session_is_not_lost() {
    let ((link, inbox), (other_link, other_inbox)) = pair().await;
    let (session, _events) = Session::start(link, inbox, crate::testing::hello(), Fault::ProxyLost);
    let (mut body, mut answer) = session.open(head(300_000)).await.unwrap().split();
    let data = noise(300_000, 1);
    let send = body.send(data.clone(), true);
    let serve = async {
        // The other side is late: the window is full before its session starts.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (other, mut other_events) = Session::start(
            other_link,
            other_inbox,
            crate::testing::hello(),
            Fault::WorkerLost,
        );
        assert!(matches!(soon(other_events.recv()).await, Some(Event::Hello(_))));
        let mut serving = request(&mut other_events).await;
        assert!(serving.body.collect(1 << 20).await.unwrap() == data);
        serving.answer.head(answer_head()).await.unwrap();
        serving.answer.end(answer_end()).await.unwrap();
        (other, other_events)
    };
    let (sent, _other) = tokio::join!(send, serve);
    sent.unwrap();
    rest(&mut answer).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_side_of_a_link_asks() {
    let ((session, _events), (other, mut other_events)) = sessions().await;
    let _exchange = session.open(head(0)).await.unwrap();
    let _serving = request(&mut other_events).await;
    let error = other.open(head(0)).await.unwrap_err();
    assert!(error.reason.contains("the peer is the one that asks"), "{error}");
    assert!(!other.link().is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_handles_are_gone_ends_its_link() {
    let ((session, events), (other, other_events)) = sessions().await;
    let (body, answer) = session.open(head(0)).await.unwrap().split();
    drop((session, events));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!other.link().is_closed(), "an exchange is open");
    drop((body, answer));
    assert_eq!(
        soon(other.link().closed()).await,
        "the peer closed the connection"
    );
    drop(other_events);
}

#[tokio::test(start_paused = true)]
async fn an_unread_request_does_not_keep_its_link_alive() {
    let ((session, _events), (other, other_events)) = sessions().await;
    let _exchange = session.open(head(0)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop((other, other_events));
    soon(session.link().closed()).await;
}

#[test]
fn debug_shows_no_content() {
    let text = format!("{:?}", Event::Message(Bytes::from_static(b"planted")));
    assert!(!text.contains("planted"));
}
