use std::time::Duration;

use bytes::Bytes;
use cocoon_openai::RequestBody;
use cocoon_types::{Endpoint, Fault, Private, Refusal};
use tokio::time::Instant;

use super::{Engine, EngineKey, EngineOptions, Timers};
use crate::scripted::{Scripted, Step, answer, chunk, chunked_head};
use crate::{EngineAnswer, EngineKind};

fn body() -> RequestBody {
    body_with("")
}

fn body_with(members: &str) -> RequestBody {
    let text = format!(r#"{{"model":"m","messages":[]{members}}}"#);
    RequestBody::parse(Endpoint::ChatCompletions, &text.into_bytes().into()).unwrap()
}

fn engine(server: &Scripted) -> Engine {
    let timers = Timers {
        idle: Duration::from_millis(500),
        ..Timers::default()
    };
    let key = Some(EngineKey::new(&Private::new("planted".into())).unwrap());
    Engine::new(server.address(), EngineKind::Vllm, &EngineOptions { key, timers })
}

async fn call(engine: &Engine) -> Result<EngineAnswer, Refusal> {
    engine.call(&body(), soon()).await
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

async fn collect(answer: EngineAnswer) -> Result<Bytes, Refusal> {
    answer.body.collect(1024).await
}

#[tokio::test]
async fn an_answer_passes_and_the_request_is_what_was_asked() {
    let server = Scripted::start(vec![vec![answer(
        "200 OK",
        "application/json; charset=utf-8",
        "{\"a\":1}",
    )]])
    .await;
    let engine = engine(&server);
    let answered = call(&engine).await.unwrap();
    assert_eq!(
        (answered.status, answered.content_type),
        (200, "application/json")
    );
    assert_eq!(collect(answered).await.unwrap(), "{\"a\":1}");
    let request = &server.requests()[0];
    assert!(
        request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(request.contains("authorization: Bearer planted\r\n"));
    assert!(request.ends_with("\r\n\r\n{\"model\":\"m\",\"messages\":[]}"));
    assert!(!format!("{engine:?} {:?}", EngineOptions::default()).contains("planted"));
}

#[tokio::test]
async fn a_refusal_by_the_engine_is_an_answer() {
    for (content_type, passed) in [
        ("application/json", "application/json"),
        ("text/html", "text/plain; charset=utf-8"),
    ] {
        let text = "{\"error\":{\"message\":\"maximum context length is 8\"}}";
        let server = Scripted::start(vec![vec![answer("400 Bad Request", content_type, text)]]).await;
        let answered = call(&engine(&server)).await.unwrap();
        assert_eq!((answered.status, answered.content_type), (400, passed));
        assert_eq!(collect(answered).await.unwrap(), text);
    }
}

#[tokio::test]
async fn what_is_no_answer_is_a_fault() {
    for (step, fault) in [
        (
            answer("500 Internal Server Error", "application/json", "{\"planted\":1}"),
            Fault::EngineFailed,
        ),
        (
            answer("503 Service Unavailable", "application/json", "{}"),
            Fault::Busy,
        ),
        (
            answer("429 Too Many Requests", "application/json", "{}"),
            Fault::Busy,
        ),
        (
            answer("401 Unauthorized", "application/json", "{}"),
            Fault::EngineFailed,
        ),
        (
            answer("408 Request Timeout", "application/json", "{}"),
            Fault::Timeout,
        ),
        (answer("302 Found", "application/json", "{}"), Fault::EngineFailed),
        (
            answer("200 OK", "text/html", "<html>planted</html>"),
            Fault::EngineFailed,
        ),
        (answer("200 OK", "\u{1f600}", "x"), Fault::EngineFailed),
        (
            Step::Send(b"planted garbage\r\n\r\n".to_vec()),
            Fault::EngineFailed,
        ),
        (Step::Send(vec![b'x'; 200_000]), Fault::EngineFailed),
        (Step::Close, Fault::EngineFailed),
    ] {
        let server = Scripted::start(vec![vec![step, Step::Close]]).await;
        let refusal = call(&engine(&server)).await.map(|_| ()).unwrap_err();
        assert_eq!(refusal.fault, fault, "{}", refusal.message);
        assert!(!refusal.message.contains("planted"));
    }
}

#[tokio::test]
async fn pieces_come_as_they_are_sent() {
    let script = vec![
        chunked_head("text/event-stream"),
        chunk("data: 1\n\n"),
        Step::Gate,
        chunk("data: 2\n\n"),
        chunk(""),
    ];
    let server = Scripted::start(vec![script]).await;
    let mut answered = call(&engine(&server)).await.unwrap();
    assert!(answered.is_event_stream());
    assert_eq!(answered.body.next().await.unwrap().unwrap(), "data: 1\n\n");
    server.open_gate();
    assert_eq!(answered.body.next().await.unwrap().unwrap(), "data: 2\n\n");
    assert!(answered.body.next().await.is_none() && answered.body.next().await.is_none());
}

#[tokio::test]
async fn chunks_that_are_there_together_are_one_piece_and_large_answers_are_several() {
    let together = "5\r\nabcde\r\n".repeat(3).into_bytes();
    let large = format!("2000\r\n{}\r\n", "x".repeat(0x2000)).repeat(16);
    let script = vec![
        chunked_head("text/event-stream"),
        Step::Send(together),
        Step::Send([large.as_bytes(), b"0\r\n\r\n"].concat()),
    ];
    let server = Scripted::start(vec![script]).await;
    let mut body = call(&engine(&server)).await.unwrap().body;
    let mut pieces = Vec::new();
    while let Some(piece) = body.next().await {
        pieces.push(piece.unwrap());
    }
    let whole = pieces.concat();
    assert_eq!(whole.len(), 15 + 16 * 0x2000);
    assert!(whole.starts_with(b"abcdeabcdeabcde"));
    assert!(pieces[0].len() >= 15, "what came in one segment");
    assert!(pieces.iter().all(|piece| piece.len() <= 64 * 1024));
}

#[tokio::test]
async fn a_cut_body_is_a_fault_at_its_end() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"half";
    for script in [
        vec![Step::Send(cut.into()), Step::Close],
        vec![chunked_head("text/event-stream"), chunk("data"), Step::Close],
        vec![
            chunked_head("text/event-stream"),
            chunk("data"),
            Step::Send(b"zz\r\n".to_vec()),
        ],
    ] {
        let server = Scripted::start(vec![script]).await;
        let mut answered = call(&engine(&server)).await.unwrap();
        assert!(answered.body.next().await.unwrap().is_ok());
        assert_eq!(
            answered.body.next().await.unwrap().unwrap_err().fault,
            Fault::EngineFailed
        );
        assert!(answered.body.next().await.is_none());
    }
}

#[tokio::test]
async fn silence_has_an_end_and_closes_the_connection() {
    let server = Scripted::start(vec![vec![Step::AwaitClose]]).await;
    let deadline = Instant::now() + Duration::from_millis(100);
    let refusal = engine(&server)
        .call(&body(), deadline)
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(refusal.fault, Fault::Timeout);
    server.closed_by_peer().await;

    let stall = vec![chunked_head("text/event-stream"), chunk("data"), Step::AwaitClose];
    let server = Scripted::start(vec![stall]).await;
    // First the silence is too long, then the deadline comes before that.
    for patience in [Duration::from_secs(20), Duration::from_millis(200)] {
        let answered = engine(&server).call(&body(), Instant::now() + patience).await;
        let refusal = match answered {
            // On a busy machine the head may come too late.
            Err(refusal) if patience < Duration::from_secs(1) => refusal,
            answered => {
                let mut body = answered.unwrap().body;
                assert!(body.next().await.unwrap().is_ok());
                body.next().await.unwrap().unwrap_err()
            }
        };
        assert_eq!(refusal.fault, Fault::Timeout);
        server.closed_by_peer().await;
    }
}

#[tokio::test]
async fn a_deadline_ends_a_stream_that_never_falls_silent() {
    let flood = b"8\r\n: ping\n\n\r\n".repeat(64);
    let server = Scripted::start(vec![vec![chunked_head("text/event-stream"), Step::Flood(flood)]]).await;
    let deadline = Instant::now() + Duration::from_millis(500);
    let mut answered = engine(&server).call(&body(), deadline).await.unwrap();
    let last = loop {
        if let Err(refusal) = answered.body.next().await.unwrap() {
            break refusal;
        }
    };
    assert_eq!(last.fault, Fault::Timeout);
}

#[tokio::test]
async fn dropping_the_answer_closes_the_connection() {
    let script = vec![
        chunked_head("text/event-stream"),
        chunk("data: 1\n\n"),
        Step::AwaitClose,
    ];
    let server = Scripted::start(vec![script]).await;
    let mut answered = call(&engine(&server)).await.unwrap();
    assert!(answered.body.next().await.unwrap().is_ok());
    drop(answered);
    server.closed_by_peer().await;

    let server = Scripted::start(vec![vec![Step::AwaitClose]]).await;
    let engine = engine(&server);
    let dropped = tokio::time::timeout(Duration::from_millis(50), call(&engine)).await;
    assert!(dropped.is_err());
    server.closed_by_peer().await;
}

#[tokio::test]
async fn an_answer_is_bounded() {
    let server = Scripted::start(vec![vec![answer(
        "200 OK",
        "application/json",
        &"x".repeat(5000),
    )]])
    .await;
    let refusal = collect(call(&engine(&server)).await.unwrap()).await.unwrap_err();
    assert_eq!(refusal.fault, Fault::EngineFailed);
    let long = answer("400 Bad Request", "application/json", &"x".repeat(300_000));
    let server = Scripted::start(vec![vec![long]]).await;
    assert_eq!(
        call(&engine(&server)).await.map(|_| ()).unwrap_err().fault,
        Fault::EngineFailed
    );
}

#[tokio::test]
async fn a_connection_that_the_engine_just_closed_is_replaced() {
    let good = vec![answer("200 OK", "application/json", "{}")];
    let server = Scripted::start(vec![good.clone(), vec![Step::Close], good]).await;
    let engine = engine(&server);
    for _ in 0..2 {
        assert!(collect(call(&engine).await.unwrap()).await.is_ok());
    }
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn nobody_there_is_told_at_once() {
    let server = Scripted::start(vec![vec![Step::Close]]).await;
    let engine = engine(&server);
    drop(server);
    let started = Instant::now();
    assert_eq!(
        call(&engine).await.map(|_| ()).unwrap_err().fault,
        Fault::EngineFailed
    );
    assert!(!engine.health().await && started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_refused_field_never_reaches_the_engine() {
    let server = Scripted::start(vec![vec![Step::Close]]).await;
    let refusal = engine(&server)
        .call(&body_with(r#","kv_transfer_params":{}"#), soon())
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(
        (refusal.fault, refusal.param),
        (Fault::UnsupportedField, Some("kv_transfer_params"))
    );
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn models_and_their_context_are_listed() {
    let list = r#"{"object":"list","data":[{"id":"a","owned_by":"vllm","max_model_len":4096},{"id":"b","meta":{"n_ctx":512,"n_ctx_train":8192}},{"id":"c","owned_by":null,"meta":null}]}"#;
    let server = Scripted::start(vec![vec![answer("200 OK", "application/json", list)]]).await;
    let models = engine(&server).models().await.unwrap();
    let seen: Vec<_> = models
        .iter()
        .map(|model| (model.id.as_str(), model.context_length))
        .collect();
    assert_eq!(seen, [("a", Some(4096)), ("b", Some(512)), ("c", None)]);
    for bad in ["{}", "[]", "<html>", "{\"data\":[{}]}"] {
        let server = Scripted::start(vec![vec![answer("200 OK", "application/json", bad)]]).await;
        assert_eq!(
            engine(&server).models().await.unwrap_err().fault,
            Fault::EngineFailed,
            "{bad}"
        );
    }
}

#[test]
fn a_key_that_no_header_can_carry_is_refused() {
    assert!(EngineKey::new(&Private::new("a\nb".into())).is_err());
    let key = EngineKey::new(&Private::new(" planted \n".into())).unwrap();
    assert_eq!(format!("{key:?}"), "[private]");
}
